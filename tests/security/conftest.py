"""What the threats share: the command line in a directory of its own."""

from tests.cli.conftest import bare, leeward

__all__ = ["bare", "leeward"]
