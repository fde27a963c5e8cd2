"""Many clients that come back at once to a target which has little capacity yet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from leeward._routing.commands import ProbeTarget
from leeward._routing.execution import Execution
from leeward.adapter import Call
from leeward.errors import Outcome
from tests.simulation.baselines import BASELINES
from tests.simulation.cells import (
    BEFORE,
    ORDER,
    PRIMARY,
    Cell,
    router_of,
    schedule_of,
    take_through,
)
from tests.simulation.rows import Row
from tests.simulation.runner import Router
from tests.simulation.scenarios import Setting
from tests.simulation.traffic import Kind, Mix


class Herd:
    """Many clients, each with a router of its own, over the same targets."""

    def __init__(self, name: str, clients: int, seed: str) -> None:
        self._routers = [router_of(name, f"{seed}/{number}") for number in range(clients)]
        self._next = count()
        self._last: Router = self._routers[0]
        self._probes: dict[int, Router] = {}

    def execute(self, call: Call, started: float, timeout: float) -> Execution:
        """Let the next client make the call."""
        router = self._routers[next(self._next) % len(self._routers)]
        result = yield from router.execute(call, started, timeout)
        self._last = router
        return result

    def why(self) -> str:
        """Return what the client of the last call says."""
        return self._last.why()

    def left_to_do(self, now: float) -> tuple[ProbeTarget, ...]:
        """Drop the clients' own probes: these calls may be probes themselves."""
        for router in self._routers[:0]:
            router.left_to_do(now)
        return ()

    def probed(self, probe: ProbeTarget, outcome: Outcome, now: float, fidelity: str) -> None:
        """Never be told of one."""


def herd() -> Iterator[Row]:
    """Measure 200 clients that come back to a primary which is cold."""
    clients, each_rate, cold = 200, 5.0, 300.0
    cell = Cell(
        "herd",
        ("server error",),
        clients * each_rate,
        lasts=20.0,
        after=90.0,
        mix=Mix({Kind.IDEMPOTENT: 1}, {6.0: 1}),
    )
    full = 1.2 * cell.rate
    setting = Setting(
        ORDER,
        {"t": PRIMARY},
        cell.rate,
        schedule_of(cell),
        0.0,
        capacities={PRIMARY: full},
        cold=True,
        mix=cell.mix,
        cold_share=cold / full,
        warm_after=(full - cold) / 20.0,
    )
    peaks, failed, routers = {}, {}, ("leeward", *BASELINES)
    for name in routers:
        router = Herd(name, clients, "herd")
        passage = take_through(setting, cell, 0, name, router=router)
        peaks[name] = passage.peak
        after = passage.between(BEFORE + cell.lasts, 1e9)
        failed[name] = sum(not passage.well[index] for index in after)
    yield Row(
        "herd of 200 clients on a cold primary: peak load over capacity",
        "<= 1.0",
        peaks["leeward"] <= 1.0,
        {name: f"{peaks[name]:.2f}, {failed[name]} failed calls" for name in routers},
        "capacity grows from 30 % of the load by 20 calls/s each second",
    )
