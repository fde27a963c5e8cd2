"""The state machine of one call, step by step, with values only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._routing.attempts import CallState, Core, Decision, Ending, dispatch
from leeward._routing.call import begin, step
from leeward._routing.commands import (
    AttemptEnded,
    Commands,
    Dispatch,
    Event,
    Pause,
    PauseEnded,
    ReadBack,
    ReadBackDone,
)
from leeward._routing.health import Health
from leeward._routing.outcomes import TABLE, rules_of
from leeward._routing.policy import DEFAULT, RoutingPolicy
from leeward._routing.readback import ReadBackVerdict
from leeward._routing.targets import Targets
from leeward.calls import Call, Delete, Enqueue, Invoke, Key, Load, Publish, Store
from leeward.errors import Outcome
from leeward.values import Effect

UNSAFE = Invoke("f", b"{}", "key-1")
KEYED = UNSAFE._replace(effect=Effect.KEYED)
IDEMPOTENT = UNSAFE._replace(effect=Effect.IDEMPOTENT)
STORE = Store("t", Key(("id",), ("1",)), {}, "w-1", now=0.0)


def half() -> float:
    return 0.5


def start(
    call: Call = UNSAFE,
    order: str = "ab",
    timeout: float = 60.0,
    policy: RoutingPolicy = DEFAULT,
) -> Decision:
    """Begin `call` at time 0 over targets of one letter; tables are at home on the first."""
    health = Health(Targets(tuple(order), home=order[0]), half, policy)
    return begin(Core(health), call, 0.0, timeout)


def feed(started: Decision, *outcomes: Outcome) -> tuple[str, Ending | None]:
    """Feed outcomes, ending every pause at once; return whom it asked, and how it ended."""
    state, commands = started
    answers = iter(outcomes)
    while state.ending is None:
        (command,) = commands
        match command:
            case Pause(_, target):
                event: Event = PauseEnded(target)
            case _:
                event = AttemptEnded(command.attempt, next(answers))
        state, commands = step(state, event, 0.0, half)
    return "".join(state.tried), state.ending


ENDLESS = 9


@pytest.mark.parametrize(
    ("outcome", "call", "expected"),
    [
        (Outcome.OK, UNSAFE, "a"),
        (Outcome.LOCAL, UNSAFE, "aab"),
        (Outcome.NOT_SENT, UNSAFE, "aab"),
        (Outcome.REJECTED, UNSAFE, "aab"),
        (Outcome.UNUSABLE, UNSAFE, "ab"),
        (Outcome.AMBIGUOUS, UNSAFE, "a"),
        (Outcome.AMBIGUOUS, KEYED, "aa"),
        (Outcome.AMBIGUOUS, IDEMPOTENT, "aab"),
        (Outcome.APP_ERROR, IDEMPOTENT, "a"),
        (Outcome.CALLER, IDEMPOTENT, "a"),
        (Outcome.AUTH, IDEMPOTENT, "a"),
        (Outcome.NOT_FOUND, IDEMPOTENT, "a"),
        (Outcome.CONFLICT, IDEMPOTENT, "a"),
    ],
)
def test_where_a_call_goes(outcome: Outcome, call: Call, expected: str) -> None:
    """Each outcome, met again and again, sends the call exactly where its row allows."""
    assert feed(start(call), *[outcome] * ENDLESS)[0] == expected


@pytest.mark.parametrize(
    ("order", "outcomes", "expected"),
    [
        ("a", [Outcome.NOT_SENT] * 9, "aa"),
        ("abc", [Outcome.NOT_SENT] * 9, "abc"),
        ("abcd", [Outcome.NOT_SENT] * 9, "abcd"),
        ("abc", [Outcome.UNUSABLE] * 9, "abc"),
        ("abc", [Outcome.AMBIGUOUS] * 9, "aab"),
        ("abc", [Outcome.NOT_SENT, Outcome.AMBIGUOUS, Outcome.NOT_SENT], "abb"),
    ],
)
def test_the_caps(order: str, outcomes: list[Outcome], expected: str) -> None:
    """A third target is asked only while it is proved that no earlier attempt ran."""
    assert feed(start(IDEMPOTENT, order), *outcomes)[0] == expected


@pytest.mark.parametrize("later", [o for o in Outcome if o is not Outcome.OK])
def test_ambiguity_sticks(later: Outcome) -> None:
    """After an unresolved unknown attempt, no later failure makes the call a plain failure."""
    ended = feed(start(IDEMPOTENT), Outcome.AMBIGUOUS, *[later] * ENDLESS)
    assert ended[1] is Ending.UNKNOWN


# A lost write is read back.


def test_a_lost_write_is_read_back_before_it_is_sent_again() -> None:
    """An unknown write leads to a look-up at its home, not to a second write."""
    state, _ = start(STORE)
    state, (command,) = step(state, AttemptEnded(1, Outcome.AMBIGUOUS), 1.0, half)
    assert command == ReadBack(1, "a", Load("t", STORE.key), 59.0 * 0.6, Outcome.AMBIGUOUS)
    state, commands = step(
        state, ReadBackDone(1, Outcome.AMBIGUOUS, ReadBackVerdict.OURS), 1.1, half
    )
    assert (state.ending, commands) == (Ending.RESOLVED, ())


def test_a_conflict_after_an_unknown_write_is_read_back_too() -> None:
    """The conflict may be the echo of our own first attempt."""
    state, _ = start(STORE)
    state, _ = step(state, AttemptEnded(1, Outcome.AMBIGUOUS), 0.0, half)
    state, (pause,) = step(
        state, ReadBackDone(1, Outcome.AMBIGUOUS, ReadBackVerdict.OPEN), 0.0, half
    )
    assert isinstance(pause, Pause)
    state, (again,) = step(state, PauseEnded(pause.target), 0.0, half)
    assert isinstance(again, Dispatch)
    state, (command,) = step(state, AttemptEnded(2, Outcome.CONFLICT), 0.0, half)
    assert isinstance(command, ReadBack)
    state, _ = step(state, ReadBackDone(2, Outcome.CONFLICT, ReadBackVerdict.LOST), 0.0, half)
    assert state.ending is Ending.UNKNOWN


def test_a_read_back_needs_time() -> None:
    """With less than the least attempt's time left, an unknown write stays unknown."""
    state, _ = start(STORE, timeout=10.0)
    state, commands = step(state, AttemptEnded(1, Outcome.AMBIGUOUS), 9.95, half)
    assert (state.ending, commands) == (Ending.UNKNOWN, ())


