"""The `leeward` command: the client's methods, the targets and the demo, from a shell.

It needs the extra ``cli``. This module does not, so that it can say what is missing.
"""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper

NEEDED = ("typer", "rich")


def _choose_logs(*, is_debugging: bool) -> None:
    """Show a person leeward's own warnings, and keep what libraries log out of the standard error.

    A logger without a handler writes its warnings there, where a program expects one JSON object:
    so with ``--json`` there are none. With ``LEEWARD_DEBUG`` all are shown, unless the environment
    is not trusted: a library may log what it sends.
    """
    if is_debugging:
        return
    logging.lastResort = logging.NullHandler()
    if "--json" not in sys.argv:
        logging.getLogger("leeward").addHandler(logging.StreamHandler())


def main() -> None:
    """Run the command line of this process, and exit."""
    # What is written to a closed stream goes nowhere; a file that is opened later stays intact.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 - until the exit
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    try:
        _run()
    except KeyboardInterrupt:  # no command has begun, or it has ended and said how
        sys.exit(130)


def _run() -> None:
    try:
        from leeward.cli.app import app, is_debugging
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        sys.stderr.write(
            f"leeward: the command line needs {' and '.join(NEEDED)}; "
            'install them: pip install "leeward[cli]"\n'
        )
        sys.exit(2)
    _choose_logs(is_debugging=is_debugging())
    if isinstance(sys.stdout, TextIOWrapper):
        # A character that the terminal cannot show is escaped: the command has worked.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
