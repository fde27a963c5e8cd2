"""What the threats share: the command line in a directory of its own, and transports."""

from tests.cli.conftest import bare, leeward
from tests.http.conftest import ca, ca_file, make

__all__ = ["bare", "ca", "ca_file", "leeward", "make"]
