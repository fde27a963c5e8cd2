"""Who holds a run, and for how long: dead holders, late ones, clocks, and rows of all kinds."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from leeward import Client
from leeward._sqlite import database
from leeward.clock import Clock, SystemClock
from leeward.leases import threads as threads_module
from leeward.leases.holders import Holder, SteadyClock, holder_in, is_gone, this_process
from leeward.leases.rules import is_over, may_begin
from leeward.local import Local
from leeward.testing import FakeClock
from leeward.values import Json
from leeward.values.runs import RunState
from leeward.workflow import Flow, Ref, workflow
from leeward.workflow.commands import Returned, StepFailure
from leeward.workflow.embedded import driving as driving_module
from leeward.workflow.embedded import workers as workers_module
from leeward.workflow.embedded.driving import Drive, RunLease, RunServices, Turns
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.journal import Finished, RunKey, RunRow
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from leeward.workflow.kernel import Machine
from leeward.workflow.steps import functions_called_by
from leeward_contract_tests.rows import each_row
from leeward_contract_tests.workflows.virtual import Died
from tests.workflow.test_driving import NOW, World

Function = Callable[[Any], Any]


@workflow("paying")
def paying(w: Flow, value: Ref) -> None:
    with w.saga("s"):
        w.step("pay", value, undo="refund")
        w.step("ship", value)


@workflow("waiting")
def waiting(w: Flow, _: Ref) -> None:
    with w.parallel("p") as p:
        with p.branch("a"):
            w.step("slow")
        with p.branch("b"):
            w.wait("1d")
            w.step("never")


def _local(functions: dict[str, Function]) -> Local:
    local = Local()
    for name in ("pay", "refund", "ship", "slow", "never"):
        local.function(name)(functions.get(name, lambda payload: payload))
    return local


@contextmanager
def _engine(
    functions: dict[str, Function], path: Path | None, clock: Clock | None = None
) -> Iterator[Engine]:
    with Client(_local(functions)) as client:
        engine = Engine(functions_called_by(client), [paying, waiting], SqliteJournal(path, clock))
        try:
            yield engine
        finally:
            engine.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a journal may lie."""
    tmp_path.chmod(0o700)
    return tmp_path / "j.sqlite3"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what waits a while wait for a moment."""
    monkeypatch.setattr(workers_module, "GRACE", 0.05)
    monkeypatch.setattr(threads_module, "LOOK_AGAIN", 0.05)
    monkeypatch.setattr(driving_module, "LOOK_AGAIN", 0.02)


def _dead() -> Holder:
    """Return a process that was killed a moment ago, and that its parent has not asked for yet."""
    me = this_process()
    assert me is not None
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1
    ) as child:
        began = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19])
        dead = me._replace(pid=child.pid, began=began)
        assert not is_gone(dead, me)
        child.kill()
        until = time.monotonic() + 20
        while not is_gone(dead, me):
            assert time.monotonic() < until
            time.sleep(0.002)
    return dead


def test_a_dead_process_is_told_from_others(subtests: pytest.Subtests) -> None:
    """By its number and its start, before its parent asks for it and behind that."""
    me, dead = this_process(), _dead()
    assert me is not None
    cases = {
        "it was asked for": (dead, True),
        "this one": (me, False),
        "its number was given anew": (me._replace(began=me.began - 1), True),
        "in another container": (dead._replace(space="pid:[1]"), False),
        "before a boot": (dead._replace(boot="another"), False),
        "no number": (dead._replace(pid=-1), False),
    }
    for name, (holder, gone) in cases.items():
        with subtests.test(name):
            assert is_gone(holder, me) is gone
            assert holder_in(str(holder)) == holder
    for text in (None, "", "a b c d", "1"):
        assert holder_in(text) is None


def test_the_rules_of_leases() -> None:
    """One that ends too late was made by a clock that was ahead; its last third begins nothing."""
    assert [is_over(due, 100.0, 60.0) for due in (99.0, 100.0, 100.1, 130.1, 160.0, 160.1)] == [
        *(True, True, False),
        *(False, False, True),
    ]
    assert [may_begin(100.0, now, 30.0) for now in (100.0, 119.9, 120.0, 500.0)] == [
        *(True, True),
        *(False, False),
    ]


class Jumping(SystemClock):
    """The machine's clock, which somebody sets."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Return what it tells."""
        return time.time() + self.ahead


