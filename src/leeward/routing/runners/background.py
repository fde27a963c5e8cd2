"""What happens beside the calls: events are told, probes made. Entered only when there is any."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

from leeward.calls import Result
from leeward.errors import Outcome
from leeward.routing.choice import ProbeTarget
from leeward.routing.heartbeat import BeginHeartbeat
from leeward.routing.runners.beats import begin_heartbeat
from leeward.routing.runners.log_listener import write_failure_to_log, write_to_log
from leeward.values import RoutingEvent

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from leeward.routing.runners.prober import Prober
    from leeward.routing.runners.shared import Listener, Shared
    from leeward.routing.runners.snapshot import Snapshot

MOST_THREADS: Final = 256
"""Attempts and probes of one order that are made beside others at once; more have to wait."""

IDLE: Final = 30.0
"""Seconds after which a thread ends that has nothing to do."""

Work: TypeAlias = tuple[Callable[..., object], tuple[object, ...]]


class Threads:
    """Threads that carry out work beside the calls, made when needed; idle ones are used again.

    No process waits for them at its end: what they do, an attempt that was overtaken or a probe,
    may take as long as its own time is, and nobody wants to know any more. One that has been idle
    for `IDLE` seconds ends.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._count = self._free = 0
        self._is_closed = False

    def submit(self, work: Callable[..., object], *arguments: object) -> None:
        """Carry out `work` on a thread; what it returns or raises is of no interest.

        Raises:
            RuntimeError: they are closed, or no thread can be started.
        """
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the order is closed")
            self._free -= 1
            if self._free < 0 and self._count < MOST_THREADS:
                try:
                    threading.Thread(target=self._run, name="leeward-beside", daemon=True).start()
                except RuntimeError:
                    if not self._count:
                        self._free += 1
                        raise
                else:
                    self._count, self._free = self._count + 1, self._free + 1
            self._work.put((work, arguments))

    def close(self) -> None:
        """Begin with nothing more."""
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


class Background:
    """What goes on beside the calls of one order.

    Attributes:
        threads: for attempts and probes.
        prober: probes every target by itself, if that is configured.
        snapshot: what processes tell each other, if that is configured.
    """

    def __init__(self) -> None:
        self.threads = Threads()
        self.prober: Prober | None = None
        self.snapshot: Snapshot | None = None

    def renew(self) -> None:
        """Begin in a child, where the threads of the parent do not run."""
        self.threads = Threads()
        if self.prober is not None:
            self.prober.start()
        if self.snapshot is not None:
            self.snapshot.renew()

    def close(self) -> None:
        """Start nothing more; what is under way ends by itself."""
        if self.prober is not None:
            self.prober.stop()
            self.prober = None  # no child begins it again
        self.threads.close()


def background_of(shared: Shared) -> Background:
    """Return the background of an order, made if there is not one yet."""
    with shared.lock:
        if shared.background is None:
            shared.background = Background()
        return shared.background


def deliver(shared: Shared, loop: AbstractEventLoop | None) -> None:
    """Let the listeners know every event, and start every probe. No lock is held meanwhile.

    A listener that fails changes nothing: what it was told has happened. It is told of in the log.
    """
    while True:
        with shared.lock:
            left, shared.outbox[:] = shared.outbox.copy(), []
        if not left:
            return
        for each in left:
            if isinstance(each, RoutingEvent):
                _tell(shared, each)
            elif isinstance(each, BeginHeartbeat):
                begin_heartbeat(shared, loop)
            else:
                run_beside(shared, make_probe, shared, each)


def run_beside(shared: Shared, work: Callable[..., object], *arguments: object) -> None:
    """Run `work` on a thread; after the order was closed, not at all."""
    with suppress(RuntimeError):
        background_of(shared).threads.submit(work, *arguments)


def _tell(shared: Shared, event: RoutingEvent) -> None:
    for listener in (write_to_log, *shared.listeners):
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - a listener never touches routing
            with suppress(Exception):  # nor does a handler of logs
                _log_once(shared, listener, error)


def _log_once(shared: Shared, listener: Listener, error: Exception) -> None:
    """Log the first failure of a listener: whoever fails is likely to fail with every event."""
    with shared.lock:
        if id(listener) in shared.failed:
            return
        shared.failed.add(id(listener))
    write_failure_to_log(listener, error)


def make_probe(shared: Shared, probe: ProbeTarget) -> None:
    """Ask a driver whether its target works, and let the answer count."""
    from leeward.routing.probing import probed

    driver = shared.drivers[probe.target]
    try:
        result: Result[None] = driver.probe(probe.timeout)
    except Exception as error:  # noqa: BLE001 - an adapter's own mistake proves nothing
        result = Result(Outcome.AMBIGUOUS, cause=error)
    with shared.lock:
        now = shared.clock.monotonic()
        probed(shared.core, probe, result.outcome, now, fidelity=driver.probe_fidelity)
    if shared.outbox:
        shared.deliver()
