"""``python -m leeward``: the command line."""

from __future__ import annotations

import os.path
import sys


def _forget_working_directory() -> None:
    """Remove the working directory from the path, where ``python -m`` has put it, before all else.

    A file there would hide every module that is not imported yet. It stays if leeward itself comes
    from there: then it is where packages are installed.
    """
    package = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - not imported yet
    if not sys.flags.safe_path and sys.path[:1] != [os.path.dirname(package)]:  # noqa: PTH120
        del sys.path[:1]


if __name__ == "__main__":
    _forget_working_directory()
    from leeward.cli import main

    main()
