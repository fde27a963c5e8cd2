"""What the runners of one order share, and the work beside its calls.

Beside the calls it reports events, makes probes, and keeps the heartbeat: on the event loop of the
calls, else on a thread. The heartbeat must run where the calls wait, because threads do not notice
a blocked loop.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import cycle
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from leeward._routing.attempts import Core
from leeward._routing.circuits import ProbeSchedule
from leeward._routing.commands import BeginHeartbeat, FreePlace, Pause, ProbeTarget
from leeward.adapter import Driver
from leeward.calls import Result
from leeward.clock import Clock, SystemClock
from leeward.errors import Outcome
from leeward.forking import HOLD_SECONDS, Forkable, start_thread, watch
from leeward.logs import failure_facts, log_event, only_watching
from leeward.values import RoutingEvent

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Listener: TypeAlias = Callable[[RoutingEvent], object]
"""Gets each decision of the router, on the thread of the call that caused it."""

MOST_THREADS: Final = 256
"""Attempts and probes of one order at once beside calls; more have to wait."""

IDLE: Final = 30.0  # seconds after which an idle thread ends

Work: TypeAlias = tuple[Callable[..., object], tuple[object, ...]]

LOGGER = "leeward.routing"

Level = Literal["debug", "info", "warning", "error"]

LEVELS: Final[dict[str, Level]] = {
    "opened": "warning",
    "half_open": "info",
    "ramp": "info",
    "closed": "info",
    "retry": "debug",
    "failover": "info",
    "outcome_unknown": "warning",
    "hedged": "debug",
    "key_worth_less": "warning",
    "all_down": "error",
    "isolated": "warning",
    "restored": "info",
}
"""Every event, and how much it matters."""


class Threads:
    """Threads for work beside the calls, started when needed and used again when idle.

    No process waits for them at its end, as it would for an executor's: they make probes, and
    attempts that were overtaken. One that has been idle for `IDLE` seconds ends.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._count = self._free = 0
        self._is_closed = False

    def submit(self, work: Callable[..., object], *arguments: object) -> None:
        """Run `work` on a thread, and ignore its end; raise `RuntimeError` without a thread."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the order is closed")
            self._free -= 1
            if self._free < 0 and self._count < MOST_THREADS:
                thread = threading.Thread(target=self._run, name="leeward-beside", daemon=True)
                if start_thread(thread):
                    self._count, self._free = self._count + 1, self._free + 1
                elif not self._count:
                    self._free += 1
                    raise RuntimeError("can't start new thread")
            self._work.put((work, arguments))

    def close(self) -> None:
        """Start nothing more."""
        with self._lock:
            self._is_closed = True
            with suppress(Empty):
                while True:
                    self._work.get_nowait()
            for _ in range(self._count):
                self._work.put(None)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            work, arguments = job
            with suppress(Exception):
                work(*arguments)
            del job, work, arguments  # an idle thread keeps nothing alive
            with self._lock:
                self._free += 1

    def _next(self) -> Work | None:
        with suppress(Empty):
            return self._work.get(timeout=IDLE)
        with self._lock:
            try:
                return self._work.get_nowait()
            except Empty:
                self._count, self._free = self._count - 1, self._free - 1
                return None


class Companion(Protocol):
    """A configured companion of an order's calls: a prober, or a snapshot."""

    def renew(self) -> None:
        """Start again in a child process, which has none of the parent's threads."""

    def stop(self) -> None:
        """Start nothing more; what is under way ends by itself."""


