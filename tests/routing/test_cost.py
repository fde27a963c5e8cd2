"""What a call costs that ends well at once, in Python calls: no machine's load changes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leeward._routing import FailoverDriver
from leeward.calls import Call, Delete, Invoke, Key, Load, Publish, Result, Store
from leeward.values import Effect, Event
from tests.profiling import functions_entered
from tests.scripted import OK, UNUSABLE, Scripted

KEY = Key(("id",), ("1",))
INVOKE = Invoke("f", b"{}", "key-1")
ONE_EVENT = Publish("bus", (Event("t", id="1", source="s"),))
COSTS = [
    (INVOKE, OK, 15),
    (INVOKE._replace(effect=Effect.IDEMPOTENT), OK, 15),
    (Store("t", KEY, {"id": "1"}, "w-1", now=1000.0), Result.ok("r-1"), 16),
    (Load("t", KEY), OK, 16),
    (Delete("t", KEY, 0.0), OK, 16),
    (ONE_EVENT, Result.ok((OK,)), 22),
]


class Instant(Scripted):
    """A driver that has its answer ready, and can be awaited without waiting."""

    def __init__(self, target: str, answer: Result[Any]) -> None:
        super().__init__(target)
        self.answer = answer

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        return self.answer

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        return self.answer


def python_calls(work: Callable[[], object]) -> list[str]:
    """List the Python functions that `work` enters, but for those of the driver and its kit."""
    return [
        code.co_name
        for code in functions_entered(work)
        if "/leeward/adapter/" not in code.co_filename and code.co_filename != __file__
    ]


@pytest.mark.parametrize(("call", "answer", "most"), COSTS)
def test_the_router_stays_out_of_the_way(call: Call, answer: Result[Any], most: int) -> None:
    """From the router's `perform` to the driver's and back, the attempt's record included."""
    router = FailoverDriver([Instant("a", answer), Scripted("b")], home="a")
    router.perform(call, 10.0)  # the first of its kind makes the circuits
    entered = python_calls(lambda: router.perform(call, 10.0))
    assert entered[:2] == ["perform", "execute"]
    assert len(entered) <= most, entered


def test_a_target_that_is_out_makes_calls_hardly_dearer() -> None:
    """They pass by its open circuit; what has failed there and went well elsewhere is no work."""
    router = FailoverDriver([Scripted("a", UNUSABLE), Instant("b", OK), Scripted("c")])
    assert router.perform(INVOKE, 10.0).target == "b"
    assert router.evidence("a").state == "open"
    router.perform(INVOKE, 10.0)
    entered = python_calls(lambda: router.perform(INVOKE, 10.0))
    assert len(entered) <= 24, entered


@pytest.mark.parametrize(("call", "answer", "most"), COSTS)
def test_awaiting_it_costs_no_more(call: Call, answer: Result[Any], most: int) -> None:
    """The runner for event loops takes the same steps as the one for threads."""
    router = FailoverDriver([Instant("a", answer), Scripted("b")], home="a")

    def work() -> None:
        with pytest.raises(StopIteration):
            router.perform_async(call, 10.0).send(None)

    work()
    entered = python_calls(work)
    ours = entered[entered.index("perform_async") : entered.index("__exit__")]
    assert len(ours) <= most, ours
