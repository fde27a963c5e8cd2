"""What every journal of runs does: tests for whoever opens one.

Whoever derives from `JournalContract` has a fixture `journal`: an empty one, by a clock of a test.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from leeward.values import Effect
from leeward.values.runs import RunState
from leeward.values.settled import Verdict
from leeward.workflow import Flow, Ref, workflow
from leeward.workflow.commands import (
    Answer,
    Command,
    Returned,
    Sleep,
    StepCall,
    StepFailure,
    StepVerdict,
)
from leeward.workflow.embedded.journal import (
    Finished,
    Journal,
    OpenWait,
    RunCount,
    RunHolder,
    RunKey,
    SentEvent,
    Unreadable,
)
from leeward.workflow.model import CANCELLED, DEADLINE, Definition

NOW = 1_000.0
ODD = 'a "quoted", {braced} \\ text\nof two lines, with \x00, NULL and \U0001f600'
"""What a store may read as something of its own."""


@workflow("one", timeout=60)
def one(w: Flow, order: Ref) -> None:
    """One step."""
    w.step("work", order)


@workflow("two")
def two(w: Flow, order: Ref) -> None:
    """Another one."""
    w.step("work", order)


def call(path: str, *, guarded: bool = True, attempt: int = 1) -> StepCall:
    """Return a call of a step."""
    return StepCall(path, attempt, "work", None, f"k/{path}", Effect.UNSAFE, 30, guarded)


def end(path: str, answer: Answer | StepVerdict) -> Finished:
    """Return the end of such a call."""
    return Finished(call(path), NOW, answer, NOW + 1)


class JournalContract:
    """What every journal does."""

    def test_a_run_is_added_once(self, journal: Journal) -> None:
        """Who adds it again gets the one that is there, and no lease."""
        row, is_new = journal.add(one, "r", {"n": ODD}, NOW, 30.0)
        assert is_new
        assert row.key == RunKey("one", "r")
        assert (row.digest, row.state, row.fence) == (one.digest, RunState.RUNNING, 1)
        assert (row.started, row.deadline) == (NOW, NOW + 60)
        again, is_new = journal.add(one, "r", {"n": 2}, NOW + 5, 30.0)
        assert not is_new
        assert again == row
        assert journal.find(row.key) == row
        assert journal.find(RunKey("one", "absent")) is None

    def test_what_a_run_begins_with_is_noted_with_it(self, journal: Journal) -> None:
        """Of a run that was there before nothing is noted, though its lease has the same number."""
        begun: list[Command] = [call("a"), Sleep("p", 1, 5, True)]
        row, is_new = journal.add(one, "r", None, NOW, 30.0, begun=begun)
        assert is_new
        assert {place: record.due for place, record in journal.events(row.key).items()} == {
            ("a", 1): None,
            ("p", 1): NOW + 5,
        }
        assert journal.advance(row.key, 1, NOW + 1, [end("a", Returned(ODD))], [])
        again, is_new = journal.add(one, "r", None, NOW + 2, 30.0, begun=[call("a"), call("b")])
        assert (again.fence, is_new) == (1, False)
        assert set(journal.events(row.key)) == {("a", 1), ("p", 1)}
        assert journal.events(row.key)["a", 1].answer == Returned(ODD)

    def test_a_lease_ends_by_its_time(self, journal: Journal) -> None:
        """And what is due first is taken first, of known workflows alone, up to a limit."""
        for at, id in enumerate(("a", "b", "c")):
            journal.add(one, id, None, NOW - at, None)
        journal.add(two, "other", None, NOW, None)
        assert journal.take(["absent"], NOW, 30.0, 5) == []
        assert [row.key.id for row in journal.take(["one"], NOW, 30.0, 2)] == ["c", "b"]
        assert [row.key.id for row in journal.take(["one"], NOW, 30.0, 2)] == ["a"]
        assert journal.take(["one"], NOW + 29, 30.0, 5) == []
        assert journal.next_due(["one"], NOW) == NOW + 30
        assert journal.next_due(["absent"], NOW) is None
        assert journal.take(["one"], NOW + 31, 30.0, 5, grace=10.0) == []
        taken = journal.take(["one"], NOW + 31, 30.0, 5)
        assert {(row.key.id, row.fence) for row in taken} == {("a", 3), ("b", 3), ("c", 3)}

    def test_only_the_last_lease_may_write(self, journal: Journal) -> None:
        """Who slept for too long changes nothing any more."""
        first, _ = journal.add(one, "r", None, NOW, 30.0)
        (second,) = journal.take(["one"], NOW + 31, 30.0, 1)
        key, now = first.key, NOW + 32
        assert journal.advance(key, first.fence, now, [], [call("late")]) is False
        assert journal.finish(key, first.fence, now, [], Returned()) is False
        journal.release(key, first.fence, now, now)
        assert journal.renew([(key, first.fence), (key, second.fence)], now + 30) == [False, True]
        assert journal.renew([], now) == []
        assert journal.take(["one"], now + 29, 30.0, 1) == []
        assert journal.events(key) == {}
        assert journal.finish(key, second.fence, now, [end("a", Returned(ODD))], Returned(ODD))
        assert journal.finish(key, second.fence, now, [], Returned()) is False
        row = journal.find(key)
        assert row is not None
        assert (row.state, row.answer, row.ended) == (RunState.SUCCEEDED, Returned(ODD), now)
        assert journal.events(key)["a", 1].answer == Returned(ODD)

    def test_what_a_run_has_done_is_kept(self, journal: Journal) -> None:
        """In every form that an answer has; what is noted twice is noted once."""
        row, _ = journal.add(one, "r", None, NOW, 30.0)
        failure = StepFailure("Wrong", True, ("a", "b"), False, True, ("local",))
        answers: list[Answer | StepVerdict] = [
            Returned({"deep": [1, 2.5, None, ODD]}),
            failure,
            StepVerdict(Verdict.RAN, failure, 3, 2),
            StepVerdict(Verdict.RUNNING, None, 1, 0),
        ]
        begun = [call(f"s{at}") for at in range(len(answers))]
        ended = [end(f"s{at}", answer) for at, answer in enumerate(answers)]
        pause = Sleep("pause", 1, 5, True)
        for _ in range(2):
            assert journal.advance(row.key, 1, NOW, [], [*begun, pause]) is True
            assert journal.advance(row.key, 1, NOW + 1, ended, []) is True
        events = journal.events(row.key)
        assert [events[f"s{at}", 1].answer for at in range(len(answers))] == answers
        assert events["pause", 1].due == NOW + 5
        assert events["pause", 1].ended is None

    def test_a_cancel_and_a_deadline_let_nothing_guarded_begin(self, journal: Journal) -> None:
        """What is to be compensated begins all the same."""
        for id, word, at in (("c", CANCELLED, NOW), ("d", DEADLINE, NOW + 60)):
            row, _ = journal.add(one, id, None, NOW, 100.0)
            if id == "c":
                assert journal.cancel(row.key, NOW) is not None
                journal.cancel(row.key, NOW + 9)
            begun = [call("guarded"), call("undo", guarded=False)]
            refusal = StepFailure(word, final=True)
            assert journal.advance(row.key, 1, at, [], begun) == refusal
            events = journal.events(row.key)
            assert (events["guarded", 1].ended, events["guarded", 1].answer) == (at, refusal)
            assert events["undo", 1].ended is None
            assert journal.advance(row.key, 1, at, [], begun[1:]) is True
        found = journal.find(RunKey("one", "c"))
        assert found is not None
        assert found.cancelled == NOW

    def test_a_cancel_wakes_a_run_that_waits(self, journal: Journal) -> None:
        """One whose lease is held stays with its holder."""
        row, _ = journal.add(one, "r", None, NOW, 30.0)
        journal.cancel(row.key, NOW + 1)
        assert journal.take(["one"], NOW + 2, 30.0, 1) == []
        journal.release(row.key, 1, NOW + 2, NOW + 1000)
        assert len(journal.take(["one"], NOW + 2, 30.0, 1)) == 1
        waiting, _ = journal.add(one, "w", None, NOW, 30.0)
        journal.release(waiting.key, 1, NOW, NOW + 1000)
        assert journal.take(["one"], NOW + 2, 30.0, 1) == []
        journal.cancel(waiting.key, NOW + 2)
        assert [row.key for row in journal.take(["one"], NOW + 2, 30.0, 1)] == [waiting.key]

    def test_an_event_is_kept_once_and_wakes_a_run_that_waits(self, journal: Journal) -> None:
        """Whoever holds the run sees it before the lease is back, and nobody sends to the dead."""
        row, _ = journal.add(one, "r", None, NOW, 30.0)
        first = SentEvent(0, "e1", "paid", {"by": ODD}, NOW + 1)
        assert journal.send(row.key, first).earlier is None
        assert journal.take(["one"], NOW + 2, 30.0, 1) == []  # it is held
        again = journal.send(row.key, first._replace(value=2, at=NOW + 9))
        assert again == (row, first._replace(seq=1))
        assert journal.arrivals(row.key, 0) == [first._replace(seq=1)]
        journal.release(row.key, 1, NOW + 2, NOW + 1000, 1)
        assert journal.take(["one"], NOW + 2, 30.0, 1) == []
        journal.send(row.key, first._replace(id="e2", at=NOW + 3))
        (row,) = journal.take(["one"], NOW + 3, 30.0, 1)
        assert [event.id for event in journal.arrivals(row.key, 1)] == ["e2"]
        journal.release(row.key, row.fence, NOW + 4, NOW + 1000, 1)  # it has not seen the second
        (row,) = journal.take(["one"], NOW + 4, 30.0, 1)
        journal.release(row.key, row.fence, NOW + 5, NOW + 1000)  # it waits for none
        assert journal.take(["one"], NOW + 5, 30.0, 1) == []
        journal.abort(row.key, NOW + 6)
        over = journal.send(row.key, first._replace(id="e3"))
        assert (over.run and over.run.state, over.earlier) == (RunState.ABORTED, None)
        assert [event.id for event in journal.arrivals(row.key, 0)] == ["e1", "e2"]
        assert journal.send(row.key, first).earlier == first._replace(seq=1)
        assert journal.send(RunKey("one", "absent"), first).run is None

    def test_what_runs_wait_for_can_be_seen(self, journal: Journal) -> None:
        """With the question, until the wait or the run has ended."""
        waits = []
        for id in ("a", "b"):
            row, _ = journal.add(one, id, None, NOW, 30.0)
            wait = Sleep(f"w-{id}", 1, 50.0, True, None, ("yes", "no"), {"ask": ODD})
            assert journal.advance(row.key, 1, NOW, [], [Sleep("p", 1, 5, True), wait]) is True
            waits.append(OpenWait(row.key, wait.path, NOW + 50, wait.names, wait.question))
        assert journal.waits(10) == waits
        assert (journal.waits(1), journal.waits(9, RunKey("one", "b"))) == (waits[:1], waits[1:])
        assert journal.events(RunKey("one", "a"))["w-a", 1].answer is None
        ended = Finished(wait, NOW, Returned({"event": "yes", "value": None}), NOW + 1)
        assert journal.advance(RunKey("one", "b"), 1, NOW + 1, [ended], []) is True
        journal.abort(RunKey("one", "a"), NOW + 1)
        assert journal.waits(10) == []

    def test_an_abort_ends_a_run_at_once(self, journal: Journal) -> None:
        """Whoever goes on with it has lost it."""
        row, _ = journal.add(one, "r", None, NOW, 30.0)
        found = journal.abort(row.key, NOW + 1)
        assert found is not None
        assert (found.state, found.ended) == (RunState.ABORTED, NOW + 1)
        assert journal.abort(row.key, NOW + 5) == found
        assert journal.cancel(row.key, NOW + 5) == found
        assert journal.advance(row.key, 1, NOW + 2, [], []) is False
        for method in (journal.abort, journal.cancel):
            assert method(RunKey("one", "absent"), NOW) is None

    def test_calls_that_died_with_their_process_are_counted(self, journal: Journal) -> None:
        """Once for each lease in which they were made; a pause is no call."""
        row, _ = journal.add(one, "r", None, NOW, 30.0)
        begun: list[Command] = [call("a"), Sleep("p", 1, 5, True)]
        assert journal.advance(row.key, 1, NOW, [end("b", Returned())], begun)
        (row,) = journal.take(["one"], NOW + 31, 30.0, 1)
        assert journal.lost(row.key) == {("a", 1): 1}
        assert journal.make_again(row.key, 1, "a", 1) is False
        (row,) = journal.take(["one"], NOW + 62, 30.0, 1)
        assert journal.lost(row.key) == {("a", 1): 1}
        assert journal.make_again(row.key, row.fence, "a", 1) is True
        assert journal.make_again(row.key, row.fence, "absent", 1) is False
        (row,) = journal.take(["one"], NOW + 93, 30.0, 1)
        assert journal.lost(row.key) == {("a", 1): 2}

    def test_leases_of_the_dead_are_taken_at_once(self, journal: Journal) -> None:
        """By their fence: one that was renewed by another lease is not meant."""
        row, _ = journal.add(one, "r", None, NOW, 30.0, holder="boot space 1 2")
        journal.add(two, "r", None, NOW, None)
        (lease,) = journal.holders(["one", "two"], NOW + 30)
        assert lease == RunHolder("one", "r", 1, NOW + 30, "1 boot space 1 2")
        assert journal.holders(["one"], NOW + 29) == []
        old = lease._replace(fence=7)
        assert journal.take(["one"], NOW, 30.0, 1, over=[old]) == []
        (taken,) = journal.take(["one"], NOW, 30.0, 1, over=[lease, lease], holder="b s 3 4")
        assert taken.fence == row.fence + 1
        (lease,) = journal.holders(["one"], NOW + 30)
        assert (lease.fence, lease.holder) == (2, "2 b s 3 4")

    def test_leases_of_two_times_have_two_fences(self, journal: Journal) -> None:
        """So who holds a run is refused in a copy of an earlier time, where another one took it."""
        fences = set()
        for id, time in (("r", 1.8e9), ("as r was before", 1.8e9 + 5)):
            journal.add(one, id, None, time, None)
            (row,) = journal.take(["one"], time, 30.0, 1)
            fences.add(row.fence)
        assert len(fences) == 2

    def test_versions_that_are_left_are_not_seen(self, journal: Journal) -> None:
        """By the digest of their definition: what is due is the first of the others."""
        for id in ("a", "b", "c"):
            journal.add(one, id, None, NOW, None)
        journal.add(two, "d", None, NOW + 2, None)
        left, both = [one.digest], ["one", "two"]
        assert journal.next_due(both, NOW - 1, left) == NOW + 2
        assert journal.take(both, NOW + 1, 30.0, 9, left=left) == []
        (taken,) = journal.take(both, NOW + 2, 30.0, 9, left=left)
        assert taken.key == RunKey("two", "d")
        assert [row.key.id for row in journal.take(both, NOW + 2, 30.0, 2)] == ["a", "b"]
        assert [lease.id for lease in journal.holders(both, NOW + 99, left)] == ["d"]

    def test_a_run_that_is_set_aside_is_left_alone(self, journal: Journal) -> None:
        """Until another version takes it; an abort ends it."""
        row, _ = journal.add(one, "r", None, NOW, 30.0)
        journal.set_aside(row.key)
        assert journal.take(["one"], NOW + 60, 30.0, 1) == []
        found = journal.find(row.key)
        assert found is not None
        assert found.state is RunState.BROKEN
        found = journal.abort(row.key, NOW + 61)
        assert found is not None
        assert found.state is RunState.ABORTED

    def test_definitions_are_kept_under_their_digests(self, journal: Journal) -> None:
        """A run stays with the one that it began with."""
        journal.add(one, "r", None, NOW, None)
        definition: Definition = journal.definition(one.digest)
        assert definition.digest == one.digest
        with pytest.raises(Unreadable):
            journal.definition("absent")

    def test_the_latest_runs_come_first(self, journal: Journal) -> None:
        """Of one workflow, or of all."""
        for at, flow in enumerate((one, two, one)):
            journal.add(flow, f"r{at}", None, NOW + at, None)
        assert [row.key.id for row in journal.runs(None, 10)] == ["r2", "r1", "r0"]
        assert [row.key.id for row in journal.runs("one", 10)] == ["r2", "r0"]
        assert [row.key.id for row in journal.runs(None, 1)] == ["r2"]

    def test_runs_are_counted_whatever_their_answers_hold(self, journal: Journal) -> None:
        """Those that have left steps as they were are counted among the failed ones."""
        answers: dict[str, Answer] = {
            "a": Returned({"error": {"steps": [ODD]}}),
            "b": StepFailure(ODD, False, ("s",), True),
            "c": StepFailure('"steps":["', False, (), True),
        }
        for id, answer in answers.items():
            row, _ = journal.add(one, id, None, NOW, 30.0)
            assert journal.finish(row.key, 1, NOW, [], answer)
        journal.add(one, "due", None, NOW, None)
        assert journal.count_runs(NOW) == [
            RunCount("one", RunState.FAILED, 2, 0, 1),
            RunCount("one", RunState.RUNNING, 1, 1, 0),
            RunCount("one", RunState.SUCCEEDED, 1, 0, 0),
        ]

    def test_many_threads_take_each_run_once(self, journal: Journal) -> None:
        """And what they write at one time is all there."""
        for at in range(40):
            journal.add(one, f"r{at}", None, NOW, None)

        def work(_: int) -> list[str]:
            rows = journal.take(["one"], NOW + 1, 30.0, 5)
            for row in rows:
                assert journal.advance(row.key, row.fence, NOW, [], [call("a")]) is True
                assert journal.finish(
                    row.key, row.fence, NOW, [end("a", Returned(row.key.id))], Returned()
                )
            return [row.key.id for row in rows]

        with ThreadPoolExecutor(8) as pool:
            taken = [id for ids in pool.map(work, range(16)) for id in ids]
        assert sorted(taken) == sorted(f"r{at}" for at in range(40))
        for id in taken:
            assert journal.events(RunKey("one", id))["a", 1].answer == Returned(id)
