"""The failover driver over scripted drivers: who is asked, what comes back, what is remembered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leeward._routing import FailoverDriver
from leeward._routing.targets import TargetGroup
from leeward.adapter import Capability, Limits
from leeward.calls import Enqueue, Invoke, Key, Load, Publish, Result, Store
from leeward.errors import ConfigError, Outcome, Unsupported
from leeward.testing import FakeClock
from leeward.values import Effect, Event
from tests.scripted import (
    AMBIGUOUS,
    NOT_SENT,
    REJECTED,
    Scripted,
)

INVOKE = Invoke("f", b"{}", "key-1")
KEY = Key(("id",), ("1",))
STORE = Store("t", KEY, {"id": "1"}, write_id="w-1", now=1000.0)


def router(*drivers: Scripted, home: str | None = None) -> FailoverDriver:
    return FailoverDriver(drivers, home=home, clock=FakeClock())


def test_the_next_target_serves_what_did_not_run() -> None:
    """A target that cannot be reached is tried once more, then the next one serves."""
    a, b = Scripted("a", NOT_SENT, NOT_SENT), Scripted("b")
    result = router(a, b).perform(INVOKE, 60.0)
    assert result.target == "b"
    assert [attempt.target for attempt in result.attempts] == ["a", "a", "b"]


@pytest.mark.parametrize(
    ("effect", "shared", "asked"),
    [
        (Effect.READ_ONLY, False, "aab"),
        (Effect.IDEMPOTENT, False, "aab"),
        (Effect.KEYED, False, "aa"),
        (Effect.KEYED, True, "aa"),  # nobody there has said that it knows the other's keys
        (Effect.KEYED, ("a", "b"), "aab"),
        (Effect.UNSAFE, True, "a"),
    ],
)
def test_the_effect_decides_after_a_lost_answer(
    effect: Effect, shared: bool | tuple[str, ...], asked: str
) -> None:
    """Each effect goes as far as repeating it is harmless."""
    lost = Scripted("a", AMBIGUOUS, AMBIGUOUS), Scripted("b", AMBIGUOUS)
    call = INVOKE._replace(effect=effect, shared_dedup=shared)
    result = router(*lost).perform(call, 60.0)
    assert "".join(attempt.target for attempt in result.attempts) == asked
    queued = Enqueue("f", b"{}", "key-1", effect, shared)
    lost = Scripted("a", AMBIGUOUS, AMBIGUOUS), Scripted("b", AMBIGUOUS)
    result_of_queueing = router(*lost).perform(queued, 60.0)
    assert "".join(attempt.target for attempt in result_of_queueing.attempts) == asked


def test_what_a_driver_lets_escape_is_unknown() -> None:
    """An exception proves nothing about whether the call ran."""
    boom = RuntimeError("boom")
    result = router(Scripted("a", boom), Scripted("b")).perform(INVOKE, 60.0)
    assert (result.outcome, result.code, result.cause) == (
        Outcome.AMBIGUOUS,
        "RuntimeError",
        boom,
    )


def test_what_leeward_raises_before_sending_keeps_its_meaning() -> None:
    """A refusal by an adapter's own check is the caller's, and moves nowhere."""
    refusal = Unsupported("no")
    result = router(Scripted("a", refusal), Scripted("b")).perform(INVOKE, 60.0)
    assert (result.outcome, result.cause) == (Outcome.CALLER, refusal)


class Frozen(FakeClock):
    """A clock of a process that is frozen while it sleeps, as an idle function instance is."""

    def sleep(self, seconds: float) -> None:
        self.advance(seconds + 60.0)


def test_nothing_starts_after_a_pause_that_outlasted_the_deadline() -> None:
    """A process that wakes after the deadline ends the call with what it knows."""
    a, b = Scripted("a", REJECTED), Scripted("b")
    router = FailoverDriver([a, b], clock=Frozen())
    result = router.perform(Invoke("f", b"{}", "key-1"), 10.0)
    assert [len(a.calls), len(b.calls)] == [1, 0]
    assert result.outcome is Outcome.REJECTED


def test_the_proof_that_it_ran_outlives_a_later_attempt() -> None:
    """Once an attempt has shown that the call ran, its unknown outcome says so to the end."""
    ran: Result[None] = Result(Outcome.AMBIGUOUS, executed=True)
    lost: Result[None] = Result(Outcome.AMBIGUOUS)
    call = Invoke("f", b"{}", "key-1", Effect.KEYED)
    result = FailoverDriver([Scripted("a", ran, lost)], clock=FakeClock()).perform(call, 10.0)
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)


def test_a_keyed_call_never_leaves_the_target_that_knows_its_key() -> None:
    """An earlier call with the same key may have run there, so proof about this one is no help."""
    a, b = Scripted("a", NOT_SENT, NOT_SENT), Scripted("b")
    result = router(a, b).perform(INVOKE._replace(effect=Effect.KEYED), 60.0)
    assert (result.outcome, len(b.calls)) == (Outcome.NOT_SENT, 0)
    shared = INVOKE._replace(effect=Effect.KEYED, shared_dedup=True)
    assert router(Scripted("a", NOT_SENT, NOT_SENT), b).perform(shared, 60.0).target == "b"


@pytest.mark.parametrize(
    ("call", "nonsense"),
    [
        (INVOKE, None),
        (INVOKE, 5),
        (INVOKE, Result("ok")),  # type: ignore[arg-type]
        (STORE, Result.ok(7)),
        (Load("t", KEY), Result.ok("item")),
        (Publish("bus", (Event("t", id="1", source="s"),)), Result.ok((None,))),
    ],
)
def test_nonsense_from_an_adapter_proves_nothing(call: Any, nonsense: Any) -> None:
    """What is no answer at all is an unknown outcome, with the attempts kept."""
    result = router(Scripted("a", *[nonsense] * 4)).perform(call, 60.0)
    assert (result.outcome, result.code) == (Outcome.AMBIGUOUS, "bad_result")
    assert result.attempts


# The driver protocol.


def test_the_order_is_a_driver() -> None:
    """It declares what all can do that serve a verb; for data, what the home can do."""
    everything = frozenset(Capability)
    a = Scripted("a", capabilities=everything - {Capability.ENQUEUE}, limits=Limits(nesting=5))
    b = Scripted("b", capabilities=everything - {Capability.EXPIRY, Capability.ORDERING})
    failover = router(a, b, home="a")
    assert failover.target == "a,b"
    assert failover.capabilities == everything - {Capability.ORDERING}
    runs = {Capability.WORKFLOWS, Capability.SINGLE_STARTS}
    verbs = {Capability.INVOKE, Capability.ENQUEUE, Capability.PUBLISH}
    assert router(a, b).capabilities == verbs | runs
    assert failover.limits == Limits(nesting=5)
    assert failover.describe() == {"order": "a,b"}
    assert failover.native("calls") is a.calls


def test_a_verb_goes_to_the_targets_that_can_serve_it() -> None:
    """Weights and groups of the order keep to them, and so does a group that names targets."""
    everything = frozenset(Capability)
    a = Scripted("a", capabilities=everything - {Capability.INVOKE})
    b, c = Scripted("b"), Scripted("c")
    named = {
        ("invoke", "g"): TargetGroup(("a", "b", "c"), {"a": 0.5, "c": 0.2}, "sticky"),
        ("invoke", "h"): TargetGroup(("a", "c")),
    }
    failover = FailoverDriver([a, b, c], groups=named, weights={"c": 0.1}, fail_back="sticky")
    known = failover._targets.groups
    assert known["invoke", ""] == TargetGroup(("b", "c"), {"c": 0.1}, "sticky")
    assert known["invoke", "g"] == TargetGroup(("b", "c"), {"c": 0.2}, "sticky")
    assert known["invoke", "h"] == TargetGroup(("c",))
    assert failover.candidates(INVOKE) == ("b", "c")
    assert failover.candidates(INVOKE._replace(effect=Effect.KEYED)) == ("b",)
    assert failover.candidates(Publish("bus", ())) == ("a", "b", "c")


def test_evidence_counts_what_speaks_against_a_target() -> None:
    """A function that raises says nothing against its target; an unreachable one does."""
    a, b = Scripted("a", NOT_SENT, NOT_SENT, Result(Outcome.APP_ERROR)), Scripted("b")
    failover = router(a, b)
    failover.perform(INVOKE, 60.0)
    failover.perform(INVOKE, 60.0)
    evidence = failover.evidence("a")
    assert (evidence.attempts, evidence.failures) == (3, 2)
    assert evidence.last_outcome is Outcome.APP_ERROR


class Stuck(Scripted):
    def close(self) -> None:
        raise OSError("stuck")


def test_closing_closes_every_driver() -> None:
    """One driver that cannot close does not keep the others open, and is heard of."""
    b = Scripted("b")
    with pytest.raises(OSError, match="stuck"):
        router(Stuck("a"), b).close()
    with pytest.raises(OSError, match="stuck"):
        asyncio.run(router(Stuck("a"), b).close_async())
    assert b.closed == 2


def test_names_must_differ_and_exist() -> None:
    """An order without targets, or with one name twice, is refused."""
    with pytest.raises(ConfigError, match="at least one"):
        FailoverDriver([])
    with pytest.raises(ConfigError, match="same name"):
        FailoverDriver([Scripted("a"), Scripted("a")])
