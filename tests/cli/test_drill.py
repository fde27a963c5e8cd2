"""``leeward drill``: faults by schedule, and a verdict that says what was promised and kept."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from leeward.calls import Call, Invoke, Page, Result, Scan
from leeward.errors import ConfigError, Outcome
from leeward.local import Local
from leeward.testing import FakeClock
from leeward.values import Effect, RoutingEvent
from leeward_contract_tests.rows import each_row
from leeward_drill.faults import DrillFault, FaultKind, parse_fault
from leeward_drill.page import Band, bands
from leeward_drill.record import Attempted, Called, Decided, DrillRecord, Plan
from leeward_drill.traffic import FaultyTarget, Stage, VirtualClock, progress, run_virtually
from leeward_drill.verdict import DrillVerdict, judge
from tests.cli.conftest import Leeward
from tests.scripted import Scripted

ORDER = ("local:a", "local:b")

READ = {
    "local:a:blackout@10s-40s": DrillFault("local:a", FaultKind.BLACKOUT, 10, 40),
    "local:slow x4@20-30.5": DrillFault("local", FaultKind.SLOW, 20, 30.5, factor=4),
    "local:b:error 30%@0s-1s": DrillFault("local:b", FaultKind.ERROR, 0, 1, share=0.3),
    " local:a:slow x1.5 50%@1-2 ": DrillFault(
        "local:a", FaultKind.SLOW, 1, 2, factor=1.5, share=0.5
    ),
}

REFUSED = {
    "blackout@10s-40s": "cannot be read",
    "local:a:blackout": "cannot be read",
    "local:a:flood@1s-2s": "known: blackout, refuse, throttle, error, lose_answer, slow",
    "aws:blackout@1s-2s": "at no target of the order",
    "local:a:blackout@2s-1s": "ends before it begins",
    "local:a:error 0%@1s-2s": "must concern more than 0 %",
    "local:a:error 101%@1s-2s": "must concern more than 0 %",
    "local:a:slow@1s-2s": "needs a factor",
    "local:a:refuse x2@1s-2s": "needs a factor",
}


@each_row("text, fault", list(READ.items()))
def test_a_fault_is_read(text: str, fault: DrillFault) -> None:
    """Target, kind, factor, share and seconds; what `str` gives is read as the same fault."""
    assert parse_fault(text, ORDER) == fault
    assert parse_fault(str(fault), ORDER) == fault


@each_row("text, told", list(REFUSED.items()))
def test_a_wrong_fault_is_refused_with_the_remedy(text: str, told: str) -> None:
    """Before anything is called."""
    with pytest.raises(ConfigError) as raised:
        parse_fault(text, ORDER)
    assert told in str(raised.value)
    assert repr(text) in str(raised.value)


NOT_RUN = {
    "blackout": (Outcome.AMBIGUOUS, 9.0),
    "refuse": (Outcome.NOT_SENT, 0.0),
    "throttle": (Outcome.REJECTED, 0.0),
    "error": (Outcome.AMBIGUOUS, 0.0),
}
RUN = {"lose_answer": (Outcome.AMBIGUOUS, 2.0), "slow x4": (Outcome.OK, 8.0)}
TOO_SLOW = {"slow x5": (Outcome.AMBIGUOUS, 9.0)}


class Slow(Scripted):
    """A target whose answer takes two seconds of the clock."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__("local:a")
        self._clock = clock

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Answer."""
        self._clock.advance(2.0)
        return self.perform(call, timeout)


@each_row("kind, ended", list((NOT_RUN | RUN | TOO_SLOW).items()))
def test_a_fault_lets_an_attempt_run_or_not(kind: str, ended: tuple[Outcome, float]) -> None:
    """It ends as the fault has it, and the record knows whether the target has run it."""
    clock, record = FakeClock(), DrillRecord()
    inner = Slow(clock)
    fault = parse_fault(f"local:a:{kind}@0s-5s", ORDER)
    target = FaultyTarget(inner, (fault,), Stage(clock, 0.0, record, lambda: 0.0))
    call = Invoke("f", b"null", "key")
    result = asyncio.run(target.perform_async(call, 9.0))
    assert (result.outcome, clock.monotonic()) == ended
    ran = kind not in NOT_RUN
    assert len(inner.calls) == ran
    (attempted,) = record.attempts
    assert (attempted.key, attempted.ran, attempted.fault) == ("key", ran, fault.kind.value)
    clock.advance(5.0)
    assert asyncio.run(target.perform_async(call, 9.0)).outcome is Outcome.OK


def test_a_fault_concerns_its_share_of_the_attempts_and_probes_fail_as_well() -> None:
    """By chance: of 0.29 and 0.31 one is within 30 %. A probe of a target that is gone fails."""
    clock, chances = FakeClock(), iter((0.29, 0.31, 0.0))
    fault = parse_fault("local:a:refuse 30%@0s-5s", ORDER)
    stage = Stage(clock, 0.0, DrillRecord(), lambda: next(chances))
    target = FaultyTarget(Scripted("local:a"), (fault,), stage)
    call = Invoke("f", b"null", "key")
    outcomes = [asyncio.run(target.perform_async(call, 9.0)).outcome for _ in range(2)]
    assert outcomes == [Outcome.NOT_SENT, Outcome.OK]
    assert target.probe(1.0).outcome is Outcome.NOT_SENT


def _plan(effect: Effect = Effect.IDEMPOTENT, *faults: DrillFault) -> Plan:
    able = ORDER[:1] if effect is Effect.KEYED else ORDER
    return Plan(ORDER, "f", effect, 10.0, 20.0, faults or (READ["local:a:blackout@10s-40s"],), able)


def _judged(plan: Plan, *happened: Attempted | Called | Decided, begun: int = -1) -> DrillVerdict:
    record = DrillRecord()
    for each in happened:
        match each:
            case Attempted():
                record.attempts.append(each)
            case Called():
                record.calls.append(each)
            case Decided():
                record.decisions.append(each)
    record.begun = len(record.calls) if begun < 0 else begun
    return judge(plan, record)


def _ran(target: str, key: str = "k", *, ran: bool | None = True) -> Attempted:
    return Attempted(target, key, 11.0, 11.1, Outcome.OK, ran)


def _failed(error: str, began: float = 11.0) -> Called:
    return Called("k", began, began + 0.1, None, error, "told")


BOTH = (
    DrillFault("local:a", FaultKind.REFUSE, 10, 12),
    DrillFault("local:b", FaultKind.REFUSE, 11, 13),
)

JUDGED: dict[str, tuple[Plan, tuple[Attempted | Called | Decided, ...], dict[str, int], bool]] = {
    "a call that failed although a target was well": (
        _plan(),
        (_failed("TargetUnavailable"),),
        {"lost": 1, "answered": 0},
        True,
    ),
    "a call that failed while all targets had a fault": (
        _plan(Effect.IDEMPOTENT, *BOTH),
        (_failed("AllTargetsUnavailable", 11.5),),
        {"lost": 0, "all_faulty": 1},
        False,
    ),
    "an unsafe call whose outcome nobody knows": (
        _plan(Effect.UNSAFE),
        (_failed("OutcomeUnknown"), _ran("local:a", ran=None)),
        {"unknown": 1, "lost": 0},
        False,
    ),
    "an idempotent one that should have been repeated": (
        _plan(),
        (_failed("OutcomeUnknown"),),
        {"unknown": 1, "lost": 0},
        True,
    ),
    "a function that raised has answered": (
        _plan(),
        (_failed("FunctionError"),),
        {"answered": 1, "lost": 0},
        False,
    ),
    "an unsafe call that ran twice": (
        _plan(Effect.UNSAFE),
        (_ran("local:a"), _ran("local:b")),
        {"doubled": 1, "repeated": 0},
        True,
    ),
    "an idempotent call that ran twice": (
        _plan(),
        (_ran("local:a"), _ran("local:b")),
        {"doubled": 0, "repeated": 1},
        False,
    ),
    "a keyed call that failed where its key is known": (
        _plan(Effect.KEYED),
        (_failed("AllTargetsUnavailable"),),
        {"lost": 0, "all_faulty": 1},
        False,
    ),
    "a keyed call that ran twice where its key was known": (
        _plan(Effect.KEYED),
        (_ran("local:a"), _ran("local:a")),
        {"doubled": 0},
        False,
    ),
    "a keyed call that ran on two targets": (
        _plan(Effect.KEYED),
        (_ran("local:a"), _ran("local:b")),
        {"doubled": 1},
        True,
    ),
    "two calls that ran once each": (
        _plan(Effect.UNSAFE),
        (_ran("local:a", "1"), _ran("local:b", "2"), _ran("local:a", "2", ran=False)),
        {"doubled": 0},
        False,
    ),
}


@each_row("plan, happened, counts, broken", JUDGED)
def test_what_happened_is_judged(
    plan: Plan,
    happened: tuple[Attempted | Called | Decided, ...],
    counts: dict[str, int],
    broken: bool,
) -> None:
    """Lost, doubled and unknown are told apart, and only a promise that was not kept breaks one."""
    verdict = _judged(plan, *happened)
    assert {name: getattr(verdict, name) for name in counts} == counts
    assert bool(verdict.broken) == broken


def test_a_call_that_never_ended_breaks_a_promise() -> None:
    """Every call ends by its deadline."""
    assert _judged(_plan(), begun=1).broken == ("1 calls were never ended",)


def _changed(at: float, name: str, target: str = "local:a", resource: str = "f") -> Decided:
    return Decided(at, RoutingEvent(name, target, "invoke", resource))


def test_the_time_to_detect_and_to_return_is_that_of_the_target_s_circuits() -> None:
    """From the begin of a fault to the first that opens, from its end to the last that closes."""
    changes = (
        _changed(5.0, "opened", "local:b"),
        _changed(10.6, "opened"),
        _changed(11.0, "opened", resource=""),
        _changed(41.0, "ramp"),
        _changed(44.0, "closed"),
        _changed(47.5, "closed", resource=""),
    )
    (impact,) = _judged(_plan(), *changes).impacts
    assert impact.detected == pytest.approx(0.6)
    assert impact.returned == pytest.approx(7.5)
    (still,) = _judged(_plan(), *changes[:-1]).impacts
    assert still.returned is None
    (unseen,) = _judged(_plan(), _changed(41.0, "opened")).impacts
    assert (unseen.detected, unseen.returned) == (None, None)


def test_the_state_of_a_target_is_that_of_its_strictest_circuit() -> None:
    """One band follows the other, from the start of the drill to its end."""
    changes = [
        _changed(1.0, "opened"),
        _changed(2.0, "opened", resource=""),
        _changed(3.0, "closed", resource=""),
        _changed(4.0, "ramp"),
        _changed(5.0, "closed"),
    ]
    assert [each for each in bands(_plan(), changes, 9.0) if each.target == "local:a"] == [
        Band("local:a", "closed", 0.0, 1.0),
        Band("local:a", "opened", 1.0, 4.0),
        Band("local:a", "ramp", 4.0, 5.0),
        Band("local:a", "closed", 5.0, 9.0),
    ]


def test_a_simulated_blackout_is_detected_and_nothing_is_lost(leeward: Leeward, bare: Path) -> None:
    """In virtual time: ninety seconds of calls, their verdict, and a page that needs nothing."""
    done = leeward("drill", "--simulate", "--json")
    told = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert (told["ok"], told["calls"], told["answered"]) == (True, 1800, 1800)
    assert (told["lost"], told["doubled"], told["unknown"]) == (0, 0, 0)
    (fault,) = told["faults"]
    assert fault["fault"] == "local:a:blackout@10s-30s"
    assert fault["detected"] < 1
    assert 0 < fault["returned"] < 60
    assert fault["attempts"] < 1
    page = (bare / "drill.html").read_text(encoding="utf-8")
    assert len(page) < 200_000
    assert "Every promise was kept." in page


def test_who_waits_on_the_only_thread_of_virtual_time_blocks_everything() -> None:
    """As a handler that sleeps would: what was due meanwhile is late."""

    async def late(clock: VirtualClock) -> tuple[float, float]:
        other = asyncio.create_task(clock.sleep_async(1.0))
        await asyncio.sleep(0)
        clock.sleep(3.0)
        slept = clock.now()
        await other
        return slept, clock.now()

    assert run_virtually(late) == (3.0, 3.0)


UNREPEATABLE = [("unsafe", "blackout"), ("keyed", "lose_answer"), ("unsafe", "error 50%")]


@each_row("effect, kind", UNREPEATABLE)
def test_what_must_not_be_repeated_is_left_unknown_and_never_doubled(
    effect: str, kind: str, leeward: Leeward
) -> None:
    """Nobody can tell whether such a call ran; the drill can, and finds none that ran twice."""
    done = leeward(
        *("drill", "--simulate", "--json", "--effect", effect, "--seconds", "25"),
        *("--fault", f"local:a:{kind}@5s-15s"),
    )
    told = json.loads(done.out)
    assert (done.code, told["doubled"], told["lost"]) == (0, 0, 0)
    assert told["unknown"] > 0
    assert told["answered"] + told["unknown"] + told["all_faulty"] == told["calls"]
    assert (told["all_faulty"] > 0) == (effect == "keyed")  # it stays where its key is known


SHOP = """
cloud_provider = "local:a,local:b"
[functions.pay]
effect = "idempotent"
[targets."local:a"]
path = ":memory:"
functions = { pay = "drilled_shop:pay" }
[targets."local:b"]
path = ":memory:"
"""


def test_a_fallback_that_cannot_serve_breaks_a_promise(leeward: Leeward, bare: Path) -> None:
    """The second target has no such function: what an outage would have shown, the drill shows."""
    (bare / "leeward.toml").write_text(SHOP)
    (bare / "drilled_shop.py").write_text("def pay(payload):\n    return payload\n")
    options = ("--seconds", "1", "--rate", "40", "--fault", "local:a:refuse@0.2s-0.6s")
    done = leeward("drill", "pay", '{"order": "canary"}', *options)
    assert done.code == 9
    assert "calls were lost: they failed although a target was well." in done.out
    page = (bare / "drill.html").read_text(encoding="utf-8")
    assert "NotFound" in page
    assert "canary" not in page + done.out + done.err


def test_a_drill_writes_nothing_for_other_processes(leeward: Leeward, bare: Path) -> None:
    """What others are told by a snapshot has to be true, and the outage of a drill is not."""
    shared = 'snapshot = "notes"\n[tables.notes]\nhome = "local:b"\n'
    text = SHOP.replace("[functions.pay]", f"{shared}[functions.pay]")
    first, _, last = text.rpartition(":memory:")
    file = bare / "b.sqlite3"
    (bare / "leeward.toml").write_text(f"{first}{file}{last}")
    (bare / "drilled_shop.py").write_text("def pay(payload):\n    return payload\n")
    options = ("--seconds", "1", "--rate", "40", "--fault", "local:a:refuse@0.1s-1s")
    leeward("drill", "pay", *options)
    assert "<td>opened</td>" in (bare / "drill.html").read_text(encoding="utf-8")
    with closing(Local(path=file)) as kept:
        assert kept.perform(Scan("notes"), 5.0).value == Page(())


def test_what_goes_on_is_told_every_five_seconds_where_lines_stay() -> None:
    """Who answers, which fault is in force, and the circuits that are not closed."""
    stream, record = StringIO(), DrillRecord()
    record.calls += [Called("k", 14.0, 14.5, "local:b"), Called("k", 14.0, 14.6, "local:b")]
    record.calls.append(_failed("TargetUnavailable", 14.7))
    record.decisions.append(_changed(10.6, "opened"))
    with progress(_plan(), stream, quiet=False) as show:
        assert show is not None
        for second in (14.0, 15.0, 16.0):
            show(record, second)
    assert stream.getvalue() == (
        "  15 s of 20 | local:a 0/s, local:b 2/s, errors 1/s | fault: local:a:blackout@10s-40s | "
        "circuits: local:a opened\n"
    )
    with progress(_plan(), stream, quiet=True) as silent:
        assert silent is None


@each_row(
    "args, told",
    [
        ((), "leeward drill FUNCTION"),
        (("pay", "--report", "absent/drill.html"), "--report absent/drill.html cannot be written"),
    ],
)
def test_a_drill_that_cannot_be_reported_calls_nothing(
    leeward: Leeward, bare: Path, args: tuple[str, ...], told: str
) -> None:
    """What may be called has to be named, and so has a file for what came of it."""
    (bare / "leeward.toml").write_text(SHOP)
    (bare / "drilled_shop.py").write_text("def pay(payload):\n    raise SystemExit\n")
    done = leeward("drill", *args)
    assert done.code == 2
    assert told in done.err
