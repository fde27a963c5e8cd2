"""What the runners of one order share, threads and event loops alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from leeward.adapter import Driver
from leeward.clock import Clock, SystemClock
from leeward.forking import HOLD_SECONDS, Forkable, watch
from leeward.routing.call import Core
from leeward.values import RoutingEvent

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from leeward.routing.runners.background import Background

Listener: TypeAlias = Callable[[RoutingEvent], object]
"""Is told of what the router decides, on the thread of the call that brought it about."""


class Shared(Forkable):
    """The core, and what its commands are carried out with.

    Attributes:
        core: decides.
        drivers: target to its driver.
        clock: tells the time, and waits.
        lock: held while the core decides, which is arithmetic only. A fork waits for it, so that
            what a child inherits is whole. A plain lock, because every call takes it twice.
        outbox: what the core has left to be done once the lock is released.
        listeners: told of events; none ever goes.
        failed: the `id` of each that has failed, and is in the log.
        background: makes probes, and reads and writes what is shared with others; made when first
            needed.
    """

    __slots__ = (
        *("__weakref__", "background", "clock", "core", "drivers"),
        *("failed", "listeners", "lock", "outbox"),
    )

    def __init__(
        self, core: Core, drivers: Mapping[str, Driver], clock: Clock | None = None
    ) -> None:
        self.core = core
        self.drivers = drivers
        self.clock: Clock = clock or SystemClock()
        self.lock = threading.Lock()
        self.outbox = core.health.outbox
        self.listeners: list[Listener] = []
        self.failed: set[int] = set()
        self.background: Background | None = None
        watch(self)

    def deliver(self, loop: AbstractEventLoop | None = None) -> None:
        """Do what the core has left to be done. The lock is not held; `loop` is the caller's."""
        from leeward.routing.runners.background import deliver

        deliver(self, loop)

    def end(self) -> None:
        """Begin with nothing more beside the calls; what is under way ends by itself."""
        with self.lock:
            self.core.health.heartbeat.end()
        if self.background is not None:
            self.background.close()

    def hold(self) -> bool:
        """Take the lock before a fork."""
        return self.lock.acquire(timeout=HOLD_SECONDS)

    def release(self) -> None:
        """Go on in the parent."""
        self.lock.release()

    def renew(self, *, held: bool) -> None:
        """Begin in the child with a free lock, and without what only the parent has in flight."""
        del held
        self.lock = threading.Lock()
        self.core.health.begin_in_child()
        if self.background is not None:
            self.background.renew()
