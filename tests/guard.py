"""No test leaves loopback by way of libcurl either, which pytest-socket cannot see."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from leeward.http.options import TransportOptions

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
    from leeward.http import aio, own_network, threads
    from leeward.http.libcurl import handle_for
    from leeward.http.request_checks import ORIGIN

    def guarded(origin: str, options: TransportOptions) -> Any:
        if re.fullmatch(ORIGIN, origin):  # else it is refused anyway
            check_reach(origin, options)
        return handle_for(origin, options)

    with pytest.MonkeyPatch.context() as patch:
        here = ((socket.AF_INET, ("127.0.0.1", 9)),)
        patch.setattr(own_network, "SOMEWHERE", here)  # no packet would leave, but no way is sought
        for module in (aio, threads):
            patch.setattr(module, "handle_for", guarded)
        yield
