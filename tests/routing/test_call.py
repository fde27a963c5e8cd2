"""The state machine of one call, step by step, with values only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.errors import Outcome
from leeward.routing.call import (
    BACKOFF_BASE,
    LEAST_ATTEMPT,
    MAX_ATTEMPTS,
    MAX_TARGETS,
    RETRY_AFTER_CAP,
    RETRY_AFTER_JITTER,
    Answered,
    AskBack,
    AskedBack,
    CallSpec,
    CallState,
    Command,
    Ending,
    Event,
    Finish,
    Pause,
    Send,
    Verdict,
    Woken,
    begin,
    step,
)
from leeward.routing.outcomes import ANYWHERE, NOWHERE, SAME_TARGET, TABLE, Resend

THREE = ("a", "b", "c")


def spec(
    candidates: tuple[str, ...] = ("a", "b"),
    resend: Resend = NOWHERE,
    *,
    read_back: bool = False,
    deadline: float = 60.0,
    time_limit: float = 0.0,
) -> CallSpec:
    return CallSpec(candidates, resend, read_back, 0.0, deadline, time_limit)


def answers(spec: CallSpec, *outcomes: Outcome) -> list[Command]:
    """Feed outcomes, waking from every pause at once, and list the commands."""
    state, command = begin(spec)
    seen: list[Command] = [command]
    feed = iter(outcomes)
    while not isinstance(command, Finish):
        event: Event = Woken() if isinstance(command, Pause) else Answered(next(feed))
        state, command = step(state, event, 0.0, lambda: 0.5)
        seen.append(command)
    return seen


def targets(commands: list[Command]) -> str:
    return "".join(command.target for command in commands if isinstance(command, Send))


def ending(commands: list[Command]) -> Ending:
    last = commands[-1]
    assert isinstance(last, Finish)
    return last.ending


ENDLESS = 9


@pytest.mark.parametrize(
    ("outcome", "resend", "expected"),
    [
        (Outcome.OK, NOWHERE, "a"),
        (Outcome.LOCAL, NOWHERE, "aab"),
        (Outcome.NOT_SENT, NOWHERE, "aab"),
        (Outcome.REJECTED, NOWHERE, "aab"),
        (Outcome.UNUSABLE, NOWHERE, "ab"),
        (Outcome.AMBIGUOUS, NOWHERE, "a"),
        (Outcome.AMBIGUOUS, SAME_TARGET, "aa"),
        (Outcome.AMBIGUOUS, ANYWHERE, "aab"),
        (Outcome.APP_ERROR, ANYWHERE, "a"),
        (Outcome.CALLER, ANYWHERE, "a"),
        (Outcome.AUTH, ANYWHERE, "a"),
        (Outcome.NOT_FOUND, ANYWHERE, "a"),
        (Outcome.CONFLICT, ANYWHERE, "a"),
    ],
)
def test_where_a_call_goes(outcome: Outcome, resend: Resend, expected: str) -> None:
    """Each outcome, met again and again, sends the call exactly where its row allows."""
    assert targets(answers(spec(resend=resend), *[outcome] * ENDLESS)) == expected


def test_the_table_has_a_row_for_every_outcome() -> None:
    """No outcome is left to chance."""
    assert set(TABLE) == set(Outcome)


@pytest.mark.parametrize(
    ("candidates", "outcomes", "expected"),
    [
        (("a",), [Outcome.NOT_SENT] * 9, "aa"),
        (THREE, [Outcome.NOT_SENT] * 9, "abc"),
        (("a", "b", "c", "d"), [Outcome.NOT_SENT] * 9, "abcd"),
        (THREE, [Outcome.UNUSABLE] * 9, "abc"),
        (THREE, [Outcome.AMBIGUOUS] * 9, "aab"),
        (THREE, [Outcome.NOT_SENT, Outcome.AMBIGUOUS, Outcome.NOT_SENT], "abb"),
    ],
)
def test_the_caps(candidates: tuple[str, ...], outcomes: list[Outcome], expected: str) -> None:
    """A third target is asked only while it is proved that no earlier attempt ran."""
    assert targets(answers(spec(candidates, ANYWHERE), *outcomes)) == expected


@pytest.mark.parametrize("later", [o for o in Outcome if o is not Outcome.OK])
def test_ambiguity_sticks(later: Outcome) -> None:
    """After an unresolved unknown attempt, no later failure makes the call a plain failure."""
    commands = answers(spec(resend=ANYWHERE), Outcome.AMBIGUOUS, *[later] * ENDLESS)
    assert ending(commands) is Ending.UNKNOWN


def test_a_success_after_an_unknown_attempt_is_a_success() -> None:
    """OK ends the call well, whatever came before."""
    commands = answers(spec(resend=ANYWHERE), Outcome.AMBIGUOUS, Outcome.OK)
    assert ending(commands) is Ending.LAST


def test_a_lost_write_is_asked_after_before_it_is_sent_again() -> None:
    """An unknown write leads to a read-back, not to a second write."""
    state, _ = begin(spec(("a",), SAME_TARGET, read_back=True))
    state, command = step(state, Answered(Outcome.AMBIGUOUS), 1.0, lambda: 0.5)
    assert isinstance(command, AskBack)
    _, command = step(state, AskedBack(Verdict.OURS, Outcome.AMBIGUOUS), 1.1, lambda: 0.5)
    assert command == Finish(Ending.RESOLVED)


def test_a_conflict_after_an_unknown_write_is_asked_after_too() -> None:
    """The conflict may be the echo of our own first attempt."""
    state, _ = begin(spec(("a",), SAME_TARGET, read_back=True))
    state, _ = step(state, Answered(Outcome.AMBIGUOUS), 0.0, lambda: 0.5)
    state, command = step(state, AskedBack(Verdict.OPEN, Outcome.AMBIGUOUS), 0.0, lambda: 0.5)
    assert isinstance(command, Pause)
    state, command = step(state, Woken(), 0.0, lambda: 0.5)
    assert isinstance(command, Send)
    state, command = step(state, Answered(Outcome.CONFLICT), 0.0, lambda: 0.5)
    assert isinstance(command, AskBack)
    _, command = step(state, AskedBack(Verdict.LOST, Outcome.CONFLICT), 0.0, lambda: 0.5)
    assert command == Finish(Ending.UNKNOWN)


def test_a_first_conflict_is_believed() -> None:
    """With no unknown attempt before it, a conflict is simply a conflict."""
    assert answers(spec(("a",), SAME_TARGET, read_back=True), Outcome.CONFLICT)[1:] == [
        Finish(Ending.LAST)
    ]


def test_an_unsafe_attempt_is_never_cut_short() -> None:
    """Its time is all that is left, and never less than the function's own limit."""
    _, command = begin(spec(deadline=10.0))
    assert command == Send("a", 10.0)
    _, command = begin(spec(deadline=10.0, time_limit=31.0))
    assert command == Send("a", 31.0)