# Time.


def timeout_of(commands: Commands) -> float:
    (command,) = commands
    assert isinstance(command, Dispatch)
    return command.timeout


def test_an_unsafe_attempt_is_never_cut_short() -> None:
    """Its time is all that is left, and never less than the function's own limit."""
    assert timeout_of(start(timeout=10.0)[1]) == 10.0
    assert timeout_of(start(UNSAFE._replace(time_limit=30.0), timeout=10.0)[1]) == 31.0


def test_an_attempt_that_may_be_followed_leaves_a_reserve() -> None:
    """With another chance ahead, an attempt may take only part of the time."""
    assert timeout_of(start(IDEMPOTENT, timeout=10.0)[1]) == pytest.approx(6.0)


def test_the_last_attempt_has_all_the_time_there_is() -> None:
    """Nothing is held back for what cannot follow."""
    once = DEFAULT._replace(max_attempts=1)
    assert timeout_of(start(IDEMPOTENT, "a", 10.0, once)[1]) == 10.0


@pytest.mark.parametrize(
    ("asked", "random", "expected"),
    [
        (None, 0.0, 0.0),
        (None, 0.5, DEFAULT.backoff_base / 2),
        (2.0, 0.0, 2.0),
        (2.0, 1.0, 2.0 * (1 + DEFAULT.retry_after_jitter)),
        (-5.0, 0.5, DEFAULT.backoff_base / 2),
        (1e9, 0.0, DEFAULT.retry_after_cap),
        (float("nan"), 0.5, DEFAULT.backoff_base / 2),
    ],
)
def test_how_long_a_pause_is(asked: float | None, random: float, expected: float) -> None:
    """Full jitter without a hint; a target's own hint is clamped and lengthened."""
    state, _ = start(order="a")
    _, (pause,) = step(state, AttemptEnded(1, Outcome.REJECTED, asked), 0.0, lambda: random)
    assert isinstance(pause, Pause)
    assert pause.seconds == pytest.approx(expected)
    assert pause.target == "a"