def test_a_clock_that_is_set_moves_no_time_of_a_run() -> None:
    """All processes of a machine agree on it; people see what the clock tells."""
    base = Jumping()
    told: list[float] = []

    def agree(ahead: float) -> float:
        told.append(ahead)
        return told[0]

    first = SteadyClock(base, agree)
    before = first.now()
    base.ahead = -3600.0
    second = SteadyClock(base, agree)
    assert second.now() == pytest.approx(first.now(), abs=1.0)
    assert first.now() == pytest.approx(before, abs=5.0)
    assert first.as_wall(first.now()) == pytest.approx(base.now(), abs=1.0)
    assert len(told) == 2


def test_without_the_id_of_a_boot_leases_go_by_the_wall_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Elsewhere than on Linux nobody knows whether two monotonic clocks are one."""
    monkeypatch.setattr(database, "boot_of_machine", lambda: None)
    base = Jumping()
    clock = database.steady_clock(cast("database.Database", None), base)
    for base.ahead in (0.0, -3600.0, 7200.0):
        assert clock.now() == pytest.approx(base.now(), abs=1.0)
        assert clock.as_wall(5.0) == 5.0


@pytest.mark.usefixtures("impatient")
def test_a_clock_set_by_an_hour_takes_nothing_and_strands_nothing(path: Path) -> None:
    """Nothing from a process that is well, though others look; a dead one's run goes on."""
    under_way, go_on = threading.Event(), threading.Event()
    undone: list[Json] = []

    def pay(_: Json) -> None:
        under_way.set()
        assert go_on.wait(20)

    clock = Jumping()
    with _engine({"pay": pay, "refund": undone.append}, path, clock=clock) as engine:
        engine.start("paying", None, "r")
        assert under_way.wait(20)
        for ahead in (3600.0, -3600.0):
            clock.ahead = ahead
            other = Jumping()
            other.ahead = ahead
            with _engine({}, path, clock=other) as beside:
                beside.start("paying", None, f"beside-{ahead:.0f}")
                assert beside.wait("paying", f"beside-{ahead:.0f}", 20).error is None
                run = beside.get("paying", f"beside-{ahead:.0f}")
                assert run is not None
                assert run.started == pytest.approx(other.now(), abs=60.0)
        row = engine.journal.find(RunKey("paying", "r"))
        assert row is not None
        assert row.fence == 1
        go_on.set()
        assert engine.wait("paying", "r", 20).state is RunState.SUCCEEDED
        # Made before a boot, by a clock that was an hour ahead.
        now = engine._clock.now()
        engine.journal.add(paying, "ahead", None, now + 3600.0, 30.0)
        engine._workers._looked_wide = float("-inf")
        assert engine.wait("paying", "ahead", 20).state is RunState.SUCCEEDED
    assert undone == []


def test_a_run_of_a_dead_process_goes_on_at_once(path: Path) -> None:
    """Its id is started again, or it is waited for: nobody has to ask for more."""
    journal = SqliteJournal(path)
    now = time.time()
    for id in ("started", "waited"):
        journal.add(paying, id, 1, now, 30.0, holder=str(_dead()))
    me = this_process()
    journal.add(paying, "held", 1, now, 30.0, holder=str(me))
    journal.add(paying, "unknown", 1, now, 30.0)
    # An older version took it from the dead one, and said nothing of itself.
    row, _ = journal.add(paying, "taken", 1, now, 30.0, holder=str(_dead()))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET fence = 2 WHERE id = 'taken'")
    journal.close()
    began = time.monotonic()
    with _engine({}, path) as engine:
        assert engine.wait("paying", "waited", 20).state is RunState.SUCCEEDED
    journal = SqliteJournal(path)
    journal.add(paying, "again", 1, now, 30.0, holder=str(_dead()))
    journal.close()
    with _engine({}, path) as engine:
        assert engine.start("paying", 1, "again").state is RunState.RUNNING
        while (run := engine.get("paying", "again")) and run.state is RunState.RUNNING:
            time.sleep(0.005)
        assert time.monotonic() - began < 15.0  # a lease is 30
        states = {run.id: run.state for run in engine.list()}
        waiting_still = {id for id, state in states.items() if state is RunState.RUNNING}
        assert waiting_still == {"held", "unknown", "taken"}
        assert row.fence == 1


