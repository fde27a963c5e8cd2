"""The floor under asyncio: libcurl's multi handle on an event loop, with nothing around it."""

from __future__ import annotations

import asyncio
from typing import Any

import pycurl  # type: ignore[import-untyped]

from bench.bare import Wanted, handle_for, send


class BareLoop:
    """Sends one request on many handles at once, on the loop that runs when it is made."""

    def __init__(self, url: str, wanted: Wanted, ca_file: str, width: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._wanted = wanted
        self._handles = [handle_for(url, wanted, ca_file) for _ in range(width)]
        self._under_way: dict[Any, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._multi: Any = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wait)

    async def run(self, calls: int) -> None:
        """Send the request `calls` times in all, spread over the handles."""
        each = calls // len(self._handles)
        await asyncio.gather(*(self._send(handle, each) for handle in self._handles))

    async def _send(self, handle: Any, calls: int) -> None:
        for _ in range(calls):
            answer = send(handle, self._wanted)
            done = self._under_way[handle] = self._loop.create_future()
            self._multi.add_handle(handle)
            await done
            answer.getvalue()

    def _watch(self, what: int, socket: int, *_rest: object) -> None:
        self._loop.remove_reader(socket)
        self._loop.remove_writer(socket)
        if what != pycurl.POLL_REMOVE and what & pycurl.POLL_IN:
            self._loop.add_reader(socket, self._act, socket, pycurl.CSELECT_IN)
        if what != pycurl.POLL_REMOVE and what & pycurl.POLL_OUT:
            self._loop.add_writer(socket, self._act, socket, pycurl.CSELECT_OUT)

    def _wait(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds >= 0:
            again = pycurl.SOCKET_TIMEOUT, 0
            self._timer = self._loop.call_later(milliseconds / 1000, self._act, *again)

    def _act(self, socket: int, events: int) -> None:
        self._multi.socket_action(socket, events)
        for handle in self._multi.info_read()[1]:
            self._multi.remove_handle(handle)
            self._under_way.pop(handle).set_result(None)

    def close(self) -> None:
        """Close every connection."""
        self._multi.close()
        for handle in self._handles:
            handle.close()
