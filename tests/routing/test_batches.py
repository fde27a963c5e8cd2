"""Publishing many events: each has its own fate, and only open ones are sent again."""

from __future__ import annotations

from typing import Any

import pytest

from leeward._routing import FailoverDriver
from leeward._routing.attempts import Core
from leeward._routing.commands import Dispatch
from leeward._routing.execution import execute
from leeward._routing.health import Health
from leeward._routing.targets import Targets
from leeward.adapter import Publish, Result
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward.values import Event
from tests.routing.two_in_flight import two_at_once
from tests.scripted import AMBIGUOUS, AUTH, NOT_SENT, OK, REJECTED, Scripted


def router(*drivers: Scripted) -> FailoverDriver:
    return FailoverDriver(drivers, clock=FakeClock())


def publish(count: int) -> Publish:
    events = tuple(Event("t", id=str(index), source="s") for index in range(count))
    return Publish("bus", events)


def ids(call: object) -> list[str | None]:
    assert isinstance(call, Publish)
    return [event.id for event in call.events]


def test_only_failed_entries_are_sent_again() -> None:
    """What a target has taken is not published twice."""
    a = Scripted("a", Result.ok((OK, REJECTED, OK)), Result.ok((OK,)))
    result = router(a).perform(publish(3), 10.0)
    assert [ids(call) for call in a.calls] == [["0", "1", "2"], ["1"]]
    assert result.value is not None
    assert [entry.outcome for entry in result.value] == [Outcome.OK] * 3


def test_failed_entries_move_and_say_where_they_went() -> None:
    """Each entry names the target that took it."""
    a = Scripted("a", Result.ok((OK, REJECTED)), NOT_SENT)
    b = Scripted("b", Result.ok((OK,)))
    result = router(a, b).perform(publish(2), 10.0)
    assert result.value is not None
    assert [entry.target for entry in result.value] == ["a", "b"]


def test_an_entry_that_is_wrong_is_settled_at_once() -> None:
    """A refused entry is not sent again, and does not spoil the others."""
    wrong: Result[None] = Result(Outcome.CALLER, code="MalformedDetail")
    a = Scripted("a", Result.ok((OK, wrong)))
    result = router(a).perform(publish(2), 10.0)
    assert result.value is not None
    assert [entry.code for entry in result.value] == [None, "MalformedDetail"]
    assert len(a.calls) == 1


def test_an_unknown_entry_stays_unknown() -> None:
    """Ambiguity sticks to its own entry, not to the others."""
    a = Scripted("a", Result.ok((AMBIGUOUS, REJECTED)), Result.ok((REJECTED, REJECTED)), REJECTED)
    result = router(a).perform(publish(2), 10.0)
    assert result.value is not None
    assert [entry.outcome for entry in result.value] == [Outcome.AMBIGUOUS, Outcome.REJECTED]


def test_a_batch_that_fails_as_a_whole_is_one_outcome() -> None:
    """With no entry taken, the result is the failure itself."""
    a = Scripted("a", AUTH)
    result = router(a).perform(publish(2), 10.0)
    assert (result.outcome, result.value) == (Outcome.AUTH, None)


def test_an_answer_that_does_not_count_right_is_unknown() -> None:
    """An answer with another number of entries proves nothing about any of them."""
    short = Result.ok((OK,))
    a = Scripted("a", short, short, short)
    result = router(a).perform(publish(2), 10.0)
    assert (result.outcome, result.code) == (Outcome.AMBIGUOUS, "entry_count")


ONE = Event("t", id="1", source="s")
TWO = Event("t", id="2", source="s")


def answer(*entries: Result[Any]) -> Result[Any]:
    return Result.ok(entries)


def test_each_event_of_a_batch_keeps_its_own_error() -> None:
    """Two events refused for different reasons are not both given the first one's reason."""
    large: Result[None] = Result(Outcome.CALLER, code="too_large")
    wrong: Result[None] = Result(Outcome.CALLER, code="bad_source")
    router = FailoverDriver([Scripted("a", answer(large, wrong))], clock=FakeClock())
    result = router.perform(Publish("bus", (ONE, TWO)), 10.0)
    entries = result.value or (result, result)
    assert [entry.code for entry in entries] == ["too_large", "bad_source"]


def test_an_unknown_event_names_the_target_that_its_error_is_from() -> None:
    """Code and target of what is reported belong to one and the same attempt."""
    a = Scripted("a", Result(Outcome.AMBIGUOUS, code="from a"), Result(Outcome.NOT_SENT))
    b = Scripted("b", Result(Outcome.AMBIGUOUS, code="from b"))
    result = FailoverDriver([a, b], clock=FakeClock()).perform(Publish("bus", (ONE,)), 10.0)
    assert (result.outcome, result.code) == (Outcome.AMBIGUOUS, f"from {result.target}")


def test_events_that_all_went_well_name_their_target() -> None:
    """Taken at once, each event says where; those that shared one result still share one."""
    result = router(Scripted("a", Result.ok((OK,) * 3))).perform(publish(3), 10.0)
    assert result.value is not None
    first, second, third = result.value
    assert first is second is third
    assert (first.outcome, first.target, result.target) == (Outcome.OK, "a", "a")
    assert [attempt.outcome for attempt in result.attempts] == [Outcome.OK]


def test_the_longest_wait_of_all_open_events_counts() -> None:
    """A batch is sent again when the last of its events may be."""
    soon: Result[None] = Result(Outcome.REJECTED, retry_after=1.0)
    late: Result[None] = Result(Outcome.REJECTED, retry_after=5.0)
    a = Scripted("a", answer(soon, late, REJECTED), answer(OK, OK, OK))
    result = router(a).perform(publish(3), 60.0)
    assert 5.0 <= result.attempts[1].started <= 6.25


def test_two_attempts_at_one_batch_settle_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is read by what was sent with it, whatever another one has settled meanwhile."""
    two_at_once(monkeypatch)
    wrong: Result[None] = Result(Outcome.CALLER, code="MalformedDetail")
    for second, outcomes in (
        (Result.ok((OK, OK, wrong)), (Outcome.OK, Outcome.OK, Outcome.CALLER)),
        (Result.ok((REJECTED, OK, OK)), (Outcome.OK, Outcome.OK, Outcome.OK)),
        (REJECTED, (Outcome.OK, Outcome.OK, Outcome.CALLER)),
    ):
        execution = execute(Core(Health(Targets(("a", "b")), lambda: 0.5)), publish(3), 0.0, 10.0)
        in_flight = list(next(execution))
        answers = [Result.ok((OK, REJECTED, wrong)), second, None, Result.ok((OK,))]
        sent: list[list[str | None]] = []
        result: Result[Any] | None = None
        for answer in answers:
            command = in_flight.pop(0)
            sent += [ids(command.call)] if isinstance(command, Dispatch) else []
            try:
                in_flight += execution.send((command, 0.0, 1.0, answer))
            except StopIteration as end:
                result = end.value
                break
        assert result is not None
        assert result.value is not None
        assert tuple(entry.outcome for entry in result.value) == outcomes
        assert sent == [["0", "1", "2"], ["0", "1", "2"], ["1"]][: 3 if second is REJECTED else 2]


def test_an_answer_without_events_is_unknown() -> None:
    """OK without an entry for each event proves nothing, and counts against the target."""
    failover = router(Scripted("a", Result.ok(()), answer(OK)))
    result = failover.perform(publish(1), 10.0)
    assert [each.outcome for each in result.attempts] == [Outcome.AMBIGUOUS, Outcome.OK]
    assert failover.evidence("a").failures == 1
