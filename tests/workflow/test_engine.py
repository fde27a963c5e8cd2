from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leeward import Client
from leeward.clock import Clock
from leeward.errors import (
    AuthError,
    ConfigError,
    FunctionError,
    InvalidRequest,
    LeewardError,
    NotFound,
    Outcome,
    OutcomeUnknown,
    Overloaded,
    TargetUnavailable,
    TargetUnusable,
    Throttled,
)
from leeward.leases.faults import DatabaseFault
from leeward.local import Local
from leeward.testing import FakeClock
from leeward.values.runs import RunState
from leeward.workflow import ANY, Definition, Flow, Ref, workflow
from leeward.workflow.checks import by_name
from leeward.workflow.embedded import engine as engine_module
from leeward.workflow.embedded.driving import first_steps
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.journal import RunKey, RunRow
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from leeward.workflow.steps import failure_of, functions_called_by
from tests.workflow.flows import order_flow

NAMES = """validate-order update-inventory process-payment ship-order notify-customer
    restore-inventory refund-payment""".split()


@workflow("two")
def two(w: Flow, value: Ref) -> None:
    """Two steps, one after the other."""
    first = w.step("one", value)
    with w.saga("s"):
        w.step("two", first, undo="undo-two")
        w.step("three")
    w.stop(first)


@contextmanager
def _engine(
    functions: dict[str, Callable[..., Any]],
    path: Path | None = None,
    clock: Clock | None = None,
    **options: Any,
) -> Iterator[Engine]:
    local = Local()
    for name in ("one", "two", "three", "undo-two", *NAMES):
        local.function(name)(functions.get(name, lambda _: None))
    with Client(local) as client:
        engine = Engine(
            functions_called_by(client), [two, order_flow], SqliteJournal(path, clock), **options
        )
        try:
            yield engine
        finally:
            engine.close()


def test_a_run_calls_its_steps_and_keeps_their_results() -> None:
    """Through the client, with the run's key; what it has done is there to be read."""
    seen: list[tuple[Any, str]] = []

    def one(payload: Any, context: Any) -> Any:
        seen.append((payload, context.idempotency_key))
        return {"n": 1}

    with _engine({"one": one}) as engine:
        started = engine.start("two", {"a": 1}, "r1")
        assert (started.state, started.digest) == (RunState.RUNNING, two.digest)
        run = engine.wait("two", "r1", 20)
        assert (run.state, run.result, run.error) == (RunState.SUCCEEDED, {"n": 1}, None)
        found = engine.get("two", "r1")
        assert found is not None
        assert [each.path for each in found.events] == ["one", "two", "three"]
        assert all(each.ended and each.ended >= each.began for each in found.events)
        assert engine.get("two", "other") is None
        assert [each.id for each in engine.list("two")] == ["r1"]
    assert seen == [({"a": 1}, "two/r1/one")]


def test_a_run_begins_with_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are one commit; a run that no worker is free for begins when it is taken."""
    begun: dict[str, list[str]] = {}
    notes: list[str] = []

    @workflow("repeatable")
    def repeatable(w: Flow, _: Ref) -> None:
        w.step("one", effect="idempotent")
        w.step("two")

    with _engine({}, workers=1) as engine:
        engine.definitions["repeatable"] = repeatable
        add, advance = engine.journal.add, engine.journal.advance

        def start(definition: Definition, id: str, *rest: Any, **more: Any) -> Any:
            begun[id] = [each.path for each in more["begun"]]
            if id == "first":  # the worker is its own before it is written
                engine.start("repeatable", None, "second")
            return add(definition, id, *rest, **more)

        def note(key: RunKey, *rest: Any) -> Any:
            notes.append(key.id)
            return advance(key, *rest)

        monkeypatch.setattr(engine.journal, "add", start)
        monkeypatch.setattr(engine.journal, "advance", note)
        engine.start("repeatable", None, "first")
        for id in ("first", "second"):
            assert engine.wait("repeatable", id, 20).state is RunState.SUCCEEDED
    assert begun == {"first": ["one"], "second": []}
    assert [notes.count(id) for id in ("first", "second")] == [1, 2]


def test_an_unsafe_step_is_not_noted_before_its_turn() -> None:
    """A call that may have ended its process is made while none is believed to be under way."""

    @workflow("both")
    def both(w: Flow, _: Ref) -> None:
        with w.parallel("p") as p:
            with p.branch("a"):
                w.step("pay")
            with p.branch("b"):
                w.step("look", effect="idempotent")

    (only,) = first_steps(both, "r", "null", 1.0).commands
    assert only.path.startswith("look")


def test_what_is_wrong_with_a_start_is_told_before_anything_is_written(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Names, ids and sizes; and a journal that is not one."""
    path = tmp_path / "j.sqlite3"
    with _engine({}, path) as engine:
        cases: list[tuple[Callable[[], object], type[Exception], str]] = [
            (lambda: engine.start("three", None, "r"), NotFound, "known: order, two"),
            (lambda: engine.start("two", None, "a b"), InvalidRequest, "letters, digits"),
            (lambda: engine.start("two", None, ""), InvalidRequest, "letters, digits"),
            (lambda: engine.start("two", "x" * 40_000, "r"), InvalidRequest, "pass a key"),
            (lambda: engine.get("two", "a/b"), InvalidRequest, "letters, digits"),
            (lambda: engine.wait("two", "r", 0), NotFound, "no run 'r' of 'two'"),
            (lambda: engine.cancel("two", "r"), NotFound, "no run 'r' of 'two'"),
            (lambda: engine.abort("two", "r"), NotFound, "no run 'r' of 'two'"),
            (lambda: by_name([two, order_flow, 3]), ConfigError, "not a int"),  # type: ignore[list-item]
            (lambda: by_name([two, two._replace(timeout=5)]), ConfigError, "two workflows"),
        ]
        for call, kind, told in cases:
            with subtests.test(told), pytest.raises(kind, match=told):
                call()
        assert engine.list() == []
    with pytest.raises(LeewardError, match="closed; open a new one"):
        engine.start("two", None, "r")


