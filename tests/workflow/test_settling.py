"""Steps that may have run: what their functions say decides, on every engine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from leeward import Client
from leeward.app import App, Context, Problem
from leeward.app.idempotency import idempotent
from leeward.calls import Result
from leeward.config import Config
from leeward.config.model import TableConfig
from leeward.errors import Outcome, OutcomeUnknown
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward.testing.simulator import (
    error,
    not_run,
    ran,
    running,
    simulate,
    time_out,
    unknown,
)
from leeward.values import Effect, FunctionFault, Json
from leeward.values.runs import RunState
from leeward.values.settled import Settled, Verdict
from leeward.views.runs import Mark, marks_of
from leeward.workflow import Flow, Ref, Retry, workflow
from leeward.workflow.commands import (
    UNSETTLED,
    Returned,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
)
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from leeward.workflow.kernel import Machine
from leeward.workflow.model import Step, nodes
from leeward.workflow.steps import (
    RESULT_LOST,
    combine,
    functions_called_by,
    make_call,
    verdict_of,
)
from leeward_azure.workflows.durable import activity
from leeward_contract_tests.rows import each_row
from leeward_contract_tests.workflows.programs import EngineProcess
from tests.registers import trust_registers
from tests.workflow.engines import ENGINES, Start
from tests.workflow.sagas import flaws_of
from tests.workflow.test_driving import World


@pytest.fixture(autouse=True)
def old_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions have kept their records for long."""
    trust_registers(monkeypatch)


ORDER = {"id": "42"}
PAY = "paying/run/pay"


@workflow("paying")
def paying(w: Flow, order: Ref) -> None:
    with w.saga("booking"):
        w.step("book", order, undo="unbook")
        paid = w.step("pay", order, undo="refund", effect="keyed", timeout=20)
        w.step("ship", order)
    w.stop(paid)


def _calls(verdicts: list[StepVerdict], answers: list[Any], **more: Any) -> tuple[Any, list[str]]:
    functions = {"pay": answers, **more}
    run = simulate(paying, ORDER, functions, verdicts={"pay": verdicts})
    end = run.result if run.failure is None else run.failure.name
    return end, [call.function for call in run.calls]


DOUBT = StepFailure("Declined", doubtful=True)
"""An error of the function's own, which may have come behind its effect."""
TAKEN_BACK = ["book", "pay", "refund", "unbook"]
SHIPPED = ["book", "pay", "ship"]
ROWS: dict[str, tuple[list[StepVerdict], list[Any], Any, list[str]]] = {
    "it ran": ([ran("ch_1")], [time_out()], "ch_1", SHIPPED),
    "it did not run, and runs now": (
        [not_run()],
        [time_out(), Returned("ch_2")],
        "ch_2",
        ["book", "pay", "pay", "ship"],
    ),
    "it never runs": (
        [not_run()],
        [time_out()],
        "Call.NotSent",
        ["book", "pay", "pay", "pay", "unbook"],
    ),
    "it ran at last": ([running(3), running(), ran("ch_3")], [time_out()], "ch_3", SHIPPED),
    "it runs on": ([running()], [time_out()], "Call.Timeout", TAKEN_BACK),
    "nobody knows": ([unknown()], [error("Call.Unknown")], "Call.Unknown", TAKEN_BACK),
    "it ran, and was declined": (
        [ran(failure="Declined")],
        [time_out()],
        "Declined",
        ["book", "pay", "unbook"],
    ),
    "it ran, and its result is lost": (
        [StepVerdict(Verdict.RAN, RESULT_LOST)],
        [time_out()],
        "Call.Unknown",
        TAKEN_BACK,
    ),
    "an error of its own, behind an effect of which nobody knows": (
        [StepVerdict(Verdict.UNKNOWN, RESULT_LOST)],
        [DOUBT],
        "Declined",
        ["book", "pay", "refund", "unbook"],
    ),
    "an error of its own, and nobody answers": ([running()], [DOUBT], "Declined", TAKEN_BACK),
    "an error of its own, and it keeps no records": (
        [unknown()],
        [DOUBT],
        "Declined",
        ["book", "pay", "unbook"],
    ),
    "an error of its own, and it did not run": (
        [not_run()],
        [DOUBT],
        "Declined",
        ["book", "pay", "unbook"],
    ),
    "an error of its own, as it is recorded": (
        [ran(failure="earlier_failure")],
        [DOUBT],
        "Declined",
        ["book", "pay", "unbook"],
    ),
    "an error of its own, and its probe finds the effect": (
        *([ran("ch_4")], [DOUBT], "ch_4"),
        SHIPPED,
    ),
    "an error of its own needs no question": (
        [ran("ch_1")],
        [error("Declined")],
        "Declined",
        ["book", "pay", "unbook"],
    ),
}


