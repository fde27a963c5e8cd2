"""A call from its first attempt to its result, with values only."""

from __future__ import annotations

from typing import Any

import pytest

from leeward._routing.attempts import Core
from leeward._routing.commands import Dispatch, Pause, ReadBack
from leeward._routing.execution import Execution, execute
from leeward._routing.health import Health, TargetEvidence
from leeward._routing.targets import Targets
from leeward.calls import Call, Invoke, Key, Load, Result, Store, Stored
from leeward.errors import Outcome
from leeward.values import Effect
from tests.routing.two_in_flight import two_at_once
from tests.scripted import AMBIGUOUS, OK, REJECTED

CALL = Invoke("f", b"{}", "key-1", Effect.IDEMPOTENT)
STORE = Store("t", Key(("id",), ("1",)), {}, "w-1", now=0.0)


def core_of(order: str = "ab") -> Core:
    targets = tuple(order)
    return Core(Health(Targets(targets, home=order[0]), lambda: 0.5))


def send(execution: Execution, *reply: Any) -> Any:
    """Send a reply; return the next commands, or the result if the call has ended."""
    try:
        return execution.send(reply)
    except StopIteration as end:
        return end.value


def test_the_attempts_of_a_call_are_told_in_order() -> None:
    """Pauses count as time, read-backs as attempts of their own."""
    core = core_of()
    execution = execute(core, STORE, 0.0, 15.0)
    (command,) = next(execution)
    (pause,) = send(execution, command, 0.0, 1.0, REJECTED)
    assert pause == Pause(0.05, "a")
    (again,) = send(execution, pause, 1.0, 2.0, None)
    (look_up,) = send(execution, again, 2.0, 3.0, AMBIGUOUS)
    assert isinstance(look_up, ReadBack)
    assert look_up.call == Load("t", STORE.key)
    found = Result.ok(Stored({}, "r-1", "w-1"))
    result = send(execution, look_up, 3.0, 4.0, found)
    assert (result.outcome, result.value, result.resolved) == (Outcome.OK, "r-1", True)
    assert [(each.outcome, each.started, each.read_back) for each in result.attempts] == [
        (Outcome.REJECTED, 0.0, False),
        (Outcome.AMBIGUOUS, 2.0, False),
        (Outcome.OK, 3.0, True),
    ]
    assert core.health.evidence("a", 0.0) == TargetEvidence(3, 2, Outcome.OK)


# Several commands in flight.


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> tuple[Core, Execution, Dispatch, Dispatch]:
    """Return a call with two attempts in flight, at a and at b."""
    two_at_once(monkeypatch)
    core = core_of("abc")
    execution = execute(core, CALL, 0.0, 10.0)
    first, second = next(execution)
    assert isinstance(first, Dispatch)
    assert isinstance(second, Dispatch)
    assert [(each.attempt, each.target) for each in (first, second)] == [(1, "a"), (2, "b")]
    return core, execution, first, second


def test_a_bad_answer_waits_for_the_other_one(
    two: tuple[Core, Execution, Dispatch, Dispatch],
) -> None:
    """Nothing new is sent while an attempt is under way; its success is the call's."""
    _, execution, first, second = two
    assert send(execution, second, 0.0, 1.0, AMBIGUOUS) == ()
    result = send(execution, first, 0.0, 2.0, OK)
    assert (result.outcome, result.target) == (Outcome.OK, "a")
    assert [attempt.target for attempt in result.attempts] == ["b", "a"]


def test_a_call_that_no_one_may_serve_is_refused_before_anything_is_sent() -> None:
    """A table without a home: the first step raises."""
    call: Call = Load("t", STORE.key)
    core = Core(Health(Targets(("a", "b")), lambda: 0.5))
    with pytest.raises(Exception, match="has no home"):
        next(execute(core, call, 0.0, 10.0))