def _leased(world: World, row: RunRow, seconds: float = 30.0) -> None:
    means = RunServices(world.journal, world, world.clock)
    Drive(means, row, paying, RunLease(row.fence, world.clock.monotonic(), seconds)).run()


@each_row(
    "is_taken, calls, state",
    [
        (True, ["refund"], RunState.FAILED),
        (False, ["pay", "ship"], RunState.SUCCEEDED),
    ],
)
def test_a_holder_that_was_stopped_calls_nothing_that_is_not_its_own(
    is_taken: bool, calls: list[str], state: RunState
) -> None:
    """It was stopped behind the note of its step. If nobody has taken the run it goes on."""
    world = World()
    row = world.start(paying)
    advance = world.journal.advance

    def stopped(*given: Any) -> Any:
        verdict = advance(*given)
        world.clock.advance(31.0)
        if is_taken and not world.calls:
            (taken,) = world.journal.take(["paying"], world.clock.now(), 30.0, 1)
            _leased(world, taken)
        return verdict

    world.journal.advance = stopped  # type: ignore[assignment,method-assign]
    _leased(world, row)
    found = world.journal.find(row.key)
    assert found is not None
    assert (world.calls, found.state) == (calls, state)


def _killed(world: World, definition: Any, poison: str) -> RunRow:
    """Let workers take the run, one after the other; `poison` kills each that calls it."""
    row: RunRow | None = world.start(definition)
    for _ in range(60):
        if row is not None:
            try:
                world.drive(definition, row)
            except Died:
                assert world.calls[-1] == poison
            found = world.journal.find(row.key)
            assert found is not None
            if found.state is not RunState.RUNNING:
                return found
        world.clock.advance(31.0)
        taken = world.journal.take([definition.name], world.clock.now(), 30.0, 1)
        row = taken[0] if taken else None
    raise AssertionError("the run does not end")


def _die(_: Json) -> Json:
    raise Died


def _fail(_: Json) -> Json:
    raise OSError


def test_a_step_that_kills_its_process_ends() -> None:
    """As often as it may be tried, however it ends; then nobody knows, and it is taken back."""

    @workflow("poison")
    def poison(w: Flow, _: Ref) -> None:
        with w.saga("s"):
            w.step("book", undo="unbook")
            w.step("pay", undo="refund", effect="keyed")

    world = World({"pay": _die})
    found = _killed(world, poison, "pay")
    assert found.answer == StepFailure("Call.Unknown", ambiguous=True)
    assert world.calls == ["book", "pay", "pay", "pay", "refund", "unbook"]

    world = World({"book": _die})
    found = _killed(world, poison, "book")
    assert world.calls == ["book", "unbook"]

    world = World({"refund": _die, "pay": _fail})
    found = _killed(world, poison, "refund")
    assert found.answer == StepFailure("Flow.CompensationFailed", steps=("pay",))
    assert world.calls.count("refund") == 6


def test_a_process_that_is_stopped_by_a_pause_loses_no_call() -> None:
    """A call is lost only with a lease that ended without a word, and only if it was made in it."""
    world = World()
    row = world.start(paying)
    (command,) = Machine(paying, "r", None).open.values()
    world.journal.advance(row.key, row.fence, NOW, [], [command])
    world.journal.release(row.key, row.fence, NOW, NOW)
    (row,) = world.journal.take(["paying"], NOW, 30.0, 1)
    assert world.journal.lost(row.key) == {}
    counts = []
    for _ in range(3):
        world.clock.advance(31.0)
        (row,) = world.journal.take(["paying"], world.clock.now(), 30.0, 1)
        counts.append(world.journal.lost(row.key))
    assert counts == [{("pay", 1): 1}] * 3
    assert world.journal.make_again(row.key, row.fence, "pay", 1) is True
    assert world.journal.make_again(row.key, row.fence - 1, "pay", 1) is False
    world.clock.advance(31.0)
    (row,) = world.journal.take(["paying"], world.clock.now(), 30.0, 1)
    assert world.journal.lost(row.key) == {("pay", 1): 2}


