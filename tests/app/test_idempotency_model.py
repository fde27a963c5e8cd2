"""The record of a key under zombies, wrong clocks, lost answers and kills: one effect at most."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from leeward.app.idempotency.record import (
    Claim,
    Earlier,
    KeyRecord,
    KeyState,
    LoadedRecord,
    Reason,
    RecordedFailure,
    Refuse,
    Replay,
    ReplayFailure,
    Start,
    complete_record,
    decide,
    fail_record,
    leave_unknown,
    release_record,
    with_effects,
)
from leeward.cli.key_records import refuse_by_hand
from tests.app.idempotency_sim.__main__ import Work, main, play
from tests.app.idempotency_sim.deliveries import Happening, Rules, Script, deliver
from tests.app.idempotency_sim.episodes import LEASE, flaw_of
from tests.app.idempotency_sim.mutants import MUTANTS
from tests.app.idempotency_sim.table import Table
from tests.app.idempotent.shop import first_record
from tests.app.settle_sim.actors import OneClock

NOW = 1_750_000_000.0
ME = Claim("me", "payload", 60.0)
READY = Claim("me", "payload", 60.0, run_unknown=True)
FIRST = first_record(Claim("they", "payload", 60.0), NOW)
UNMARKED = first_record(Claim("they", "payload", 60.0, effects_marked=True), NOW)
ASKS = ME._replace(question="?")
WAITING = first_record(ASKS._replace(owner="they"), NOW)
CARD = RecordedFailure("CardDeclined", ("no funds",))
AGAIN = RecordedFailure("HalfDone", (), rerun=True)

DECISIONS: dict[str, tuple[KeyRecord | None, Claim, float, Any]] = {
    "a result": (complete_record(FIRST, {"ok": 1}), ME, 0, Replay({"ok": 1})),
    "a result not kept": (complete_record(FIRST, 1)._replace(kept=False), ME, 0, Reason.NOT_KEPT),
    "a failure to tell again": (fail_record(FIRST, CARD), ME, 0, ReplayFailure(CARD)),
    "a failure to run again": (fail_record(FIRST, AGAIN), ME, 0, Earlier.FAILED),
    "another payload": (
        complete_record(FIRST, 1),
        ME._replace(payload="other"),
        0,
        Reason.MISMATCH,
    ),
    "another payload, and it runs": (FIRST, ME._replace(payload="other"), 0, Reason.MISMATCH),
    "another payload, and the key is free": (
        release_record(FIRST),
        ME._replace(payload="o"),
        0,
        None,
    ),
    "it runs": (FIRST, ME, 59.5, Refuse(Reason.RUNNING, 0.5)),
    "it runs, and has time": (FIRST, ME, 0, Refuse(Reason.RUNNING, 5.0)),
    "its lease is over": (FIRST, ME, 60.0, Reason.UNKNOWN),
    "its lease is over, and I can deal with that": (FIRST, READY, 60.0, Earlier.LAPSED),
    "its lease is over by my clock of the day": (
        FIRST._replace(lease_until=NOW),
        READY,
        55.0,
        Refuse(Reason.RUNNING, 5.0),
    ),
    "its lease is over by my clock of the day, and no effect has begun": (
        UNMARKED._replace(lease_until=NOW),
        ME,
        0,
        Earlier.LAPSED,
    ),
    "its lease is over before any effect": (UNMARKED, ME, 60.0, Earlier.LAPSED),
    "its lease is over after an effect": (with_effects(UNMARKED), ME, 60.0, Reason.UNKNOWN),
    "nobody knows": (leave_unknown(FIRST, CARD), ME, 0, Reason.UNKNOWN),
    "nobody knows, and I can deal with that": (
        leave_unknown(FIRST, CARD),
        READY,
        0,
        Earlier.UNKNOWN,
    ),
    "the key is free": (release_record(FIRST), ME, 0, None),
    "it waits for a person": (WAITING, ASKS, 0, Refuse(Reason.WAITING, 60.0)),
    "it waits, and I need no approval": (WAITING, ME, 0, Refuse(Reason.WAITING, 60.0)),
    "it waits, and I come late": (
        WAITING._replace(voids=1),
        ASKS,
        0,
        Refuse(Reason.VOIDED, voids=1),
    ),
    "another payload waits": (WAITING, ASKS._replace(payload="other"), 0, Reason.MISMATCH),
    "a person has refused it": (refuse_by_hand(WAITING, "maria"), ASKS, 0, Reason.REFUSED),
    "an item of another program": (None, READY, 0, Reason.UNKNOWN),
}


def test_what_a_call_does_about_a_record(subtests: pytest.Subtests) -> None:
    """Each state, and each way of meeting it; who takes over has a higher fence and a new lease."""
    for name, (record, claim, after, expected) in DECISIONS.items():
        with subtests.test(name):
            now = NOW + after
            decision = decide(LoadedRecord(record, "7"), claim, now)
            if isinstance(expected, Reason):
                assert isinstance(decision, Refuse)
                assert decision._replace(error=None) == Refuse(expected)
            elif isinstance(expected, Earlier) or expected is None:
                assert isinstance(decision, Start)
                assert (decision.revision, decision.earlier) == ("7", expected)
                new = decision.record
                assert (new.owner, new.fence, new.lease_until) == ("me", 2, now + 60)
                assert (new.state, new.failure) == (KeyState.IN_PROGRESS, None)
            else:
                assert decision == expected


def test_money_moves_once_whatever_happens() -> None:
    """A smoke of `python -m tests.app.idempotency_sim`; every kind of event takes place in it."""
    counts = play(Work(0, 3_000, seed=7))
    assert [name for name in counts if name.startswith("WRONG")] == []
    assert all(counts[name] > 200 for name in ("killed", "ran", "raised", "replayed", "refused"))
    assert counts["money moved"] > 1_500


def test_the_simulation_says_how_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints its counts and ends with 0."""
    assert main(["--keys", "40", "--workers", "1"]) == 0
    assert "money moved" in capsys.readouterr().out