def test_a_cancelled_run_compensates() -> None:
    """The step under way ends; what was done is taken back."""
    under_way, go_on = threading.Event(), threading.Event()
    undone: list[Any] = []

    def second(_: object) -> str:
        under_way.set()
        assert go_on.wait(20)
        return "booked"

    with _engine({"two": second, "undo-two": undone.append}) as engine:
        engine.start("two", None, "r1")
        assert under_way.wait(20)
        assert engine.cancel("two", "r1").state is RunState.RUNNING
        go_on.set()
        run = engine.wait("two", "r1", 20)
        assert (run.state, run.error) == (RunState.CANCELLED, "Flow.Cancelled")
        assert engine.cancel("two", "r1").state is RunState.CANCELLED
    assert [each["result"] for each in undone] == ["booked"]


def test_a_wait_holds_no_worker_and_is_ended_by_a_cancel() -> None:
    """Runs that wait for long are rows with a time, so one worker takes many."""

    @workflow("waiting")
    def waiting(w: Flow, _: Ref) -> None:
        with w.attempt("a") as a:
            w.wait("1d")
        with a.on(ANY):
            w.step("one")

    told: list[Any] = []
    with _engine({"one": told.append}, workers=1) as engine:
        engine.definitions["waiting"] = waiting
        for number in range(5):
            engine.start("waiting", None, f"r{number}")
        engine.start("two", None, "beside")
        assert engine.wait("two", "beside", 20).state is RunState.SUCCEEDED
        engine.cancel("waiting", "r3")
        assert engine.wait("waiting", "r3", 20).state is RunState.CANCELLED
        assert engine.list("waiting")[0].state is RunState.RUNNING
    assert len(told) == 2


def test_the_last_branch_under_way_is_called_once() -> None:
    """When all others have ended, its call is still the one that was made."""

    @workflow("beside")
    def beside(w: Flow, _: Ref) -> None:
        with w.parallel("p") as p:
            with p.branch("a"):
                w.step("one")
            with p.branch("b"):
                w.step("two")

    go_on = threading.Event()
    calls: list[object] = []

    def second(payload: object) -> None:
        calls.append(payload)
        assert go_on.wait(20)

    with _engine({"two": second}) as engine:
        engine.definitions["beside"] = beside
        engine.start("beside", None, "r1")
        while True:
            found = engine.get("beside", "r1")
            assert found is not None
            if any(each.path == "one" and each.ended for each in found.events):
                break
            threading.Event().wait(0.005)
        go_on.set()
        assert engine.wait("beside", "r1", 20).state is RunState.SUCCEEDED
    assert len(calls) == 1


def test_a_run_that_was_paused_and_taken_again_keeps_its_new_lease() -> None:
    """The worker that has paused it is slow to say so; another one goes on with it meanwhile."""

    @workflow("napping")
    def napping(w: Flow, _: Ref) -> None:
        w.wait(1)
        w.step("one")

    under_way, go_on = threading.Event(), threading.Event()

    def one(_: object) -> None:
        under_way.set()
        assert go_on.wait(20)

    with _engine({"one": one}) as engine:
        engine.definitions["napping"] = napping
        release = engine.journal.release

        def slowly(*given: Any, **more: Any) -> None:
            release(*given, **more)
            assert under_way.wait(20)

        engine.journal.release = slowly  # type: ignore[method-assign]
        engine.start("napping", None, "r")
        assert under_way.wait(20)
        workers = engine._workers
        until = time.monotonic() + 5
        while len(workers.held) != 1 and time.monotonic() < until:
            time.sleep(0.005)
        (held,) = workers.held
        assert (held.row.key.id, held.row.fence > 1) == ("r", True)
        go_on.set()
        assert engine.wait("napping", "r", 20).state is RunState.SUCCEEDED


