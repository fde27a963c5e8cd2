"""A multi handle of libcurl that an event loop drives: sockets and a timer, and no polling.

libcurl says by two callbacks which sockets to watch and when to call it again. The callbacks only
take notes, and the notes are acted upon when libcurl has returned: pycurl prints and swallows the
error that a callback raises, and libcurl must not be called from within one.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from leeward.http.curl.forks import leak
from leeward.http.curl.handles import CurlError
from leeward.http.curl.library import pycurl

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, TimerHandle

End: TypeAlias = tuple[int, str] | None
"""How a transfer ended: libcurl's error code and its words, code 0 for none; None if it was given
up because of `Multi.close`."""

COMPLETE = (0, "")

BROKEN = (int(pycurl.E_ABORTED_BY_CALLBACK), "libcurl's multi handle failed")
"""How every transfer ends when libcurl refuses to go on. This code proves nothing about it."""

IN, OUT = pycurl.POLL_IN, pycurl.POLL_OUT


class Multi:
    """Performs transfers for the tasks of one event loop, and keeps their connections.

    Args:
        loop: the loop, whose thread is the only one to call anything here.
        connections: how many are kept when idle.
    """

    def __init__(self, loop: AbstractEventLoop, connections: int) -> None:
        self._loop = loop
        self._connections = connections
        self._start_empty()

    def _start_empty(self) -> None:
        self._under_way: dict[Any, Future[End]] = {}
        self._watched: dict[int, int] = {}
        self._due: float | None = None
        self._timer: TimerHandle | None = None
        self._sockets: list[tuple[int, int]] = []
        self._waits: list[int] = []
        self._looking_up = False
        self._multi = _multi_handle(self._connections, self._sockets, self._waits)

    async def perform(self, handle: Any) -> End:
        """Perform the transfer of the easy handle `handle`; to cancel this is to end it."""
        if self.is_closed:
            return None
        done: Future[End] = self._loop.create_future()
        self._under_way[handle] = done
        try:
            self._begin(handle)
            return await done
        finally:
            self._give_up(handle)

    def _begin(self, handle: Any) -> None:
        try:
            self._multi.add_handle(handle)
        except CurlError:
            self._start_over()
        else:
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _give_up(self, handle: Any) -> None:
        if self._under_way.pop(handle, None) is not None:
            self._remove(handle)
            self._do_as_noted()

    def _act(self, socket: int, events: int) -> None:
        """Let libcurl go on, because of `events` on `socket` or of the time."""
        try:
            self._multi.socket_action(socket, events)
        except CurlError:
            self._start_over()
        except BaseException:  # Ctrl-C in a callback: pycurl lets this one through
            self._start_over()
            raise
        else:
            self._collect()
            self._do_as_noted()

    def _collect(self) -> None:
        """Wake the tasks whose transfer has ended."""
        _, good, bad = self._multi.info_read()
        for handle in good:
            self._end(handle, COMPLETE)
        for handle, code, words in bad:
            self._end(handle, (code, words))

    def _end(self, handle: Any, end: End) -> None:
        done = self._under_way.pop(handle)
        if end == COMPLETE:
            self._multi.remove_handle(handle)
        else:
            self._remove(handle)
        if not done.done():
            done.set_result(end)

    def _remove(self, handle: Any) -> None:
        """Take back `handle`, whose transfer is not complete."""
        with suppress(CurlError):  # a multi handle that is broken may have never taken it
            self._multi.remove_handle(handle)
        self._looking_up = self._looking_up or handle.getinfo(pycurl.NAMELOOKUP_TIME) == 0

    def _do_as_noted(self) -> None:
        if self._waits:
            wait = self._waits[-1]
            self._waits.clear()
            self._wait(wait)
        if self._sockets:
            noted = self._sockets.copy()
            self._sockets.clear()
            self._watch_all(noted)

    def _wait(self, milliseconds: int) -> None:
        """Call libcurl in so many milliseconds, or not at all if below 0, and forget earlier ones.

        Most are called off or put off, for they are deadlines. So a timer that comes too early
        is left alone; it looks again when it is there.
        """
        if milliseconds < 0:
            self._due = None
            return
        due = self._due = self._loop.time() + milliseconds / 1000
        if self._timer is None or due < self._timer.when():
            self._set_timer(due)

    def _set_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._time_is_up, due)

    def _time_is_up(self, time: float) -> None:
        self._timer = None
        if self._due is not None and self._due > time:
            self._set_timer(self._due)
        elif self._due is not None:
            self._due = None
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _watch_all(self, noted: list[tuple[int, int]]) -> None:
        """Watch the sockets as libcurl has `noted`, in the order of its notes.

        A socket that is to be let alone has been closed since, and its number may stand for another
        one further on. So this is done even if what to watch for will be the same as before.
        """
        wanted = {}
        for what, socket in noted:
            if what == pycurl.POLL_REMOVE:
                self._unwatch(socket, IN | OUT)
            wanted[socket] = what & (IN | OUT)
        for socket, events in wanted.items():
            self._unwatch(socket, ~events)
            self._watch(socket, events)

    def _watch(self, socket: int, events: int) -> None:
        """Watch `socket` for `events`, in addition to what it is watched for."""
        before = self._watched.get(socket, 0)
        if events & ~before & IN:
            self._loop.add_reader(socket, self._act, socket, pycurl.CSELECT_IN)
        if events & ~before & OUT:
            self._loop.add_writer(socket, self._act, socket, pycurl.CSELECT_OUT)
        if events:
            self._watched[socket] = before | events

    def _unwatch(self, socket: int, events: int) -> None:
        """Watch `socket` no more for any of `events`."""
        before = self._watched.pop(socket, 0)
        # A selector that still waits for something else cannot change its mind about a socket
        # that is closed. It forgets it then, which is what is wanted.
        if before & events & IN:
            with suppress(OSError):
                self._loop.remove_reader(socket)
        if before & events & OUT:
            with suppress(OSError):
                self._loop.remove_writer(socket)
        if before & ~events:
            self._watched[socket] = before & ~events

    @property
    def is_idle(self) -> bool:
        """Whether no transfer is under way."""
        return not self._under_way

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._multi is None

    def close(self) -> None:
        """End every transfer and close every connection. Nothing is watched any more."""
        if not self.is_closed:
            self._stop(None)

    def _start_over(self) -> None:
        """Go on with another handle, after libcurl's multi handle has failed."""
        self._stop(BROKEN)
        self._start_empty()

    def _stop(self, end: End) -> None:
        if self._loop.is_closed():
            self._under_way.clear()  # whom it could wake is no more
        for handle in list(self._under_way):
            self._end(handle, end)
        for socket in list(self._watched):
            self._unwatch(socket, IN | OUT)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        multi, self._multi = self._multi, None
        if self._looking_up:
            # A look-up goes on when its transfer has ended, and libcurl waits for it here, which
            # would hold up the loop: CURLMOPT_QUICK_EXIT is not within pycurl's reach.
            threading.Thread(target=multi.close, daemon=True).start()
        else:
            multi.close()

    def renew(self) -> None:
        """Forget everything without closing it, in a child of a fork.

        The loop's own list of sockets is the parent's as well, and is left as it is.
        """
        leak(self._multi)
        for handle in self._under_way:
            leak(handle)
        self._start_empty()


def _multi_handle(connections: int, sockets: list[tuple[int, int]], waits: list[int]) -> Any:
    """Return a new handle that notes what it wants watched, and its waits in milliseconds."""

    def note(what: int, socket: int, _multi: object, _data: object) -> None:
        sockets.append((what, socket))

    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_SOCKETFUNCTION, note)
    multi.setopt(pycurl.M_TIMERFUNCTION, waits.append)
    multi.setopt(pycurl.M_MAXCONNECTS, connections)
    return multi