@pytest.mark.usefixtures("impatient")
def test_a_suspect_has_its_turn_while_nothing_unsafe_is_under_way() -> None:
    """Nor is what waits for it noted: if the process dies, that has not run."""
    turns = Turns()
    seen: list[object] = []

    def pay(_: Json) -> None:
        threads[1].start()
        while turns.wait(0.0):
            time.sleep(0.001)

    def suspect() -> None:
        with turns.alone():
            noted = world.journal.events(RunKey("paying", "r"))
            seen.extend([{place: each.answer for place, each in noted.items()}, turns.wait(0.05)])

    world = World({"pay": pay})
    means = RunServices(world.journal, world, world.clock, turns=turns)
    drive = Drive(means, world.start(paying), paying)
    threads = [threading.Thread(target=each, daemon=True) for each in (drive.run, suspect)]
    threads[0].start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert seen == [{("pay", 1): Returned()}, False]
    assert (world.calls, turns._unsafe) == (["pay", "ship"], 0)


@pytest.mark.usefixtures("impatient")
def test_a_reader_that_holds_the_file_loses_no_outcome(path: Path) -> None:
    """The payment has been taken while somebody reads: its end is written when he is done."""
    reader: list[sqlite3.Connection] = []
    undone: list[Json] = []

    def pay(_: Json) -> str:
        assert isinstance(engine.journal, SqliteJournal)
        engine.journal._commits._patience = 0.05
        reader.append(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
        reader[0].execute("BEGIN")
        reader[0].execute("SELECT * FROM runs").fetchall()
        threading.Timer(0.5, lambda: reader[0].execute("COMMIT")).start()
        return "paid"

    with _engine({"pay": pay, "refund": undone.append}, path) as engine:
        engine.start("paying", None, "r")
        assert engine.wait("paying", "r", 20).state is RunState.SUCCEEDED
    reader[0].close()
    assert undone == []


DAMAGE: dict[str, str] = {
    "a state of a later version": "UPDATE runs SET state = 'asleep' WHERE id = 'bad'",
    "a time that is a text": "UPDATE runs SET due = 'soon' WHERE id = 'bad'",
    "a start that is a text": "UPDATE runs SET started = 'today' WHERE id = 'bad'",
    "an input that is no JSON": "UPDATE runs SET input = '{' WHERE id = 'bad'",
    "an input that is not UTF-8": "UPDATE runs SET input = CAST(x'22ff22' AS TEXT)"
    " WHERE id = 'bad'",
    "an answer that is not UTF-8": "UPDATE events SET answer = CAST(x'ff' AS TEXT)",
    "no definition": "DELETE FROM definitions",
    "a definition of a later version": """UPDATE definitions SET document =
        replace(document, '"saga"', '"race"')""",
    "an answer that is none": "UPDATE events SET answer = '[]' WHERE run = 'bad'",
    "an answer that is away": "UPDATE events SET answer = NULL WHERE run = 'bad'",
    "an attempt that is a text": "UPDATE events SET attempt = 'x' WHERE run = 'bad'",
    "an end that is away": "UPDATE runs SET state = 'succeeded', due = NULL WHERE id = 'bad'",
}
"""What somebody has done to the file."""


@workflow("paying")
def older(w: Flow, value: Ref) -> None:
    with w.saga("s"):
        w.step("pay", value)


@pytest.mark.usefixtures("impatient")
@each_row("statement", DAMAGE)
def test_a_run_that_cannot_be_read_stops_nobody(tmp_path: Path, statement: str) -> None:
    """It is there to be seen, is left alone, and can be ended; others go on."""
    tmp_path.chmod(0o700)
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite3"
    journal = SqliteJournal(path)
    row, _ = journal.add(older, "bad", 1, 1.0, 30.0)
    (command,) = Machine(older, "bad", 1).open.values()
    journal.advance(row.key, 1, 1.0, [], [command])
    done = Finished(command, 1.0, Returned(1), 2.0)
    journal.advance(row.key, 1, 2.0, [done], [])
    journal.release(row.key, 1, 2.0, 2.0)
    journal.add(paying, "good", 1, 3.0, None)
    journal.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with _engine({}, path) as engine:
        engine.wake()
        assert engine.wait("paying", "good", 20).state is RunState.SUCCEEDED
        assert engine.wait("paying", "bad", 20).state is RunState.BROKEN
        states = {run.id: run.state.value for run in engine.list()}
        assert states == {"good": "succeeded", "bad": "broken"}
        run = engine.get("paying", "bad")
        assert run is not None
        assert (run.state, run.events == ()) == (
            RunState.BROKEN,
            "answer" in statement or "attempt" in statement,
        )
        assert engine.start("paying", 1, "bad").state is RunState.BROKEN
        if "due = NULL" not in statement:
            engine.abort("paying", "bad")
        engine.start("paying", 1, "new")
        assert engine.wait("paying", "new", 20).state is RunState.SUCCEEDED


class Paying:
    """Clients over one file, whose payments go on until they may end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.called: list[str] = []
        self.under_way, self.go_on = threading.Event(), threading.Event()

    def _pay(self, _: Json) -> None:
        self.under_way.set()
        assert self.go_on.wait(20)
        self.called.append("paid")

    def client(self) -> Client:
        """Open one."""
        local = Local(path=self._path)
        local.function("pay")(self._pay)
        local.function("refund")(lambda _: self.called.append("refunded"))
        local.function("ship")(lambda _: self.called.append("shipped"))
        return Client(local, workflows=[paying])

    def ends_well(self) -> None:
        """Check that the next process goes on with the run, and undoes nothing."""
        with self.client() as cloud:
            assert cloud.wait_for_run("paying", "r", timeout=20).state is RunState.SUCCEEDED
        assert self.called == ["paid", "shipped"]


@pytest.mark.usefixtures("impatient")
def test_closing_waits_for_what_nobody_may_repeat(path: Path) -> None:
    """The payment under way ends and is kept: the next process refunds nothing."""
    shop = Paying(path)
    with shop.client() as cloud:
        cloud.start_workflow("paying", id="r")
        assert shop.under_way.wait(20)
        threading.Timer(0.2, shop.go_on.set).start()
    assert shop.called == ["paid"]
    shop.ends_well()


@pytest.mark.usefixtures("impatient")
def test_who_does_not_wait_leaves_the_journal_to_the_step_that_goes_on(path: Path) -> None:
    """It is open until the payment has ended, and that is kept."""
    shop = Paying(path)
    cloud = shop.client()
    cloud.start_workflow("paying", id="r")
    engine: Any = cloud._operations.runs.at_home
    assert shop.under_way.wait(20)
    cloud.close(timeout=0.0)
    assert shop.called == []
    shop.go_on.set()
    while engine.journal.database._refusal is None:
        time.sleep(0.005)
    shop.ends_well()


@pytest.mark.usefixtures("impatient")
def test_a_cancel_cuts_a_wait_beside_a_step_that_is_under_way() -> None:
    """As in the simulator: what comes behind the wait is not begun, and the step ends by itself."""
    under_way, go_on = threading.Event(), threading.Event()

    def slow(_: Json) -> None:
        under_way.set()
        assert go_on.wait(20)

    clock = FakeClock()
    with _engine({"slow": slow}, None, clock=clock) as engine:
        engine.start("waiting", None, "r")
        assert under_way.wait(20)
        engine.cancel("waiting", "r")
        until = time.monotonic() + 20
        while True:
            run = engine.get("waiting", "r")
            assert run is not None
            ended = {each.path: each.error for each in run.events if each.ended}
            if "wait-1" in ended:
                break
            assert time.monotonic() < until
            time.sleep(0.005)
        assert ended == {"wait-1": "Flow.Cancelled"}
        go_on.set()
        assert engine.wait("waiting", "r", 20).state is RunState.CANCELLED