def test_an_attempt_that_may_be_followed_leaves_a_reserve() -> None:
    """With another chance ahead, an attempt may take only part of the time."""
    _, command = begin(spec(resend=ANYWHERE, deadline=10.0))
    assert isinstance(command, Send)
    assert command.timeout == pytest.approx(6.0)


def test_nothing_starts_after_the_deadline() -> None:
    """With less than the least attempt's time left, the call ends."""
    state, _ = begin(spec(resend=ANYWHERE, deadline=10.0))
    late = 10.0 - LEAST_ATTEMPT / 2
    _, command = step(state, Answered(Outcome.NOT_SENT), late, lambda: 0.5)
    assert command == Finish(Ending.LAST)


@pytest.mark.parametrize(
    ("asked", "random", "expected"),
    [
        (None, 0.0, 0.0),
        (None, 0.5, BACKOFF_BASE / 2),
        (2.0, 0.0, 2.0),
        (2.0, 1.0, 2.0 * (1 + RETRY_AFTER_JITTER)),
        (-5.0, 0.5, BACKOFF_BASE / 2),
        (1e9, 0.0, RETRY_AFTER_CAP),
        (float("nan"), 0.5, BACKOFF_BASE / 2),
    ],
)
def test_how_long_a_pause_is(asked: float | None, random: float, expected: float) -> None:
    """Full jitter without a hint; a target's own hint is clamped and lengthened."""
    state, _ = begin(spec(("a",)))
    _, command = step(state, Answered(Outcome.REJECTED, asked), 0.0, lambda: random)
    assert isinstance(command, Pause)
    assert command.seconds == pytest.approx(expected)


