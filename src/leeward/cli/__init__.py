"""The `leeward` command: the doors, the targets and the demo, from a shell.

It needs the extra ``cli``; this module does not, so that it can say so.
"""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper

NEEDED = ("typer", "rich")


def _quieten() -> None:
    """Let no library's log stand between what a command writes, but for who looks for an error.

    A logger that nobody has set up writes warnings to the standard error, where a program expects
    one JSON object.
    """
    if not os.environ.get("LEEWARD_DEBUG"):
        logging.lastResort = logging.NullHandler()


def main() -> None:
    """Run the command line of this process, and exit.

    The working directory counts as a place of modules, so that a ``leeward.toml`` can name
    functions that stand beside it; it comes last, so that nothing there shadows anything.
    """
    try:
        from leeward.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        sys.stderr.write(
            f"leeward: the command line needs {' and '.join(NEEDED)}; "
            'install them: pip install "leeward[cli]"\n'
        )
        sys.exit(2)
    sys.path.append("")
    _quieten()
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal without the right characters is no reason to call a success a failure.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
