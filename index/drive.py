"""Run the program of one SDK in its own environment, and write what became of its call, as JSON.

python drive.py ORDER RESULT

Every name leads to one port of loopback, whose certificates are trusted. Waits between tries pass
at once, and where nothing comes a time limit is shorter than the one that was set; the clocks go as
if they were not. This file needs the standard library and `leeward_ran` alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import leeward_ran

NAP: Final = 0.02
"""Seconds that a wait between tries takes here."""


class World:
    """What a program meets: names, certificates, clocks and time limits.

    Attributes:
        lookups: how often a name was looked up, which a client does for each connection.
        limit: seconds of the time limit that was set last; None if there is none.
    """

    def __init__(self, port: int, authority: str, cap: float) -> None:
        """Make a world.

        Args:
            port: of loopback, to which every name leads.
            authority: the file of a certificate that is trusted; empty for none.
            cap: seconds that a time limit has at most; 0 for its own.
        """
        self.lookups = 0
        self.limit: float | None = None
        self._port, self._authority, self._cap = port, authority, cap
        self._ahead, self._wait = 0.0, (0.0, 0.0)
        self._monotonic, self._sleep = time.monotonic, time.sleep

    def enter(self) -> None:
        """Put this world in the place of the real one, for the rest of the process."""
        self._replace(socket, "getaddrinfo", self._look_up)
        connect = asyncio.selector_events.BaseSelectorEventLoop.sock_connect
        self._replace(
            asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", self._connect(connect)
        )
        self._replace(time, "sleep", self._nap)
        self._replace(time, "time", self._clock(time.time))
        self._replace(time, "monotonic", self._clock(time.monotonic))
        self._replace(asyncio, "sleep", _nap_in_loop(asyncio.sleep))
        if self._authority:
            add = ssl.SSLContext.load_verify_locations
            for name in ("load_verify_locations", "load_default_certs"):
                original = getattr(ssl.SSLContext, name)
                self._replace(ssl.SSLContext, name, _trust(original, add, self._authority))
        if self._cap:
            limit, call_at = socket.socket.settimeout, asyncio.BaseEventLoop.call_at
            self._replace(socket.socket, "settimeout", self._settimeout(limit))
            self._replace(asyncio.BaseEventLoop, "call_at", self._call_at(call_at))

    def _replace(self, owner: object, name: str, value: object) -> None:
        patch.object(owner, name, value).start()

    def _look_up(self, _host: object, _port: object, *_: object, **__: object) -> list[Any]:
        self.lookups += 1
        address = ("127.0.0.1", self._port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    def _connect(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return what connects to the port, for clients that look up a name without one."""
        return lambda loop, sock, address: original(loop, sock, ("127.0.0.1", self._port))

    def _nap(self, seconds: float) -> None:
        self._sleep(min(seconds, NAP))
        self._ahead += max(seconds - NAP, 0)

    def _clock(self, read: Callable[[], float]) -> Callable[[], float]:
        """Return a clock that is ahead by the waits that were cut short."""

        def read_ahead() -> float:
            start, seconds = self._wait
            if seconds and self._monotonic() - start >= self._cap:
                self._ahead += seconds - self._cap
                self._wait = (0.0, 0.0)
            return read() + self._ahead

        return read_ahead

    def _settimeout(self, original: Callable[..., None]) -> Callable[..., None]:
        def settimeout(sock: socket.socket, seconds: float | None) -> None:
            if seconds == 0:
                return original(sock, 0)
            if seconds == self._cap:  # of a socket that TLS has copied
                return original(sock, seconds)
            self.limit = seconds
            is_longer = seconds is not None and seconds > self._cap
            self._wait = (self._monotonic(), seconds or 0.0) if is_longer else (0.0, 0.0)
            return original(sock, self._cap if is_longer else seconds)

        return settimeout

    def _call_at(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call_at(loop: Any, when: float, *args: Any, **options: Any) -> Any:
            left = when - loop.time()
            if left > self._cap:
                self.limit = max(left, self.limit or 0)
            return original(loop, min(when, loop.time() + self._cap), *args, **options)

        return call_at


def _nap_in_loop(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    return lambda seconds, *result: original(min(seconds, NAP), *result)


def _trust(
    original: Callable[..., Any], add: Callable[..., Any], authority: str
) -> Callable[..., Any]:
    def load(context: ssl.SSLContext, *args: Any, **options: Any) -> Any:
        original(context, *args, **options)
        return add(context, authority)

    return load


def run(program: str, world: World) -> dict[str, Any]:
    """Run a program; return what it raised and what `leeward_ran` says of that."""
    raised, evidence = "", leeward_ran.Evidence("maybe", "")
    try:
        exec(compile(program, "program.py", "exec"), {"__name__": "__main__"})
    except Exception as error:  # noqa: BLE001
        raised = f"{type(error).__module__}.{type(error).__qualname__}"
        evidence = leeward_ran.find_evidence(error)
    limit = None if world.limit is None else round(world.limit, 1)
    return {"raised": raised, "ran": evidence.ran, "why": evidence.why} | {
        "limit": limit,
        "lookups": world.lookups,
    }


def main() -> None:
    """Read an order, run its program, and write the result."""
    given, written = (Path(name) for name in sys.argv[1:])
    order = json.loads(given.read_text(encoding="utf-8"))
    world = World(order["port"], order["authority"], order["cap"])
    world.enter()
    result = run(order["program"], world)
    result["version"] = metadata.version(order["package"])
    written.write_text(json.dumps(result), encoding="utf-8")
    os._exit(0)  # threads of the SDK may wait


if __name__ == "__main__":
    main()