def test_the_simulation_catches_every_mistake(subtests: pytest.Subtests) -> None:
    """What other libraries do, one by one: something is found wrong."""
    for name, rules in MUTANTS.items():
        with subtests.test(name):
            wrong: Counter[str] = Counter()
            for first_key in range(0, 20_000, 1_000):
                counts = play(Work(first_key, 1_000, seed=3), [rules])
                wrong.update({flaw: n for flaw, n in counts.items() if flaw.startswith("WRONG")})
                if wrong:
                    break
            assert wrong


class _Luck(Random):
    """A source of randomness that gives what the test has chosen."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self._value = value

    def random(self) -> float:
        return self._value


class Deliveries(RuleBasedStateMachine):
    """Hypothesis chooses who goes on, what the table answers, who dies, and what clocks show."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.now = 0.0
        self.effects = 0
        self.given: set[Any] = set()
        self.running: list[list[Any]] = []
        self.arrived = 0

    @rule(
        script=st.sampled_from(Script),
        marked=st.booleans(),
        skew=st.floats(-3_600, 3_600),
    )
    def arrive(self, script: Script, marked: bool, skew: float) -> None:
        self.arrived += 1
        claim = Claim(f"owner-{self.arrived}", "payload", LEASE, marked)
        clock = OneClock(self.now, skew)
        self.running.append([deliver(Rules(marked), claim, script, self.now), clock, None])

    @precondition(lambda self: self.running)
    @rule(data=st.data(), luck=st.sampled_from([0.01, 0.04, 0.08, 0.5, 0.5, 0.5]))
    def go_on(self, data: st.DataObject, luck: float) -> None:
        process = data.draw(st.sampled_from(self.running))
        delivery, clock, reply = process
        try:
            step = delivery.send(reply)
        except StopIteration as end:
            if end.value.what in ("ran", "replayed"):
                self.given.add(end.value.value)
            self.running.remove(process)
            return
        if isinstance(step, Happening):
            self.effects += step is Happening.EFFECT
            process[2] = None
        else:
            clock.value = self.now
            process[2] = (self.table.ask(step, _Luck(luck), 0.1, clock), self.now)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        self.running.remove(data.draw(st.sampled_from(self.running)))

    @rule(seconds=st.floats(0, 3 * LEASE))
    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.table.late)
    @rule()
    def land(self) -> None:
        self.table.land(_Luck(0.0))

    @invariant()
    def money_moves_once(self) -> None:
        assert self.effects <= 1

    @invariant()
    def one_result_is_given(self) -> None:
        assert len(self.given) <= 1
        assert self.effects or not self.given

    @invariant()
    def the_record_follows_the_state_machine(self) -> None:
        assert [flaw_of(*each) for each in self.table.changes if flaw_of(*each)] == []


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