def test_a_wait_that_does_not_fit_moves_on() -> None:
    """When the target asks for more time than there is, the next target is asked at once."""
    state, _ = begin(spec(deadline=1.0))
    _, command = step(state, Answered(Outcome.REJECTED, 20.0), 0.0, lambda: 0.0)
    assert isinstance(command, Send)
    assert command.target == "b"


events = st.lists(st.sampled_from(list(Outcome)), min_size=12, max_size=12)
resends = st.sampled_from([NOWHERE, SAME_TARGET, ANYWHERE])


def test_a_proved_failure_after_an_unknown_attempt_frees_nothing() -> None:
    """What may have run on the first target may not move, however the second attempt ended."""
    outcomes = [Outcome.AMBIGUOUS, Outcome.NOT_SENT, Outcome.NOT_SENT]
    assert targets(answers(spec(resend=SAME_TARGET), *outcomes)) == "aa"


@settings(max_examples=1000)
@given(
    st.integers(1, 5),
    resends,
    st.booleans(),
    events,
    st.lists(st.sampled_from(list(Verdict)), min_size=12, max_size=12),
    st.lists(st.floats(0, 3), min_size=40, max_size=40),
)
def test_what_holds_for_every_course(
    count: int,
    resend: Resend,
    read_back: bool,
    outcomes: list[Outcome],
    verdicts: list[Verdict],
    waits: list[float],
) -> None:
    """Whatever the answers are: the caps, the deadline, sticky ambiguity, and an end."""
    course = Course(spec(tuple("abcde"[:count]), resend, read_back=read_back))
    course.run(iter(outcomes), iter(verdicts), iter(waits))
    sent = course.sent
    all_proved = all(TABLE[outcome].proved for _, outcome, _ in sent[:-1])
    assert len({target for target, _, _ in sent}) <= (count if all_proved else MAX_TARGETS)
    assert len(sent) <= (max(MAX_ATTEMPTS, count) if all_proved else MAX_ATTEMPTS)
    assert all(when <= 60.0 for _, _, when in sent)
    unknown = [place for place, (_, outcome, _) in enumerate(sent) if outcome is Outcome.AMBIGUOUS]
    if unknown and resend == NOWHERE:
        assert unknown == [len(sent) - 1]
    if unknown and resend == SAME_TARGET:
        assert len({target for target, _, _ in sent[unknown[0] :]}) == 1
    if unknown and sent[-1][1] is not Outcome.OK and course.ending is not Ending.RESOLVED:
        assert course.ending is Ending.UNKNOWN
    if not unknown:
        assert course.ending is Ending.LAST


class Course:
    """One call from its first command to its end, with everything that was sent."""

    def __init__(self, spec: CallSpec) -> None:
        self.spec = spec
        self.sent: list[tuple[str, Outcome, float]] = []
        self.ending = Ending.LAST

    def run(
        self, outcomes: Iterator[Outcome], verdicts: Iterator[Verdict], waits: Iterator[float]
    ) -> None:
        now = 0.0
        state, command = begin(self.spec)
        while not isinstance(command, Finish):
            event, took = self._reply(state, command, outcomes, verdicts, waits, now)
            now += took
            state, command = step(state, event, now, lambda: 0.99)
        self.ending = command.ending

    def _reply(
        self,
        state: CallState,
        command: Command,
        outcomes: Iterator[Outcome],
        verdicts: Iterator[Verdict],
        waits: Iterator[float],
        now: float,
    ) -> tuple[Event, float]:
        match command:
            case Pause(seconds):
                return Woken(), seconds
            case AskBack():
                return AskedBack(next(verdicts), self.sent[-1][1]), next(waits)
            case Send(target):
                assert target == state.target
                self.sent.append((target, next(outcomes), now))
                return Answered(self.sent[-1][1]), next(waits)
        raise AssertionError(command)