def test_a_wait_that_does_not_fit_moves_on() -> None:
    """When the target asks for more time than there is, the next target is asked at once."""
    state, _ = start(timeout=1.0)
    _, (command,) = step(state, AttemptEnded(1, Outcome.REJECTED, 20.0), 0.0, half)
    assert command == Dispatch(2, "b", UNSAFE, 1.0, 0, "moved")


# Several attempts in flight: two of one harmless call, as a hedge would have them.


def two_in_flight(order: str = "ab") -> CallState:
    state, _ = start(IDEMPOTENT, order)
    state, (second,) = dispatch(state, "b", 1.0, "hedge")
    assert second == Dispatch(2, "b", IDEMPOTENT, 59.0 * 0.6, 0, "hedge")
    assert (state.tried, state.in_flight) == (("a", "b"), (1, 2))
    return state


@pytest.mark.parametrize(
    ("events", "ending"),
    [
        ([(1, Outcome.OK)], Ending.LAST),
        ([(2, Outcome.OK)], Ending.LAST),
        ([(2, Outcome.NOT_SENT), (1, Outcome.OK)], Ending.LAST),
        ([(1, Outcome.AMBIGUOUS), (2, Outcome.OK)], Ending.LAST),
        ([(2, Outcome.UNUSABLE), (1, Outcome.CALLER)], Ending.LAST),
        ([(1, Outcome.APP_ERROR), (2, Outcome.OK)], Ending.LAST),
        ([(1, Outcome.NOT_FOUND), (2, Outcome.REJECTED)], Ending.LAST),
        ([(2, Outcome.APP_ERROR), (1, Outcome.NOT_SENT)], Ending.LAST),
        ([(1, Outcome.NOT_FOUND), (2, Outcome.AMBIGUOUS)], Ending.UNKNOWN),
        ([(2, Outcome.AUTH), (1, Outcome.OK)], Ending.LAST),
        ([(2, Outcome.NOT_FOUND), (1, Outcome.APP_ERROR)], Ending.LAST),
        ([(1, Outcome.AMBIGUOUS), (2, Outcome.AUTH)], Ending.UNKNOWN),
    ],
)
def test_a_success_ends_the_call_and_a_failure_waits(
    events: list[tuple[int, Outcome]], ending: Ending
) -> None:
    """Nothing is proved while an attempt is in flight, and nothing is sent meanwhile.

    That a hedge may not ask its target, or finds nothing there, says nothing of the first one.
    """
    state = two_in_flight("abc")
    for attempt, outcome in events:
        assert state.ending is None
        state, commands = step(state, AttemptEnded(attempt, outcome), 2.0, half)
        assert commands == ()
    assert state.ending is ending


def test_when_all_in_flight_have_failed_the_call_goes_on() -> None:
    """The next attempt comes after the last answer, to a target that was not asked."""
    state, commands = step(two_in_flight("abc"), AttemptEnded(1, Outcome.NOT_SENT), 2.0, half)
    assert (state.ending, commands, state.in_flight) == (None, (), (2,))
    state, (command,) = step(state, AttemptEnded(2, Outcome.NOT_SENT), 2.0, half)
    assert isinstance(command, Dispatch)
    assert (command.attempt, command.target, state.in_flight) == (3, "c", (3,))


