"""What the router adds to a call that works at once, beside one call through tenacity."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Any

from tenacity import Retrying, stop_after_attempt

from bench.figures import Figure, compare, measure_in_turn
from leeward._routing import FailoverDriver
from leeward.adapter import Call, Capability, Driver, Invoke, Limits, Result

GATE = 1.5
CALLS = 5_000
TIMEOUT = 10.0


class InstantDriver(Driver):
    """A target that answers every call at once, with the same answer."""

    capabilities = frozenset(Capability)
    limits = Limits()

    def __init__(self, target: str) -> None:
        self.target = target
        self._answer = Result.ok(None)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Return the answer."""
        return self._answer


def _cpu_per_call(call: Callable[[], object]) -> float:
    begun = process_time()
    for _ in range(CALLS):
        call()
    return (process_time() - begun) / CALLS


def measure(rounds: int) -> list[Figure]:
    """Measure the router over two targets, tenacity over one, and the bare target, in turn."""
    call = Invoke("send-receipt", b"{}", "key")
    target = InstantDriver("first")
    router = FailoverDriver([target, InstantDriver("second")])
    retrying = Retrying(stop=stop_after_attempt(3))
    calls = (
        partial(router.perform, call, TIMEOUT),
        partial(retrying, target.perform, call, TIMEOUT),
        partial(target.perform, call, TIMEOUT),
    )
    ours, theirs, bare = measure_in_turn([partial(_cpu_per_call, each) for each in calls], rounds)
    return [
        compare(
            "a call over two targets",
            ours,
            theirs,
            gate=GATE,
            yardstick="tenacity",
            floor=("the target alone", bare),
        )
    ]