def test_what_a_function_says_decides(subtests: pytest.Subtests) -> None:
    """What ran counts, what did not run is tried again, and only the rest is taken back."""
    for name, (verdicts, answers, end, calls) in ROWS.items():
        with subtests.test(name):
            assert _calls(verdicts, answers) == (end, calls)


def test_a_call_behind_a_void_knows_of_it() -> None:
    """Else the function would refuse it; and the next question is about all calls so far."""
    run = simulate(paying, ORDER, {"pay": [time_out()]}, verdicts=lambda q: not_run(q.attempt * 2))
    assert [call.voids for call in run.calls if call.function == "pay"] == [0, 2, 4]
    assert [question.voids for question in run.questions] == [0, 2, 4]
    assert {question.key for question in run.questions} == {PAY}


def test_questions_are_asked_for_as_long_as_the_step_may_take() -> None:
    """The pauses grow; nothing is asked behind the last one, whoever settles how often."""
    run = simulate(
        paying, ORDER, {"pay": [time_out()]}, verdicts={"pay": [running(9)]}, seconds_per_call=0
    )
    assert run.seconds == 20
    assert len(run.questions) == 4, "after 0, 9, 18 and 20 seconds"
    twice = [running(), running(), not_run(), running(), running(), running()]
    run = simulate(paying, ORDER, {"pay": [time_out()]}, verdicts={"pay": twice})
    assert len(run.questions) == 5, "after 0, 1 and 5 seconds, and for 15 more behind the void"
    assert run.count_calls("refund") == 1


def test_a_failure_that_comes_behind_an_unknown_one_is_settled() -> None:
    """A step that is tried again on time-outs may have run, whatever its last error is."""

    @workflow("again")
    def again(w: Flow, order: Ref) -> None:
        with w.saga("s"):
            retry = Retry(on=("Call.Timeout",), attempts=2)
            w.step("pay", order, undo="refund", effect="keyed", retry=retry)

    answers = {"pay": [time_out(), error("Declined")]}
    for verdict, refunds in ((not_run(), 0), (unknown(), 1), (ran(failure="Declined"), 0)):
        run = simulate(again, ORDER, answers, verdicts={"pay": [verdict]})
        assert run.failure is not None
        assert run.failure.name == "Declined"
        assert (run.count_calls("pay"), run.count_calls("refund")) == (2, refunds)


def test_who_is_asked_follows_from_what_is_declared() -> None:
    """A keyed step is, and an idempotent function of the app; a step may say otherwise."""
    app = App("shop")

    @app.function(effect="keyed")
    def own_keys(order: Any) -> None: ...

    @app.function()
    @idempotent(table="keys", principal=None)
    def records(order: Any) -> None: ...

    @app.workflow("flow")
    def flow(w: Flow, order: Ref) -> None:
        w.step(own_keys, order)
        w.step(records, order)
        w.step("elsewhere", order, effect="keyed")
        w.step("foreign", order, effect="keyed", settle=False)
        w.step("unsafe", order)
        w.step("known", order, settle=True)

    settled = {node.id: bool(node.settle) for node in nodes(flow.body) if isinstance(node, Step)}
    assert settled == {
        "own-keys": False,
        "records": True,
        "elsewhere": True,
        "foreign": False,
        "unsafe": False,
        "known": True,
    }


