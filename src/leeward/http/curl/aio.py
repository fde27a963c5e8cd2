"""The transport for asyncio: one multi handle for one event loop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from leeward.errors import ConfigError
from leeward.forking import Forkable, watch
from leeward.http.curl.transport import check_installed
from leeward.http.messages import Failure, Request, Response
from leeward.http.options import TransportOptions

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from leeward.http.curl.easy import Easy
    from leeward.http.curl.multi import End, Multi


class AsyncCurlTransport(Forkable):
    """Sends requests through libcurl, on the event loop that runs when it is made.

    Every method is for the thread of that loop; when the loop has ended, any thread may `close`. A
    task that is cancelled while it waits ends its request, and the connection with it.

    Args:
        options: its settings.

    Raises:
        leeward.ConfigError: no event loop is running, or one that cannot watch sockets; pycurl is
            not installed, or its libcurl is too old.
    """

    def __init__(self, options: TransportOptions) -> None:
        check_installed()
        self._loop = _loop_that_watches()
        from asyncio import get_running_loop

        from leeward.http.curl.easy import Easy
        from leeward.http.curl.handles import CurlError
        from leeward.http.curl.multi import Multi
        from leeward.http.curl.pool import Pool

        self._pool: Pool[Easy] = Pool(options, Easy)
        self._running_loop = get_running_loop
        self._error = CurlError
        self._new_multi = partial(Multi, self._loop, options.max_in_flight)
        self._multi = self._new_multi()
        self._retired: list[Multi] = []
        watch(self)

    async def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and give its answer, within `timeout` seconds."""
        if self._running_loop() is not self._loop:
            raise ConfigError(
                "a transport belongs to the event loop it was made on; make one for each loop"
            )
        ticket = object()
        try:
            easy = self._pool.prepared(ticket, request, timeout)
            return easy if isinstance(easy, Failure) else await self._perform(easy)
        finally:
            self._pool.take_back(ticket)

    async def _perform(self, easy: Easy) -> Response | Failure:
        end = await self._end_of(easy)
        while end is not None and end[0] and easy.prepare_again():
            end = await self._end_of(easy)
        if end is None:
            return easy.closed()
        return easy.failure(end[0], self._error(*end)) if end[0] else easy.answer()

    async def _end_of(self, easy: Easy) -> End:
        multi = self._multi
        try:
            return await multi.perform(easy.handle)
        finally:
            if multi in self._retired and multi.is_idle:
                self._retired.remove(multi)
                multi.close()

    def drop(self, origin: str) -> None:
        """Close every connection to `origin`; those in use when all requests of now are done.

        Idle connections to other origins go as well: libcurl's multi handle keeps all of them, and
        cannot be asked to close one. So another one takes its place.
        """
        if self._multi.is_closed:
            return
        self._pool.drop(origin)
        retired, self._multi = self._multi, self._new_multi()
        if retired.is_idle:
            retired.close()
        else:
            self._retired.append(retired)

    def close(self) -> None:
        """Close every connection and end the requests under way.

        Each of them gets a failure that says whether it may have been sent.
        """
        self._pool.close()
        for each in (self._multi, *self._retired):
            each.close()

    def renew(self, *, held: bool = False) -> None:
        """Leave every connection to the parent of a fork, whose loop this one cannot share."""
        self._pool.renew()
        self._pool.close()
        for each in (self._multi, *self._retired):
            each.renew()


def _loop_that_watches() -> AbstractEventLoop:
    """Return the running loop, if it can tell when a socket is ready."""
    import asyncio
    import socket

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError as error:
        raise ConfigError("no event loop is running; make the transport in a coroutine") from error
    try:
        with socket.socket() as unwatched:
            loop.remove_reader(unwatched)
    except NotImplementedError as error:  # the proactor of Windows
        raise ConfigError(
            f"{type(loop).__name__} cannot watch sockets; "
            "run the program with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)"
        ) from error
    return loop
