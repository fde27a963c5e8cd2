"""Where coroutines of handlers run: one event loop on a thread of its own, for all of them.

A platform calls handlers on threads. A loop for each call would end with the call, and with it
every connection that a handler keeps; so there is one for the process. It is made at the first
coroutine: a program of plain functions loads no asyncio.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from leeward.forking import Forkable, ForkLock, watch

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class _Loop(Forkable):
    """The loop of this process; a child of a fork begins without one."""

    def __init__(self) -> None:
        self._loop: AbstractEventLoop | None = None
        self._lock = ForkLock()
        watch(self)

    def running(self) -> AbstractEventLoop:
        """Return the loop; start it if it does not run yet."""
        from asyncio import new_event_loop

        with self._lock:
            if self._loop is None:
                loop = new_event_loop()
                Thread(target=_run, args=(loop,), name="leeward-handlers", daemon=True).start()
                self._loop = loop  # not where the process may have no further thread
            return self._loop

    def renew(self, *, held: bool) -> None:
        """Forget the parent's loop; for the child of a fork."""
        del held
        self._loop = None


def _run(loop: AbstractEventLoop) -> None:
    """Run the loop for good: a task that raises SystemExit, or stops it, ends only itself."""
    while not loop.is_closed():
        with suppress(BaseException):
            loop.run_forever()


_loop = _Loop()


def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Run what a handler has returned on the loop, and wait for it; context variables go along."""
    from asyncio import run_coroutine_threadsafe

    async def awaited() -> Any:
        return await awaitable

    return run_coroutine_threadsafe(awaited(), _loop.running()).result()
