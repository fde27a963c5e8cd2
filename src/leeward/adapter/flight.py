"""One fetch under way, for which any number of threads and tasks may wait ("single flight")."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

FLIGHT_SECONDS = 30.0
"""What a source may take for one fetch, whoever waits for it. One that takes longer is given up."""


class Flight:
    """One fetch under way, for which any number of threads and tasks may wait."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._began = monotonic()
        self._answer: Any = None
        self._landed = threading.Event()
        self._wakers: list[Callable[[], object]] = []

    def is_under_way(self) -> bool:
        """Return whether it is worth waiting for.

        After a fork the child finds the flights of its parent, and not the threads that would land
        them; and a thread that hangs in a vendor's library cannot be ended, only be given up.
        """
        return self._process == os.getpid() and monotonic() - self._began < FLIGHT_SECONDS

    def land(self, answer: Any) -> None:
        """Hand `answer` to all who wait: first to threads, then to the event loops' tasks."""
        self._answer = answer
        self._landed.set()
        for wake in self._wakers:
            wake()

    def wait(self, timeout: float) -> Any:
        """Return the answer.

        Raises:
            TimeoutError: it has not come within `timeout` seconds.
        """
        if not self._landed.wait(timeout):
            raise TimeoutError
        return self._answer

    async def wait_async(self, timeout: float) -> Any:
        """Do the same without blocking the event loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:  # the loop was closed, so nobody waits any more
                return

        # The order matters. `land` sets the event and then walks through the list: whoever is not
        # on the list by then finds the event set on the next line.
        self._wakers.append(wake)
        if not self._landed.is_set():
            await asyncio.wait_for(woken.wait(), timeout)
        return self._answer
