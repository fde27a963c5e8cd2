"""Connections made on an event loop: libcurl's multi handle, with sockets and a timer, no polling.

libcurl says by two callbacks which sockets to watch and when to call it again. The callbacks only
take notes, and the notes are acted upon when libcurl has returned: pycurl prints and swallows the
error that a callback raises, and libcurl must not be called from within one.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward._http.libcurl import CurlError, leak, pycurl

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, TimerHandle

End: TypeAlias = tuple[int, str] | None
"""How connecting ended: libcurl's error code and its words, code 0 for none; None if it was given
up by `Connector.end` or `close`."""

CONNECTED: Final = (0, "")

_BROKEN: Final = (int(pycurl.E_ABORTED_BY_CALLBACK), "libcurl's multi handle failed")
"""How everything ends when libcurl refuses to continue."""

_IN, _OUT = pycurl.POLL_IN, pycurl.POLL_OUT


class Connector:
    """Lets easy handles connect that do no more than that (`CONNECT_ONLY`).

    One that is connected stays in the multi handle until it is removed: it could neither send nor
    receive elsewhere. They share the certificates that libcurl has read, which are most of what a
    handshake costs.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._is_looking_up = False
        self._start_empty()

    def _start_empty(self) -> None:
        self._connecting: dict[Any, Future[End]] = {}
        self._homes: dict[Any, Any] = {}
        self._watched: dict[int, int] = {}
        self._due: float | None = None
        self._timer: TimerHandle | None = None
        self._renew_multi()

    def _renew_multi(self) -> None:
        self._sockets: list[tuple[int, int]] = []
        self._waits: list[int] = []
        self._multi = _multi_handle(self._sockets, self._waits)

    async def connect(self, handle: Any) -> End:
        """Connect `handle`; to cancel this is to end it."""
        if self._multi is None:
            return None
        done: Future[End] = self._loop.create_future()
        self._connecting[handle] = done
        try:
            self._begin(handle)
            return await done
        finally:
            if self._connecting.pop(handle, None) is not None:
                self.remove(handle)

    def _begin(self, handle: Any) -> None:
        self._homes[handle] = self._multi
        try:
            self._multi.add_handle(handle)
        except CurlError:
            self._start_over()
        else:
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def end(self, handle: Any) -> bool:
        """End the connecting of `handle`, if that is under way; return whether it was."""
        is_connecting = handle in self._connecting
        if is_connecting:
            self._end(handle, None)
        return is_connecting

    def remove(self, handle: Any) -> None:
        """Remove `handle`; its connection is closed."""
        home = self._homes.pop(handle, None)
        if home is None:
            return
        # A multi handle that is broken may have never taken it; at exit, it may be freed already.
        with suppress(CurlError):
            home.remove_handle(handle)
            self._is_looking_up |= handle.getinfo(pycurl.NAMELOOKUP_TIME) == 0
        self._do_as_noted()

    def _act(self, socket: int, events: int) -> None:
        """Run libcurl, because of `events` on `socket` or of the time."""
        try:
            self._multi.socket_action(socket, events)
        except CurlError:
            self._start_over()
        except BaseException:  # Ctrl-C in a callback: pycurl lets this one through
            self._start_over()
            raise
        else:
            self._do_as_noted()
            self._collect()

    def _collect(self) -> None:
        """Wake the tasks whose connection has come about, or has failed."""
        _, good, bad = self._multi.info_read()
        for handle in good:
            self._end(handle, CONNECTED)
        for handle, code, words in bad:
            self._end(handle, (code, words))

    def _end(self, handle: Any, end: End) -> None:
        done = self._connecting.pop(handle)
        if end != CONNECTED:
            self.remove(handle)
        if not done.done() and not self._loop.is_closed():
            done.set_result(end)

    def _start_over(self) -> None:
        """Continue with a new multi handle, after this one has failed.

        What is connected stays with the old one, which is freed with the last of it.
        """
        self._unwatch_all()
        self._renew_multi()
        for handle in list(self._connecting):
            self._end(handle, _BROKEN)

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
                self._unwatch(socket, _IN | _OUT)
            wanted[socket] = what & (_IN | _OUT)
        for socket, events in wanted.items():
            self._unwatch(socket, ~events)
            self._watch(socket, events)

    def _watch(self, socket: int, events: int) -> None:
        """Watch `socket` for `events`, in addition to what it is watched for."""
        before = self._watched.get(socket, 0)
        if events & ~before & _IN:
            self._loop.add_reader(socket, self._act, socket, pycurl.CSELECT_IN)
        if events & ~before & _OUT:
            self._loop.add_writer(socket, self._act, socket, pycurl.CSELECT_OUT)
        if events:
            self._watched[socket] = before | events

    def _unwatch(self, socket: int, events: int) -> None:
        """Watch `socket` no more for any of `events`."""
        before = self._watched.pop(socket, 0)
        # A selector that still waits for something else cannot change its mind about a socket
        # that is closed. It forgets it then, which is what is wanted.
        if before & events & _IN:
            with suppress(OSError):
                self._loop.remove_reader(socket)
        if before & events & _OUT:
            with suppress(OSError):
                self._loop.remove_writer(socket)
        if before & ~events:
            self._watched[socket] = before & ~events

    def _unwatch_all(self) -> None:
        for socket in list(self._watched):
            self._unwatch(socket, _IN | _OUT)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due = None

    def close(self) -> None:
        """End everything; the connections have been closed before. Nothing is watched any more."""
        if self._multi is None:
            return
        for handle in list(self._connecting):
            self._end(handle, None)
        self._unwatch_all()
        multi, self._multi = self._multi, None
        if self._is_looking_up:
            # A look-up goes on when its connecting has ended, and libcurl waits for it here, which
            # would hold up the loop: CURLMOPT_QUICK_EXIT is not within pycurl's reach.
            threading.Thread(target=multi.close, daemon=True).start()
        else:
            multi.close()

    def abandon(self) -> None:
        """Forget everything without closing it, in a child of a fork.

        The loop's own list of sockets is the parent's as well, and is left as it is.
        """
        leak(self._multi)
        for handle, home in self._homes.items():
            leak(handle)
            leak(home)
        self._start_empty()


def _multi_handle(sockets: list[tuple[int, int]], waits: list[int]) -> Any:
    """Return a new handle that notes what it wants watched, and its waits in milliseconds."""

    def note(what: int, socket: int, _multi: object, _data: object) -> None:
        sockets.append((what, socket))

    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_SOCKETFUNCTION, note)
    multi.setopt(pycurl.M_TIMERFUNCTION, waits.append)
    return multi
