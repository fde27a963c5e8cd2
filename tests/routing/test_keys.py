"""What an idempotent function says of a key, and what the router makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from leeward import Client, Config, FunctionError, InvalidRequest, OutcomeUnknown
from leeward._routing.attempts import Core
from leeward._routing.commands import Pause
from leeward._routing.execution import execute
from leeward._routing.health import Health
from leeward._routing.outcomes import MOST_KEYS
from leeward._routing.policy import DEFAULT
from leeward._routing.targets import Targets
from leeward.adapter import FunctionFault, Invoke, Key, Load, Result
from leeward.config import FunctionConfig
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward.values import Effect, RoutingEvent
from leeward_contract_tests.rows import each_row
from tests.scripted import AMBIGUOUS, APP_ERROR, OK, Scripted

ONE = Invoke("f", b"{}", "key-1", Effect.KEYED)
SHARED = ONE._replace(shared_dedup=True)


def refused(reason: str, retry_after: float | None = None, dedup: str = "target") -> Result[Any]:
    """Make what a driver returns for the refusal of a repeat."""
    return Result(
        Outcome.AMBIGUOUS,
        reason=reason,
        retry_after=retry_after,
        executed=True if reason == "not_kept" else None,
        fault=FunctionFault("RepeatRefused", "an earlier call"),
        dedup=dedup,
    )


def said(dedup: str) -> Result[Any]:
    """Make a success that says what a key is worth."""
    return Result.ok(1, dedup=dedup)


def config(*, shared: bool) -> Config:
    return Config(functions={"f": FunctionConfig(Effect.KEYED, shared)})


def test_a_run_that_is_under_way_is_waited_for() -> None:
    """As long as the function says, with a little more, and as often as it takes."""
    a, b, clock = Scripted("a", *[refused("running", 2.0)] * 8), Scripted("b"), FakeClock()
    began = clock.monotonic()
    with Client([a, b], config=config(shared=False), clock=clock) as client:
        result = client.invoke("f", 1)
        assert len(a.calls) == len(result.attempts) == 9 > DEFAULT.max_attempts
        assert 8 * 2.0 <= clock.monotonic() - began <= 8 * 2.0 * 1.25
        assert b.calls == []
        status = client.targets()[0]
    assert (status.failures, status.circuits) == (0, ())


def test_shortly_before_the_deadline_it_is_asked_once_more() -> None:
    """Then nobody knows; whoever calls again with the key gets the result, or hears more."""
    a, clock = Scripted("a", *[refused("running", 5.0)] * 99), FakeClock()
    began = clock.monotonic()
    with Client(a, config=config(shared=False), clock=clock) as client:
        with pytest.raises(OutcomeUnknown) as raised:
            client.invoke("f", 1, idempotency_key="k", timeout=12.0)
        number = raised.value.attempts[-1].call_id
        assert "still ran, and too little time was left" in client.explain(number)
    assert 11.0 < clock.monotonic() - began <= 12.0
    assert len(a.calls) in (3, 4), "by jitter"
    assert raised.value.reason == "running"
    assert "is still running (RepeatRefused" in str(raised.value)
    assert "idempotency_key='k'" in str(raised.value)


@each_row(
    "reason, executed, told",
    [("unknown", None, "may have run, or not"), ("not_kept", True, "its result was not kept")],
)
def test_what_is_settled_is_not_asked_again(reason: str, executed: bool | None, told: str) -> None:
    """Neither here nor elsewhere, and it says nothing against the target."""
    a, b = Scripted("a", *[refused(reason, dedup="group")] * 30), Scripted("b")
    with Client([a, b], config=config(shared=True), clock=FakeClock()) as client:
        for _ in range(30):
            with pytest.raises(OutcomeUnknown, match=told) as raised:
                client.invoke("f", {"id": "1"})
            assert (raised.value.executed, raised.value.reason) == (executed, reason)
        status = client.targets()[0]
    assert (len(a.calls), b.calls) == (30, [])
    assert (status.failures, status.circuits) == (0, ())


def test_an_unsafe_call_waits_for_nothing() -> None:
    """What it was refused for may be its own effect; the function alone knows better."""
    a = Scripted("a", refused("running", 1.0), said("target"))
    with Client(a, clock=FakeClock()) as client, pytest.raises(OutcomeUnknown):
        client.invoke("f", 1)
    assert len(a.calls) == 1


def test_an_answer_that_was_lost_is_fetched_from_the_run_that_gave_it() -> None:
    """The first attempt still runs when the second one comes."""
    a = Scripted("a", AMBIGUOUS, refused("running", 1.0), said("target"))
    with Client(a, config=config(shared=False), clock=FakeClock()) as client:
        result = client.invoke("f", 1)
    assert [each.outcome for each in result.attempts] == [
        Outcome.AMBIGUOUS,
        Outcome.AMBIGUOUS,
        Outcome.OK,
    ]
    assert result.value == 1


@each_row("call, dedup, expected", [(SHARED, "group", "b"), (ONE, "target", None)])
def test_after_the_pause_a_target_that_has_failed_meanwhile_is_left(
    call: Invoke, dedup: str, expected: str | None
) -> None:
    """For any other that knows the keys of the group."""
    health = Health(Targets(("a", "b"), home="a"), lambda: 0.0)
    execution = execute(Core(health), call, 0.0, 60.0)
    (first,) = next(execution)
    (pause,) = execution.send((first, 0.0, 0.1, refused("running", 4.0, dedup)))
    assert pause == Pause(4.0, "a")
    health.records["a"].isolated = True
    health.circuits.review()
    if expected is None:
        with pytest.raises(StopIteration):
            execution.send((pause, 0.1, 4.1, None))
        return
    (then,) = execution.send((pause, 0.1, 4.1, None))
    assert then.target == expected


def test_what_a_function_says_of_its_keys_counts_more_than_the_configuration() -> None:
    """One that knows keys of its own target alone is asked there alone; one that knows none, once.

    The answer that says better ends it.
    """
    a = Scripted(
        "a",
        *(said("target"), AMBIGUOUS, AMBIGUOUS),
        *(said("none"), AMBIGUOUS),
        *(said("group"), AMBIGUOUS, AMBIGUOUS),
    )
    b, events = Scripted("b", OK), list[RoutingEvent]()
    with Client([a, b], config=config(shared=True), clock=FakeClock()) as client:
        client.listen(events.append)
        client.invoke("f", 1)
        with pytest.raises(OutcomeUnknown, match="may be called again"):
            client.invoke("f", 1)
        assert (len(a.calls), len(b.calls)) == (3, 0), "pinned to its target"
        client.invoke("f", 1)
        with pytest.raises(OutcomeUnknown, match="unsafe to repeat"):
            client.invoke("f", 1)
        assert (len(a.calls), len(b.calls)) == (5, 0), "as an unsafe call"
        client.invoke("f", 1)
        assert client.invoke("f", 1).target == "b"
    told = [(each.target, each.resource, each.reason) for each in events if each.name == NAME]
    assert told == [("a", "f", "target"), ("a", "f", "none")]


def test_a_narrowed_call_whose_key_is_worth_less_than_declared_is_refused() -> None:
    """As it would be if that were declared, and before anything is sent."""
    a, b = Scripted("a", said("target")), Scripted("b", OK)
    with Client([a, b], config=config(shared=True), clock=FakeClock()) as client:
        client.invoke("f", 1)
        with pytest.raises(InvalidRequest, match="name one of a"):
            client.invoke("f", 1, targets="b")
    assert (len(a.calls), len(b.calls)) == (1, 0)


NAME = "key_worth_less"


def test_a_function_that_says_what_was_declared_changes_nothing() -> None:
    """Nor do failures that say nothing, calls that are not keyed, and functions of others."""
    failed = APP_ERROR._replace(fault=FunctionFault("ValueError"))
    a = Scripted("a", said("target"), failed, OK, said("none"), AMBIGUOUS)
    with Client(a, config=config(shared=False), clock=FakeClock()) as client:
        client.invoke("f", 1)
        with pytest.raises(FunctionError):
            client.invoke("f", 1)
        client.invoke("f", 1)
        client.invoke("f", 1, effect="idempotent")
        assert client.invoke("f", 1).value is None
    assert len(a.calls) == 6


def test_other_calls_are_what_they_are() -> None:
    """Whatever a function of their name has said."""
    health = Health(Targets(("a",), home="a"), lambda: 0.5)
    health.note_key("a", ONE, "none")
    load, idempotent = Load("f", Key(("id",), ("1",))), ONE._replace(effect=Effect.IDEMPOTENT)
    for call in (load, idempotent):
        health.note_key("a", call, "group")
        assert health.keys.real_call(call, health.targets.order) == call
    assert health.keys == {("a", "f"): "none"}


def test_a_pinned_call_that_ends_unknown_may_be_called_again() -> None:
    """Its key is worth something, at the target where it was."""
    health = Health(Targets(("a", "b"), home="a"), lambda: 0.5)
    health.note_key("a", SHARED, "target")
    execution = execute(Core(health), SHARED, 0.0, 60.0)
    (first,) = next(execution)
    (pause,) = execution.send((first, 0.0, 0.1, AMBIGUOUS))
    (again,) = execution.send((pause, 0.1, 0.2, None))
    with pytest.raises(StopIteration) as end:
        execution.send((again, 0.2, 0.3, AMBIGUOUS))
    result: Result[Any] = end.value.value
    assert (result.outcome, result.dedup) == (Outcome.AMBIGUOUS, None)
    assert [each.target for each in result.attempts] == ["a", "a"]


def test_only_so_many_functions_are_remembered() -> None:
    """The oldest is forgotten, and believed as it is declared."""
    health = Health(Targets(("a",), home="a"), lambda: 0.5)
    for number in range(MOST_KEYS + 1):
        health.note_key("a", ONE._replace(function=str(number)), "none")
    assert len(health.keys) == MOST_KEYS
    forgotten = ONE._replace(function="0")
    assert health.keys.real_call(forgotten, health.targets.order) == forgotten
    last = health.keys.real_call(
        ONE._replace(function=str(MOST_KEYS), time_limit=9.0), health.targets.order
    )
    assert isinstance(last, Invoke)
    assert (last.effect, last.time_limit) == (Effect.UNSAFE, 0.0)


def test_a_call_that_is_treated_as_unsafe_keeps_to_its_deadline() -> None:
    """Its caller has asked for no more time, whatever the function's own limit is."""
    functions = {"f": FunctionConfig(Effect.KEYED, timeout=60.0)}
    a = Scripted("a", said("none"))
    with Client(a, config=Config(functions=functions), clock=FakeClock()) as client:
        client.invoke("f", 1)
        client.invoke("f", 1, timeout=5.0)
    assert a.timeouts[1] == 5.0


def test_what_is_not_keyed_is_what_it_is() -> None:
    """A word on keys says nothing of a call without one; of another one, it is told once."""
    health = Health(Targets(("a",)), lambda: 0.5)
    plain = ONE._replace(effect=Effect.IDEMPOTENT)
    health.note_key("a", plain, "none")
    assert (health.keys, health.keys.real_call(plain, health.targets.order)) == ({}, plain)
    for _ in range(2):
        health.note_key("a", ONE, "none")
    assert [each.name for each in health.outbox] == ["key_worth_less"], "told once"
