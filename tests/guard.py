"""What no test may reach: other machines, by libcurl, and what earlier runs have left behind."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from leeward._http.options import TransportOptions

HERE = ("127.0.0.1", "::1", "localhost")

NOWHERE = ".onion"
"""A name that libcurl refuses without looking it up (RFC 7686)."""


class LeftLoopback(BaseException):
    """A test would have connected to another machine. No code under test may catch it."""


def check_reach(origin: str, options: TransportOptions) -> None:
    """Raise `LeftLoopback` if a transport with `options` would ask beyond loopback for `origin`.

    A host that `no_proxy` might except from the proxy counts as if it did.
    """
    proxied = origin.startswith("https:") and options.proxy
    reached = [origin] if not proxied or options.no_proxy else []
    reached += [options.proxy] if proxied and options.proxy else []
    for url in reached:
        host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
        if host not in HERE and not host.endswith(NOWHERE):
            raise LeftLoopback(f"a test would connect to {host!r}; use a server on 127.0.0.1")


@contextmanager
def loopback_only() -> Iterator[None]:
    """Look at every handle of libcurl before it is made."""
    from leeward._http import aio, threads
    from leeward._http.libcurl import handle_for
    from leeward._http.messages import ORIGIN

    def guarded(origin: str, options: TransportOptions) -> Any:
        if re.fullmatch(ORIGIN, origin):  # else it is refused anyway
            check_reach(origin, options)
        return handle_for(origin, options)

    with pytest.MonkeyPatch.context() as patch:
        for module in (aio, threads):
            patch.setattr(module, "handle_for", guarded)
        yield


class LeftoverOpened(BaseException):
    """A test would have read what lies outside the clone. No code under test may catch it."""


UNREADABLE = "LEEWARD_UNREADABLE"
"""Folders, as in `PATH`, that `.ci/fresh` names where it cannot make them empty."""


def refuse_leftovers(unreadable: list[Path], *, readable: list[Path]) -> None:
    """Refuse, for the rest of this process, to open a file below folders.

    Args:
        unreadable: the folders; none, and nothing is refused.
        readable: folders below those that may be read.
    """
    events = ("open", "os.listdir", "os.scandir", "sqlite3.connect")

    def check(event: str, arguments: tuple[object, ...]) -> None:
        if event in events and isinstance(arguments[0], str | bytes | os.PathLike):
            path = Path(os.fsdecode(arguments[0])).absolute()
            if any(folder in path.parents for folder in unreadable) and not any(
                path.is_relative_to(folder) for folder in readable
            ):
                raise LeftoverOpened(f"a test would open {path}, which no fresh machine has")

    if unreadable:
        sys.addaudithook(check)


def clone_only() -> None:
    """Refuse leftovers where `.ci/fresh` asks for it."""
    unreadable = [Path(folder) for folder in os.environ.get(UNREADABLE, "").split(":") if folder]
    here = (Path(__file__).parents[1], tempfile.gettempdir(), sys.prefix, sys.base_prefix)
    refuse_leftovers(unreadable, readable=[Path(folder) for folder in here])