class Shared(Forkable):
    """The core, and what the runners need to carry out its commands.

    The runners share one object and change it in place while they hold the lock.

    Attributes:
        lock: held while the core decides, which is arithmetic only. A fork waits for it, so that
            what a child inherits is whole. A plain lock, because every call takes it twice.
        parked: the pause of each call that waits for a place, and what wakes it; by its `id`.
        failed: the `id` of each listener whose failure is in the log.
    """

    __slots__ = (
        *("__weakref__", "clock", "companions", "core", "drivers", "failed", "listeners"),
        *("lock", "outbox", "parked", "threads"),
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
        self.threads = Threads()
        self.parked: dict[int, tuple[Pause, Callable[[str], object]]] = {}
        self.companions: list[Companion] = []
        watch(self)

    def deliver(self, loop: AbstractEventLoop | None = None) -> None:
        """Send the events, and start the probes, that the core has left in its outbox.

        The lock is not held; `loop` is the caller's. A listener that fails changes nothing.
        """
        while True:
            with self.lock:
                items = self.outbox.copy()
                self.outbox.clear()
            if not items:
                return
            for item in items:
                if isinstance(item, RoutingEvent):
                    self._tell(item)
                elif isinstance(item, BeginHeartbeat):
                    begin_heartbeat(self, loop)
                elif isinstance(item, FreePlace):
                    self.wake_first(item.target)
                else:
                    self.run_beside(make_probe, self, item)

    def park(self, pause: Pause, wake: Callable[[str], object]) -> None:
        """Call `wake` with the target when an attempt ends where a call waits for a place."""
        with self.lock:
            self.parked[id(pause)] = pause, wake

    def unpark(self, pause: Pause) -> None:
        """Forget a call that has stopped waiting."""
        with self.lock:
            self.parked.pop(id(pause), None)

    def wake_first(self, target: str) -> None:
        """Wake the first of the calls that wait for a place at a target."""
        with self.lock:
            waits = [pause for pause, _ in self.parked.values() if target in pause.places]
            if not waits:
                return
            _, wake = self.parked.pop(id(min(waits, key=lambda pause: pause.number)))
        wake(target)

    def _tell(self, event: RoutingEvent) -> None:
        for listener in (write_to_log, *self.listeners):
            with only_watching(partial(self._log_once, listener)):  # it never touches routing
                listener(event)

    def _log_once(self, listener: Listener, error: Exception) -> None:
        """Log only the first failure of a listener: it is likely to fail with every event."""
        with self.lock:
            if id(listener) in self.failed:
                return
            self.failed.add(id(listener))
        name = getattr(listener, "__qualname__", type(listener).__qualname__)
        facts = failure_facts(error)
        log_event(
            LOGGER, "error", "listener_failed", listener=name, error=type(error).__name__, **facts
        )

    def run_beside(self, work: Callable[..., object], *arguments: object) -> None:
        """Run `work` on a thread, unless the order is closed."""
        with suppress(RuntimeError):
            self.threads.submit(work, *arguments)

    def end(self) -> None:
        """Start nothing more beside the calls; what is under way ends by itself."""
        with self.lock:
            self.core.health.heartbeat.end()
        for companion in self.companions:
            companion.stop()
        self.threads.close()

    def hold(self) -> bool:
        """Acquire the lock before a fork."""
        return self.lock.acquire(timeout=HOLD_SECONDS)

    def release(self) -> None:
        """Release the lock in the parent."""
        self.lock.release()

    def renew(self, *, held: bool) -> None:
        """Start in the child with a free lock, and without the attempts of the parent."""
        del held
        self.lock = threading.Lock()
        self.core.health.begin_in_child()
        self.threads, self.parked = Threads(), {}
        for companion in self.companions:
            companion.renew()


def write_to_log(decision: RoutingEvent) -> None:
    """Log an event: its name and fields.

    If `logging` was never loaded, only warnings and errors are logged.
    """
    level = LEVELS[decision.name]
    if level in ("debug", "info") and "logging" not in sys.modules:
        return
    facts: dict[str, str | float] = {
        name: value
        for name in ("target", "verb", "resource", "reason", "call_id")
        if (value := getattr(decision, name))
    }
    log_event(LOGGER, level, decision.name, **facts, **decision.facts)


def make_probe(shared: Shared, probe: ProbeTarget) -> None:
    """Ask a driver whether its target works, and count the answer."""
    driver = shared.drivers[probe.target]
    if shared.core.health.records[probe.target].isolated:
        return
    try:
        result: Result[None] = driver.probe(probe.timeout)
    except Exception as error:  # noqa: BLE001 - an adapter's own mistake proves nothing
        result = Result(Outcome.AMBIGUOUS, cause=error)
    with shared.lock:
        now, circuits = shared.clock.monotonic(), shared.core.health.circuits
        circuits.take_probe(probe, result.outcome, now, fidelity=driver.probe_fidelity)
    if shared.outbox:
        shared.deliver()


class Prober:
    """Active health checks: one thread probes the targets whose drivers can be probed."""

    def __init__(self, shared: Shared, schedule: ProbeSchedule) -> None:
        self._shared = shared
        self._schedule = schedule
        self.start()

    def start(self) -> None:
        """Begin to probe, on a thread."""
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="leeward-prober", daemon=True).start()

    def renew(self) -> None:
        """Start again in a child process."""
        if not self._stop.is_set():
            self.start()

    def stop(self) -> None:
        """Stop."""
        self._stop.set()

    def _run(self) -> None:
        stop, shared = self._stop, self._shared
        targets = [
            target for target, driver in shared.drivers.items() if driver.probe_fidelity is not None
        ]
        for target in cycle(targets):
            if stop.wait(self._schedule.interval / len(targets)):
                return
            self.look_at(target)

    def look_at(self, target: str) -> None:
        """Probe one target, unless calls have shown just now that it works."""
        shared, schedule, health = self._shared, self._schedule, self._shared.core.health
        with shared.lock:
            is_due = health.circuits.is_check_due(target, shared.clock.monotonic(), schedule)
            is_due = is_due and not health.records[target].isolated
        if not is_due:
            return
        driver = shared.drivers[target]
        try:
            result: Result[None] = driver.probe(health.policy.check_time)
        except Exception as error:  # noqa: BLE001 - an adapter's own mistake proves nothing
            result = Result(Outcome.LOCAL, cause=error)
        with shared.lock:
            health.circuits.take_check(
                target,
                result.outcome,
                shared.clock.monotonic(),
                schedule,
                weak=driver.probe_fidelity != "data_plane",
                seen_at=health.seen_at,
            )
        if shared.outbox:
            shared.deliver()


def begin_heartbeat(shared: Shared, loop: AbstractEventLoop | None) -> None:
    """Start the heartbeat, which ends when the order is closed or idle for a while."""
    if not isinstance(shared.clock, SystemClock):
        return
    with shared.lock:
        number = shared.core.health.heartbeat.begin(time.monotonic())
    if loop is not None:
        _beat_on(loop, shared, number)
        return
    name = "leeward-heartbeat"
    thread = threading.Thread(target=_beat, args=(shared, number), name=name, daemon=True)
    if not start_thread(thread):
        with shared.lock:
            shared.core.health.heartbeat.end()


def _beat(shared: Shared, number: int) -> None:
    pace = shared.core.health.policy.heartbeat_pace
    while _beat_once(shared, number):
        time.sleep(pace)


def _beat_on(loop: AbstractEventLoop, shared: Shared, number: int) -> None:
    if _beat_once(shared, number):
        pace = shared.core.health.policy.heartbeat_pace
        loop.call_later(pace, _beat_on, loop, shared, number)


def _beat_once(shared: Shared, number: int) -> bool:
    """Check for silence once; return whether to continue."""
    with shared.lock:
        health = shared.core.health
        return health.heartbeat.beat(number, time.monotonic(), health.calls)
