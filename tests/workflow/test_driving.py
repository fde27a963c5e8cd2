"""One lease of a run, where something odd happens: a size, a death, a clock, an end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from leeward import FunctionError, Throttled
from leeward.testing import FakeClock
from leeward.values import InvokeResult, Json
from leeward.workflow import ANY, Definition, Flow, Ref, workflow
from leeward.workflow.commands import (
    UNSETTLED,
    Returned,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
)
from leeward.workflow.embedded.driving import Drive, RunServices
from leeward.workflow.embedded.journal import RunRow, SentEvent
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from leeward.workflow.kernel import Machine
from leeward.workflow.limits import most

NOW = 1_750_000_000.0


class World:
    """A journal, a clock and functions, by their names.

    Attributes:
        calls: that were made, in order.
    """

    def __init__(self, functions: Mapping[str, Callable[[Json], Json]] | None = None) -> None:
        self.clock = FakeClock(NOW)
        self.journal = SqliteJournal(None, self.clock)
        self.calls: list[str] = []
        self.closing = False
        self.questions: list[tuple[StepQuestion, float | None]] = []
        self.verdict = UNSETTLED
        self._functions = functions or {}

    def invoke(self, call: StepCall) -> InvokeResult:
        self.calls.append(call.function)
        given = self._functions.get(call.function)
        value = None if given is None else given(call.payload)
        return InvokeResult(value, "local", "key")

    def settle(self, question: StepQuestion, sent: float | None) -> StepVerdict:
        self.questions.append((question, sent))
        return self.verdict

    def drive(self, definition: Definition, row: RunRow) -> RunRow:
        means = RunServices(self.journal, self, self.clock, lambda: self.closing)
        Drive(means, row, definition).run()
        found = self.journal.find(row.key)
        assert found is not None
        return found

    def start(self, definition: Definition) -> RunRow:
        return self.journal.add(definition, "r", None, self.clock.now(), 30.0)[0]


@workflow("growing")
def growing(w: Flow, _: Ref) -> None:
    with w.attempt("a") as a, w.saga("s"):
        w.step("book", undo="unbook")
        w.step("grow")
    with a.on(ANY):
        w.step("tell")
        w.fail("Grown")


def test_what_comes_behind_a_result_that_is_too_large_ends_as_it_ends() -> None:
    """The undo and the handler are called once, and succeed: the result is not kept anywhere."""
    world = World({"grow": lambda _: "x" * most("results")})
    found = world.drive(growing, world.start(growing))
    assert found.answer == StepFailure("Grown")
    assert world.calls == ["book", "grow", "unbook", "tell"]
    events = world.journal.events(found.key)
    assert [
        place[0] for place, noted in events.items() if isinstance(noted.answer, StepFailure)
    ] == ["grow"]


@workflow("paying")
def paying(w: Flow, _: Ref) -> None:
    with w.saga("s"):
        w.step("pay", undo="refund", effect="keyed")


def test_a_call_that_was_repeated_after_a_death_may_have_run_before() -> None:
    """So it is taken back whatever the repeated call says, and however often it is tried again."""

    def throttled(_: Json) -> Json:
        raise Throttled("")

    def failed(_: Json) -> Json:
        raise FunctionError("", error_type="Declined")

    for answer in (throttled, failed):
        world = World({"pay": answer})
        row = world.start(paying)
        (command,) = Machine(paying, "r", None).open.values()
        world.journal.advance(row.key, row.fence, NOW, [], [command])  # it is made, and then
        world.clock.advance(40.0)  # its process dies
        (taken,) = world.journal.take(["paying"], NOW + 40.0, 30.0, 1)
        found = world.drive(paying, taken)
        while found.answer is None:
            world.clock.advance(60.0)
            (taken,) = world.journal.take(["paying"], world.clock.now(), 30.0, 1)
            found = world.drive(paying, taken)
        assert isinstance(found.answer, StepFailure)
        assert world.calls[-1] == "refund"


@workflow("waiting")
def waiting(w: Flow, _: Ref) -> None:
    w.step("one")
    w.wait("1h")
    w.step("two")


def test_a_cancel_holds_at_once_though_its_clock_is_ahead() -> None:
    """Whoever cancels and whoever goes on may be on two machines."""
    world = World()
    row = world.start(waiting)
    world.journal.cancel(row.key, NOW + 5.0)
    found = world.drive(waiting, row)
    assert (found.answer, world.calls) == (StepFailure("Flow.Cancelled", final=True), [])

    world = World()
    world.drive(waiting, world.start(waiting))
    world.journal.cancel(row.key, NOW + 5.0)
    (taken,) = world.journal.take(["waiting"], NOW + 5.0, 30.0, 1)
    found = world.drive(waiting, taken)
    assert (found.answer, world.calls) == (StepFailure("Flow.Cancelled", final=True), ["one"])


def test_a_pause_that_was_noted_is_not_moved_by_a_lease_that_is_renewed() -> None:
    """The lease went back with the pause; who renews leases may not know that yet."""
    world = World()
    row = world.start(waiting)
    world.journal.release(row.key, row.fence, NOW, NOW + 0.1)
    world.journal.renew([(row.key, row.fence)], NOW + 30.0)
    assert world.journal.next_due(["waiting"], NOW) == NOW + 0.1


@workflow("beside")
def beside(w: Flow, _: Ref) -> None:
    with w.parallel("p") as p:
        with p.branch("a"):
            w.step("quick")
            w.step("next")
        with p.branch("b"):
            w.step("slow")


def test_an_engine_that_closes_notes_what_ends_meanwhile() -> None:
    """Of branches beside each other one has ended, and the other one ends a moment later."""
    go_on = threading.Event()

    def quick(_: Json) -> Json:
        world.closing = True
        return None

    def slow(_: Json) -> Json:
        assert go_on.wait(20)
        return "done"

    world = World({"quick": quick, "slow": slow})
    row = world.start(beside)
    driver = threading.Thread(target=world.drive, args=(beside, row), daemon=True)
    driver.start()
    while not (noted := world.journal.events(row.key).get(("quick", 1))) or not noted.answer:
        threading.Event().wait(0.005)
    go_on.set()
    driver.join(5)
    assert not driver.is_alive()
    assert world.journal.events(row.key)["slow", 1].answer == Returned("done")
    assert "next" not in world.calls


def test_a_step_that_was_noted_is_called_though_the_engine_closes_that_moment() -> None:
    """Otherwise the next process would take an unsafe step for one that may have run."""
    world = World()
    row = world.start(waiting)
    closing = iter([False])  # as the step is noted, and not any more behind that
    means = RunServices(world.journal, world, world.clock, lambda: next(closing, True))
    Drive(means, row, waiting).run()
    assert world.calls == ["one"]
    assert world.journal.events(row.key)["one", 1].answer == Returned()
    assert world.journal.next_due(["waiting"], 0.0) == NOW


@workflow("signalled")
def signalled(w: Flow, _: Ref) -> None:
    w.step("one")
    w.event("go", timeout="1h")


def test_an_event_after_the_end_of_a_wait_is_too_late() -> None:
    """Although nobody was there to end it: a process that is down moves no time limit."""
    for sent, end in ((3_600.0, Returned()), (3_601.0, StepFailure("Flow.NoEvent"))):
        world = World()
        row = world.start(signalled)
        world.drive(signalled, row)
        world.clock.advance(7_200.0)
        world.journal.send(row.key, SentEvent(0, "e", "go", None, NOW + sent))
        (taken,) = world.journal.take(["signalled"], NOW + 7_200.0, 30.0, 1)
        assert world.drive(signalled, taken).answer == end


@workflow("thrice")
def thrice(w: Flow, _: Ref) -> None:
    w.step("one")
    w.event("go", timeout="1h", id="first")
    w.wait("1d")
    w.event("go", timeout="1h", id="second")


def test_each_event_is_given_once_though_senders_have_other_clocks() -> None:
    """The order in which they are kept decides, in every lease."""
    world = World()
    row = world.start(thrice)
    world.drive(thrice, row)
    for id, at in (("late", 3_601.0), ("early", 3_599.0)):
        world.journal.send(row.key, SentEvent(0, id, "go", id, NOW + at))
    world.clock.advance(3_700.0)
    (taken,) = world.journal.take(["thrice"], NOW + 3_700.0, 30.0, 1)
    assert world.drive(thrice, taken).answer == StepFailure("Flow.NoEvent")