def test_a_late_pause_ends_no_call_that_is_still_answered() -> None:
    """With too little time left nothing is started, and the attempt in flight is waited for."""
    state, _ = start(IDEMPOTENT, timeout=10.0)
    assert step(state, PauseEnded("b"), 9.95, half) == (state, ())
    state, (second,) = step(state, PauseEnded("b"), 1.0, half)
    assert second == Dispatch(2, "b", IDEMPOTENT, 9.0 * 0.6, 0, "again")


# Whatever happens.

CALLS: tuple[Call, ...] = (
    UNSAFE,
    UNSAFE._replace(time_limit=30.0),
    KEYED,
    KEYED._replace(shared_dedup=True),
    IDEMPOTENT,
    UNSAFE._replace(effect=Effect.READ_ONLY),
    Enqueue("f", b"{}", "key-1"),
    Publish("bus", ()),
    STORE,
    Delete("t", STORE.key, 0.0),
    Load("t", STORE.key),
)

OF_WRITES = [ReadBackVerdict.OURS, ReadBackVerdict.OPEN, ReadBackVerdict.LOST]
"""What a look at a write can show."""


@given(
    st.integers(1, 5),
    st.sampled_from(CALLS),
    st.lists(st.sampled_from(list(Outcome)), min_size=12, max_size=12),
    st.lists(st.sampled_from(OF_WRITES), min_size=12, max_size=12),
    st.lists(st.floats(0, 3), min_size=40, max_size=40),
)
def test_what_holds_for_every_call(
    count: int,
    call: Call,
    outcomes: list[Outcome],
    verdicts: list[ReadBackVerdict],
    waits: list[float],
) -> None:
    """Whatever the answers are: the caps, the deadline, sticky ambiguity, and an end."""
    state, commands = start(call, "abcde"[:count])
    sent, ending = run(state, commands, iter(outcomes), iter(verdicts), iter(waits))
    rules, able = rules_of(call), state.able
    asked = [target for target, _, _ in sent]
    all_proved = all(TABLE[outcome].proved for _, outcome, _ in sent[:-1])
    assert set(asked) <= set(able)
    assert len(set(asked)) <= (count if all_proved else DEFAULT.max_targets)
    assert len(sent) <= (max(DEFAULT.max_attempts, count) if all_proved else DEFAULT.max_attempts)
    assert all(when <= 60.0 for _, _, when in sent)
    unknown = [place for place, (_, outcome, _) in enumerate(sent) if outcome is Outcome.AMBIGUOUS]
    if unknown and not rules.same:
        assert unknown == [len(sent) - 1]
    if unknown and not rules.elsewhere:
        assert len(set(asked[unknown[0] :])) == 1
    if unknown and sent[-1][1] is not Outcome.OK and ending is not Ending.RESOLVED:
        assert ending is Ending.UNKNOWN
    if not unknown:
        assert ending is Ending.LAST


def run(
    state: CallState,
    commands: Commands,
    outcomes: Iterator[Outcome],
    verdicts: Iterator[ReadBackVerdict],
    waits: Iterator[float],
) -> tuple[list[tuple[str, Outcome, float]], Ending]:
    """Run one call to its end; return each attempt's target, outcome and start, and the ending."""
    sent: list[tuple[str, Outcome, float]] = []
    now = 0.0
    while state.ending is None:
        (command,) = commands
        match command:
            case Pause(seconds, target):
                event: Event = PauseEnded(target)
                now += seconds
            case ReadBack():
                event = ReadBackDone(command.attempt, command.after, next(verdicts))
                now += next(waits)
            case Dispatch(attempt, target):
                assert attempt == len(sent) + 1
                sent.append((target, next(outcomes), now))
                event = AttemptEnded(attempt, sent[-1][1])
                now += next(waits)
        state, commands = step(state, event, now, lambda: 0.99)
    return sent, state.ending
