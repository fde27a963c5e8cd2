"""The event loop on which the coroutines of handlers run."""

from __future__ import annotations

from collections.abc import Awaitable
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from leeward.forking import Forkable, ForkLock, watch
from leeward.logs import failure_facts, log_event
from leeward.text import class_name

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

LOGGER = "leeward.app"

RESTART_PAUSE: Final = 0.01
"""Seconds before a loop that something has ended runs again, so that it never spins."""


class HandlerLoop(Forkable):
    """The event loop of this process, for the coroutines of handlers, on a thread of its own.

    A platform calls handlers on threads. A loop for each call would end with the call, and with it
    every connection that a handler keeps; so there is one for the process. It is made at the first
    coroutine: a program of plain functions loads no asyncio. A child of a fork begins without one.
    """

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
                try:
                    Thread(target=_run, args=(loop,), name="leeward-handlers", daemon=True).start()
                except BaseException:  # the process may have no further thread
                    loop.close()
                    raise
                self._loop = loop
            return self._loop

    def renew(self, *, held: bool) -> None:
        """Forget the parent's loop; for the child of a fork."""
        del held
        self._loop = None


def _run(loop: AbstractEventLoop) -> None:
    """Run the loop for good: a task that raises SystemExit, or stops it, ends only itself."""
    while not loop.is_closed():
        try:
            loop.run_forever()
        except BaseException as error:  # noqa: BLE001 - the task has it; here it would end all others
            facts = failure_facts(error)
            log_event(LOGGER, "warning", "loop_restarted", error=class_name(error), **facts)
            sleep(RESTART_PAUSE)


_of_process: Final[dict[str, HandlerLoop]] = {}
"""The loop, under one name: made by whoever needs it first."""


def run_on_loop(awaitable: Awaitable[Any]) -> Any:
    """Run what a handler has returned on the loop, and wait for it; context variables go along."""
    from asyncio import run_coroutine_threadsafe

    async def wait() -> Any:
        return await awaitable

    handler_loop = _of_process.get("loop") or _of_process.setdefault("loop", HandlerLoop())
    return run_coroutine_threadsafe(wait(), handler_loop.running()).result()
