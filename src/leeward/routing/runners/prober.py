"""Active health checks: one thread of a process probes every target of an order, now and then."""

from __future__ import annotations

import threading
from itertools import cycle
from typing import TYPE_CHECKING

from leeward.calls import Result
from leeward.errors import Outcome
from leeward.routing.probing import HealthChecks, checked, is_due

if TYPE_CHECKING:
    from leeward.routing.runners.shared import Shared


class Prober:
    """Probes the targets whose drivers can, each once in an interval.

    Args:
        shared: what the runners of the order share.
        checks: how often, and how many probes decide.
    """

    def __init__(self, shared: Shared, checks: HealthChecks) -> None:
        self._shared = shared
        self._checks = checks
        self.start()

    def start(self) -> None:
        """Begin; in a child process anew."""
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="leeward-prober", daemon=True).start()

    def stop(self) -> None:
        """Probe no more."""
        self._stopped.set()

    def _run(self) -> None:
        stopped, shared = self._stopped, self._shared
        targets = [
            target for target, driver in shared.drivers.items() if driver.probe_fidelity is not None
        ]
        for target in cycle(targets):
            if stopped.wait(self._checks.interval / len(targets)):
                return
            self.look_at(target)

    def look_at(self, target: str) -> None:
        """Probe one target, unless calls have shown just now that it works."""
        shared, checks = self._shared, self._checks
        with shared.lock:
            due = is_due(shared.core.health, target, shared.clock.monotonic(), checks)
        if not due:
            return
        driver = shared.drivers[target]
        try:
            result: Result[None] = driver.probe(shared.core.health.policy.check_time)
        except Exception as error:  # noqa: BLE001 - an adapter's own mistake proves nothing
            result = Result(Outcome.LOCAL, cause=error)
        with shared.lock:
            now = shared.clock.monotonic()
            weak = driver.probe_fidelity != "data_plane"
            checked(shared.core.health, target, result.outcome, now, checks, weak=weak)
        if shared.outbox:
            shared.deliver()