def test_a_clock_that_jumps_takes_no_run_from_its_own_process() -> None:
    """As after a machine has slept: the leases are over, and the steps are still under way."""
    clock = FakeClock()
    under_way, go_on = threading.Event(), threading.Event()

    def second(_: object) -> None:
        under_way.set()
        assert go_on.wait(20)

    with _engine({"two": second}, clock=clock) as engine:
        engine.start("two", None, "r")
        assert under_way.wait(20)
        take, looked = engine.journal.take, threading.Event()

        def taking(*given: Any, **named: Any) -> Any:
            taken = take(*given, **named)
            looked.set()
            return taken

        engine.journal.take = taking  # type: ignore[method-assign]
        clock.advance(3600.0)
        engine.wake()
        assert looked.wait(20)
        found = engine.journal.find(RunKey("two", "r"))
        assert found is not None
        assert found.fence == 1
        go_on.set()
        assert engine.wait("two", "r", 20).state is RunState.SUCCEEDED


def test_who_waits_waits_out_a_fault_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is restarted is back in time, or the wait's time is up."""
    monkeypatch.setattr(engine_module, "LOOK_AGAIN", 0.001)
    with _engine({}) as engine:
        engine.start("two", None, "r")
        engine.wait("two", "r", 20)
        find, faults = engine.journal.find, [Outcome.AMBIGUOUS, Outcome.NOT_SENT, Outcome.REJECTED]

        def find_later(key: RunKey) -> RunRow | None:
            if faults:
                raise DatabaseFault(faults.pop(), "restarted", "the server is gone")
            return find(key)

        monkeypatch.setattr(engine.journal, "find", find_later)
        assert engine.wait("two", "r", 20).state is RunState.SUCCEEDED
        faults += [Outcome.NOT_SENT] * 1000
        with pytest.raises(TargetUnavailable, match="the server is gone"):
            engine.wait("two", "r", 0.01)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.AMBIGUOUS, OutcomeUnknown),
        (Outcome.NOT_SENT, TargetUnavailable),
        (Outcome.REJECTED, Throttled),
        (Outcome.UNUSABLE, TargetUnusable),
        (Outcome.AUTH, AuthError),
        (Outcome.LOCAL, LeewardError),
    ],
)
def test_a_fault_of_the_journal_says_what_it_proves(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, kind: type[LeewardError]
) -> None:
    """Whether a run was started, above all; and whose fault it is."""

    def fail(*_: object, **__: object) -> None:
        raise DatabaseFault(outcome, "word", "it could not be done")

    with _engine({}) as engine:
        monkeypatch.setattr(engine.journal, "add", fail)
        with pytest.raises(LeewardError, match="it could not be done") as caught:
            engine.start("two", None, "r")
    assert type(caught.value) is kind
    assert caught.value.target == "local"


def test_what_the_clients_exceptions_mean(subtests: pytest.Subtests) -> None:
    """Proved not to have run, refused, or unknown; a function's error is known by its class."""
    cases: list[tuple[LeewardError, str, bool]] = [
        (Throttled("x"), "Call.Throttled", False),
        (TargetUnavailable("x"), "Call.NotSent", False),
        (Overloaded("x"), "Call.NotSent", False),
        (TargetUnusable("x"), "Call.NotSent", False),
        (NotFound("x"), "Call.Refused", False),
        (AuthError("x"), "Call.Refused", False),
        (InvalidRequest("x"), "Call.Refused", False),
        (ConfigError("x"), "Call.Refused", False),
        (OutcomeUnknown("x"), "Call.Unknown", True),
        (OutcomeUnknown("x", reason="timeout"), "Call.Timeout", True),
        (FunctionError("x", error_type="CardDeclined"), "CardDeclined", False),
        (FunctionError("x", error_type="shop.errors.CardDeclined"), "CardDeclined", False),
        # A function cannot claim that it did not run, and can say that it does not know.
        (FunctionError("x", error_type="Throttled"), "Throttled", False),
        (FunctionError("x", error_type="OutcomeUnknown"), "Call.Unknown", True),
        (FunctionError("x", error_type="a b"), "Call.Failed", False),
        (FunctionError("x"), "Call.Failed", False),
        # A problem is known by its reason, unless it has a class of its own.
        (FunctionError("x", error_type="Problem", reason="sold_out", ran="no"), "sold_out", False),
        (FunctionError("x", error_type="SoldOut", reason="sold_out", ran="no"), "SoldOut", False),
        (FunctionError("x", error_type="Problem", reason="Call.NotSent"), "Problem", False),
        (FunctionError("x", error_type="E", reason="timed_out"), "Call.Timeout", True),
        (FunctionError("x", error_type="E", reason="crashed"), "Call.Unknown", True),
    ]
    for error, name, ambiguous in cases:
        with subtests.test(f"{type(error).__name__} {name}"):
            assert failure_of(error)[:2] == (name, ambiguous)


def test_the_journal_of_another_program_is_refused(tmp_path: Path) -> None:
    """A store of items is not a journal, and a journal is not a store."""
    path = tmp_path / "store.sqlite3"
    with Client(Local(path=path)) as client:
        client.store_data("t", {"id": "1"})
    with pytest.raises(ConfigError, match="another program's tables"):
        SqliteJournal(path).find(RunKey("a", "b"))
