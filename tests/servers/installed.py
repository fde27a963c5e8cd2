"""Where the servers are that `make setup` installs, each in an environment of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_SERVERS: Final = Path(__file__).resolve().parents[2] / ".servers"


class NotInstalled(Exception):
    """A server is missing on this machine; the message names the remedy."""


def executable(server: str, name: str) -> Path:
    """Give the program `name` of `server`, by the name of its lock file here.

    Raises:
        NotInstalled: it is not there.
    """
    path = _SERVERS / server / "bin" / name
    if not path.exists():
        raise NotInstalled(f"{server} is not installed in .servers: run make setup")
    return path
