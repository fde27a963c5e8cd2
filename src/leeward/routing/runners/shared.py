"""What the runners of one order share, threads and event loops alike."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from leeward.adapter import Driver
from leeward.clock import Clock, SystemClock
from leeward.forking import HOLD_SECONDS, Forkable, watch
from leeward.routing.execution import Core


class Shared(Forkable):
    """The core, and what its commands are carried out with.

    Attributes:
        core: decides.
        drivers: target to its driver.
        clock: tells the time, and waits.
        lock: held while the core decides, which is arithmetic only. A fork waits for it, so that
            what a child inherits is whole. A plain lock, because every call takes it twice.
    """

    __slots__ = ("__weakref__", "clock", "core", "drivers", "lock")

    def __init__(
        self, core: Core, drivers: Mapping[str, Driver], clock: Clock | None = None
    ) -> None:
        self.core = core
        self.drivers = drivers
        self.clock: Clock = clock or SystemClock()
        self.lock = threading.Lock()
        watch(self)

    def hold(self) -> bool:
        """Take the lock before a fork."""
        return self.lock.acquire(timeout=HOLD_SECONDS)

    def release(self) -> None:
        """Go on in the parent."""
        self.lock.release()

    def renew(self, *, held: bool) -> None:
        """Begin with a free lock in the child."""
        del held
        self.lock = threading.Lock()