class Bank:
    """A payment that is charged once for each key; an answer may be lost.

    Attributes:
        charges: keys, in order.
        refunds: what was taken back.
        fails: is raised behind a charge.
        faulty: the network before it.
    """

    def __init__(self) -> None:
        self.charges: list[str] = []
        self.refunds: list[Json] = []
        self.fails: Exception | None = None
        self.release = threading.Event()
        self.release.set()
        local = Local()
        app = App("bank")
        app.function(name="pay")(idempotent(table="keys", principal=None)(self._pay))
        for name in ("book", "unbook", "ship"):
            local.function(name)(lambda _: None)
        local.function("refund")(self.refunds.append)
        self.faulty = FaultyDriver(local)
        self.client = Client(self.faulty, app=app)

    def _pay(self, order: Any, context: Context) -> Json:
        self.release.wait(20)
        self.charges.append(context.idempotency_key)
        if self.fails is not None:
            raise self.fails
        return {"charge": order["id"]}

    def question(self, voids: int = 0) -> StepQuestion:
        """Return the question what became of its payment."""
        effect = Effect.UNSAFE
        return StepQuestion("pay/settle", 1, "pay", ORDER, KEY, effect, 20, voids)


KEY = "charging/run/pay"


@workflow("charging")
def charging(w: Flow, order: Ref) -> None:
    with w.saga("s"):
        paid = w.step("pay", order, undo="refund", settle=True, timeout=20)
    w.stop(paid)


@contextmanager
def _bank() -> Iterator[Bank]:
    bank = Bank()
    try:
        yield bank
    finally:
        bank.release.set()
        bank.client.close()


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST])
def test_a_payment_whose_answer_was_lost_is_charged_once(fault: Fault) -> None:
    """Through the client: the embedded engine asks the function's own record."""
    with _bank() as bank:
        bank.faulty.fail(fault, verb="invoke", times=1)
        engine = Engine(functions_called_by(bank.client), [charging], SqliteJournal(None))
        engine.start("charging", ORDER, "run")
        run = engine.wait("charging", "run", 30)
        assert (run.state, run.result) == (RunState.SUCCEEDED, {"charge": "42"})
        found = engine.get("charging", "run")
        engine.close()
        assert found is not None
        again = ["pay/pause", "pay"] if fault is Fault.LOSE_REQUEST else []
        assert [event.path for event in found.events] == ["pay", "pay/settle", *again]
        assert marks_of(found.events)["pay"] is Mark.DONE
        assert bank.charges == [KEY]


def test_a_payment_that_fails_behind_its_charge_is_taken_back() -> None:
    """Its record says that nobody knows: that it raised does not say that it did nothing."""
    with _bank() as bank:
        bank.fails = Problem("the mail is down", status=503, reason="mail")
        engine = Engine(functions_called_by(bank.client), [charging], SqliteJournal(None))
        engine.start("charging", ORDER, "run")
        run = engine.wait("charging", "run", 30)
        engine.close()
        assert (run.state, run.error) == (RunState.FAILED, "mail")
        assert bank.charges == [KEY]
        assert len(bank.refunds) == 1


def test_a_call_of_a_stopped_process_does_not_run_once_it_is_settled() -> None:
    """Nor does its client call again by itself: whoever has settled it goes on without it."""
    with _bank() as bank:
        functions = functions_called_by(bank.client)
        assert functions.settle(bank.question(), time.time()) == not_run(1)
        call = StepCall("pay", 1, "pay", ORDER, KEY, Effect.UNSAFE, 20, guarded=True)
        late = make_call(functions, call)
        assert isinstance(late, StepFailure)
        assert (late.name, late.ambiguous, bank.charges) == ("Call.Unknown", True, [])
        assert make_call(functions, call._replace(voids=1)) == Returned({"charge": "42"})
        assert functions.settle(bank.question(voids=1), time.time()) == StepVerdict(
            Verdict.RAN, Returned({"charge": "42"}), voids=1
        )
        assert bank.charges == [KEY]


