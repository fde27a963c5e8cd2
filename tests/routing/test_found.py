"""What the simulation and its reading found in the routing, each as the smallest case."""

from __future__ import annotations

from typing import Any

from leeward.driver import Publish, Result
from leeward.errors import Outcome
from leeward.routing import FailoverDriver
from leeward.testing import FakeClock
from leeward.values import Event
from tests.scripted import Scripted

ONE = Event("t", id="1", source="s")
TWO = Event("t", id="2", source="s")


def answer(*entries: Result[Any]) -> Result[Any]:
    return Result.ok(entries)


def test_each_event_of_a_batch_keeps_its_own_error() -> None:
    """Two events refused for different reasons are not both given the first one's reason."""
    large: Result[None] = Result(Outcome.CALLER, code="too_large")
    wrong: Result[None] = Result(Outcome.CALLER, code="bad_source")
    router = FailoverDriver([Scripted("a", answer(large, wrong))], clock=FakeClock())
    result = router.publish(Publish("bus", (ONE, TWO)), 10.0)
    entries = result.value or (result, result)
    assert [entry.code for entry in entries] == ["too_large", "bad_source"]


def test_an_unknown_event_names_the_target_that_its_error_is_from() -> None:
    """Code and target of what is reported belong to one and the same attempt."""
    a = Scripted("a", Result(Outcome.AMBIGUOUS, code="from a"), Result(Outcome.NOT_SENT))
    b = Scripted("b", Result(Outcome.AMBIGUOUS, code="from b"))
    result = FailoverDriver([a, b], clock=FakeClock()).publish(Publish("bus", (ONE,)), 10.0)
    assert (result.outcome, result.code) == (Outcome.AMBIGUOUS, f"from {result.target}")
