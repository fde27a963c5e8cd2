"""What happens beside the calls: events are told, probes made. Entered only when there is any."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from leeward.adapter import Result
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


class Background:
    """The threads of one order, made when the first is needed; idle ones are used again.

    Attributes:
        threads: for attempts and probes.
        prober: probes every target by itself, if that is configured.
        snapshot: what processes tell each other, if that is configured.
    """

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(MOST_THREADS, "leeward-beside")
        self.prober: Prober | None = None
        self.snapshot: Snapshot | None = None

    def renew(self) -> None:
        """Begin in a child, where the threads of the parent do not run."""
        self.threads = ThreadPoolExecutor(MOST_THREADS, "leeward-beside")
        if self.prober is not None:
            self.prober.start()
        if self.snapshot is not None:
            self.snapshot.renew()

    def close(self) -> None:
        """Start nothing more; what is under way ends by itself."""
        if self.prober is not None:
            self.prober.stop()
            self.prober = None  # no child begins it again
        self.threads.shutdown(wait=False, cancel_futures=True)


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