@pytest.mark.parametrize("is_announced", [False, True])
def test_an_effect_comes_behind_its_undo_only_if_it_was_announced(is_announced: bool) -> None:
    """The process was stopped behind that for longer than the lease: nobody knows what it does."""
    clock, charges = FakeClock(), list[str]()
    is_stopped, go_on = threading.Event(), threading.Event()
    app = App("bank")

    @app.function(name="pay")
    @idempotent(table="keys", principal=None, effects="marked", lease=70, clock=clock)
    def pay(_: Json, context: Context) -> None:
        if is_announced:
            context.effect()
        is_stopped.set()
        assert go_on.wait(20)
        context.effect()
        charges.append(context.idempotency_key)

    question = StepQuestion("pay/settle", 1, "pay", ORDER, KEY, Effect.UNSAFE, 20)
    call = StepCall("pay", 1, "pay", ORDER, KEY, Effect.UNSAFE, 20, guarded=True)
    with Client(Local(), app=app) as client, ThreadPoolExecutor(1) as threads:
        functions = functions_called_by(client)
        late = threads.submit(make_call, functions, call)
        assert is_stopped.wait(20)
        clock.advance(71.0)
        verdict = functions.settle(question, time.time()).verdict
        go_on.set()
        late.result(20)
    late_effect = (Verdict.UNKNOWN, [KEY]) if is_announced else (Verdict.NOT_RUN, [])
    assert (verdict, charges) == late_effect


def test_a_question_finds_what_runs_and_what_nobody_answers() -> None:
    """Both are asked again later; a call of which nobody knows the age may have been forgotten."""
    with _bank() as bank:
        functions = functions_called_by(bank.client)
        assert functions.settle(bank.question(), None).verdict is Verdict.UNKNOWN
        bank.release.clear()
        call = StepCall("pay", 1, "pay", ORDER, KEY, Effect.UNSAFE, 1, guarded=True)
        assert make_call(functions, call) == StepFailure(
            "Call.Timeout", ambiguous=True, targets=("local",)
        )
        runs = functions.settle(bank.question(), time.time())
        assert (runs.verdict, runs.retry_after) == (Verdict.RUNNING, 5)
        bank.faulty.fail(Fault.REFUSE, verb="settle")
        assert functions.settle(bank.question(), time.time()).verdict is Verdict.RUNNING
        bank.faulty.heal()
        other = bank.question()._replace(payload={"id": "43"})
        assert functions.settle(other, time.time()) == UNSETTLED, "the key is another payload's"


def test_the_activity_asks_too() -> None:
    """A question leaves no mark of an unsafe step, and may be asked again."""
    with _bank() as bank:
        request: Json = {
            "settle": "pay/settle",
            "attempt": 1,
            "function": "pay",
            "payload": ORDER,
            "key": KEY,
            "effect": "unsafe",
            "timeout": 20,
            "voids": 0,
            "sent": time.time(),
        }
        told = {"verdict": "not_run", "retry_after": 0}
        assert activity(bank.client, request) == {**told, "voids": 1}
        assert activity(bank.client, json.dumps(request)) == {**told, "voids": 2}
        call = {**request, "path": "pay", "voids": 2}
        del call["settle"]
        assert activity(bank.client, call) == {"value": {"charge": "42"}}
        found = activity(bank.client, {**request, "voids": 2})
        assert (found["verdict"], found["value"]) == ("ran", {"charge": "42"})


@each_row(
    "verdicts, expected",
    [
        ([not_run(1), ran("x")], ran("x")._replace(voids=1)),
        ([not_run(1), running(3)], running(3)._replace(voids=1)),
        ([not_run(1), unknown()], unknown()._replace(voids=1)),
        ([not_run(2), not_run(1)], not_run(2)),
    ],
)
def test_targets_with_records_of_their_own_are_asked_one_by_one(
    verdicts: list[StepVerdict], expected: StepVerdict
) -> None:
    """What ran at one of them ran, and nothing is proved while one of them cannot tell."""
    assert combine(verdicts) == expected


