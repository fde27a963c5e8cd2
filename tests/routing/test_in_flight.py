"""Nothing is proved while anything is in flight: all pairs of ends, of calls that may be hedged.

A target that says "it did not run" has done nothing. One that is AMBIGUOUS, or still in flight, may
have had its effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product, repeat
from typing import Any, Final, NamedTuple, TypeAlias

import pytest

from leeward._routing.attempts import Core
from leeward._routing.commands import Command, Pause, ReadBack
from leeward._routing.execution import execute
from leeward._routing.health import Health
from leeward._routing.targets import Targets
from leeward.calls import Call, Enqueue, Invoke, Publish, Result
from leeward.errors import Outcome
from leeward.values import Effect, Event
from tests.routing.two_in_flight import two_at_once

Said: TypeAlias = Outcome | tuple[Outcome, ...]
"""What a target says of a call; or of each event of a batch."""

KEYED: Final = Invoke("f", b"1", "k", Effect.KEYED, shared_dedup=True)
CALLS: Final[dict[str, Call]] = {
    "idempotent": Invoke("f", b"1", "k", Effect.IDEMPOTENT),
    "keyed": KEYED,
    "settled": KEYED._replace(settles=True),
    "queued": Enqueue("f", b"1", "k", Effect.IDEMPOTENT),
}
BATCH: Final = Publish("bus", tuple(Event("t", id=id, source="s") for id in "12"))

REFUSALS: Final = {Outcome.AUTH, Outcome.CALLER, Outcome.CONFLICT, Outcome.NOT_FOUND}
"""What the first attempt may end with that is its call's, unless another one runs."""

OF_EVENTS: Final = (Outcome.OK, Outcome.REJECTED, Outcome.CALLER, Outcome.AMBIGUOUS)
"""What a bus says of an event: taken, not now, never; or nobody knows."""


class Ended(NamedTuple):
    """How a call ended, by its result.

    Attributes:
        result: what its caller hears.
        answers: what was sent, and what was said of it, of each attempt that has ended.
        in_flight: the attempts that have not.
    """

    result: Result[Any]
    answers: list[tuple[Call, Result[Any]]]
    in_flight: list[Command]


def end_of(call: Call, ends: Iterator[Said], first: int) -> Ended:
    """Begin two attempts at once, end that of place `first` first, and go on until `call` ends."""
    execution = execute(Core(Health(Targets(("a", "b", "c")), lambda: 0.5)), call, 0.0, 10.0)
    one, two = next(execution)
    running: list[Command] = [two, one] if first else [one, two]
    answers: list[tuple[Call, Result[Any]]] = []
    now = 0.0
    while True:
        command = running.pop(0)
        answer: Result[Any] | None = None
        now += command.seconds if isinstance(command, Pause) else 0.01
        if isinstance(command, ReadBack):
            answer = Result(Outcome.AUTH)  # its function cannot be asked
        elif not isinstance(command, Pause):
            answer = answer_of(command.call, next(ends))
            answers.append((command.call, answer))
        try:
            running += execution.send((command, now, now, answer))
        except StopIteration as end:
            left: list[Command] = [each for each in running if not isinstance(each, Pause)]
            return Ended(end.value, answers, left)


def answer_of(call: Call, said: Said) -> Result[Any]:
    """Return a target's answer."""
    if isinstance(said, tuple):
        return Result.ok(tuple(Result(each) for each in said))
    if isinstance(call, Publish) and said is Outcome.OK:
        return answer_of(call, (said,) * len(call.events))
    return Result(said)


@pytest.mark.parametrize("name", CALLS)
def test_no_failure_is_told_while_an_attempt_is_in_flight(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All ends of the first, the second, and what follows them; either ends first."""
    two_at_once(monkeypatch)
    for one, two, later, first in product(Outcome, Outcome, OF_EVENTS, (0, 1)):
        ended = end_of(CALLS[name], chain((one, two), repeat(later)), first)
        told = ended.result.outcome
        said = [answer.outcome for _, answer in ended.answers]
        what = f"{one.name}, {two.name}, then {later.name}: {told.name}"
        assert told in said, what
        if told is Outcome.OK:
            continue
        assert not ended.in_flight, what
        assert (told is Outcome.AMBIGUOUS) is (Outcome.AMBIGUOUS in said), what
        if told is not Outcome.AMBIGUOUS and Outcome.APP_ERROR in said:
            assert told is Outcome.APP_ERROR, what
        elif told is not Outcome.AMBIGUOUS and one in REFUSALS and not first:
            assert told is one, what


def test_no_event_is_told_as_refused_while_it_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """All ends of two events at two targets, and of what follows; either target ends first."""
    two_at_once(monkeypatch)
    pairs: list[Said] = [*product(OF_EVENTS, OF_EVENTS), *OF_EVENTS]
    for one, two, later, first in product(pairs, pairs, OF_EVENTS, (0, 1)):
        ended = end_of(BATCH, chain((one, two), repeat(later)), first)
        for place, event in enumerate(BATCH.events):
            told = of_event(BATCH, ended.result, event)
            said = [of_event(sent, answer, event) for sent, answer in ended.answers]
            what = f"{one}, {two}, then {later}: {told} of event {place}"
            if Outcome.OK in said:
                assert told is Outcome.OK, what
                continue
            assert not ended.in_flight, what
            assert (told is Outcome.AMBIGUOUS) is (Outcome.AMBIGUOUS in said), what


def of_event(sent: Call, answer: Result[Any], event: Event) -> Outcome | None:
    """Return what an answer says of an event; None if it was not sent."""
    assert isinstance(sent, Publish)
    if event not in sent.events:
        return None
    if answer.outcome is not Outcome.OK:
        return answer.outcome
    assert answer.value is not None
    outcome: Outcome = answer.value[sent.events.index(event)].outcome
    return outcome
