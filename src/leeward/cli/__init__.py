"""The `leeward` command: the client's methods, the targets and the demo, from a shell.

It needs the extra ``cli``. This module does not, so that it can say what is missing.
"""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper

NEEDED = ("typer", "rich")


def _choose_logs() -> None:
    """Show a person leeward's own warnings, and keep what libraries log out of the standard error.

    A logger without a handler writes its warnings there, where a program expects one JSON object:
    so with ``--json`` there are none. With ``LEEWARD_DEBUG`` all are shown.
    """
    if os.environ.get("LEEWARD_DEBUG"):
        return
    logging.lastResort = logging.NullHandler()
    if "--json" not in sys.argv:
        logging.getLogger("leeward").addHandler(logging.StreamHandler())


def main() -> None:
    """Run the command line of this process, and exit.

    Modules are also imported from the working directory, so that a ``leeward.toml`` can name
    functions in files beside it. It comes last, so that no file there hides an installed module.
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
    _choose_logs()
    if isinstance(sys.stdout, TextIOWrapper):
        # A character that the terminal cannot show is escaped: the command has worked.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