def test_each_target_where_a_call_may_have_run_is_asked() -> None:
    """The one that has the record answers for itself alone: so the others are asked, too.

    If one where it was tried has the function no more, nothing is proved.
    """
    seen: list[str] = []
    lacking: list[str] = []

    class Target(Local):
        def perform(self, call: Any, timeout: float) -> Result[Any]:
            if call.verb == "settle":
                seen.append(self.target)
                if self.target in lacking:
                    return Result(Outcome.NOT_FOUND)
            return super().perform(call, timeout)

    app = App("bank")
    charges: list[str] = []

    @app.function(name="pay")
    @idempotent(table="keys", principal=None)
    def pay(order: Any, context: Context) -> Json:
        charges.append(context.idempotency_key)
        return "paid"

    targets = [Target("local:a"), Target("local:b")]
    config = Config(tables={"keys": TableConfig(home="local:a")})
    with Client(targets, app=app, config=config) as client:
        functions = functions_called_by(client)
        question = StepQuestion("pay/settle", 1, "pay", ORDER, KEY, Effect.UNSAFE, 20)
        assert functions.settle(question, time.time()).verdict is Verdict.NOT_RUN
        assert seen == ["local:a", "local:b"]
        seen.clear()
        functions.settle(question._replace(targets=("local:b",)), time.time())
        assert seen == ["local:b"]
        lacking.append("local:b")
        assert functions.settle(question, time.time()).verdict is Verdict.NOT_RUN
        tried = question._replace(targets=("local:a", "local:b"))
        assert functions.settle(tried, time.time()).verdict is Verdict.UNKNOWN


@each_row(
    "settled, expected",
    [
        (Settled(Verdict.RUNNING, retry_after=0.2), running(1)),
        (Settled(Verdict.UNKNOWN, reason="unreachable"), running()),
        (Settled(Verdict.UNKNOWN, reason="no_records"), unknown()),
        (
            Settled(Verdict.UNKNOWN, reason="unknown"),
            StepVerdict(Verdict.UNKNOWN, RESULT_LOST),
        ),
        (Settled(Verdict.RAN, kept=False), StepVerdict(Verdict.RAN, RESULT_LOST)),
        (Settled(Verdict.RAN, failure=FunctionFault("Declined")), ran(failure="Declined")),
        (
            Settled(Verdict.RAN, failure=FunctionFault("Problem", reason="sold_out")),
            ran(failure="sold_out"),
        ),
    ],
)
def test_what_an_answer_means_for_a_step(settled: Settled, expected: StepVerdict) -> None:
    """Whole seconds, names of errors, and a question that nobody has answered."""
    assert verdict_of(settled) == expected


def test_a_question_survives_the_process_that_has_asked_it() -> None:
    """It is asked again; its answer, and what is known of the void, are read from the journal."""
    world = World({"pay": _lose})
    world.verdict = not_run(3)
    row = world.start(paying)
    world.drive(paying, row)
    world.clock.advance(60)
    (taken,) = world.journal.take(["paying"], world.clock.now(), 30.0, 1)
    world.verdict = ran("ch_1")
    end = world.drive(paying, taken)
    assert end.answer == Returned("ch_1")
    (first, sent), (second, again) = world.questions
    assert (first.voids, second.voids, second.attempt) == (0, 3, 2)
    assert sent == again is not None, "both are about calls since the first one"
    world.journal.close()


def _lose(_: Json) -> Json:
    raise OutcomeUnknown("")


def test_an_unsafe_step_that_died_with_its_process_is_settled() -> None:
    """It is not called again unless its function proves that it did not run."""
    for verdict, calls in ((not_run(), ["pay"]), (ran("x"), []), (unknown(), ["refund"])):
        world = World()
        world.verdict = verdict
        row = world.start(charging)
        machine = Machine(charging, "r", None)
        (command,) = machine.open.values()
        world.journal.advance(row.key, row.fence, world.clock.now(), [], [command])
        world.clock.advance(60)
        (taken,) = world.journal.take(["charging"], world.clock.now(), 30.0, 1)
        end = world.drive(charging, taken)
        if end.answer is None:  # it waits before it calls again
            world.clock.advance(60)
            (taken,) = world.journal.take(["charging"], world.clock.now(), 30.0, 1)
            world.drive(charging, taken)
        assert world.calls == calls
        assert len(world.questions) == 1
        world.journal.close()


@pytest.fixture(params=["embedded", *sorted(ENGINES)], scope="module")
def process(request: pytest.FixtureRequest, start: Start) -> EngineProcess | None:
    """Return an engine; None for the embedded one."""
    return None if request.param == "embedded" else start(request.param)


def test_no_saga_refunds_what_did_not_run_or_leaves_a_charge(
    process: EngineProcess | None,
) -> None:
    """Calls and answers are lost and late, runs die: `python -m tests.workflow.sagas` does more."""
    for seed in range(1 if process else 5):
        assert flaws_of(seed, process)[0] == [], f"seed {seed}"
