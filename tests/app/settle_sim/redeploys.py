"""Every interleaving of a key's packets and settlers with a redeploy, and maybe a roll-back.

As in `space`, an actor is brought to where it stands by sending it the same replies. What it does
next depends on these, on its version and on the time, which passes in moves of its own. The rules
are those of `versions`: a verdict may be wrong only where the page says that nobody can know.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any, Final, NamedTuple

from leeward.app.idempotency.register import ROLLOUT
from leeward.app.idempotency.steps import Away
from leeward.errors import OutcomeUnknown
from tests.app.settle_sim.actors import CLOCK, OneClock
from tests.app.settle_sim.oracle import Wrong
from tests.app.settle_sim.versions import (
    BOUND,
    CHANGES,
    HOUR,
    UNSEEN,
    World,
    _deliver,
    _other_call,
    _settle,
)

LONG: Final = 4 * HOUR
"""Seconds of a pause after which what a version says in the register counts."""

LIVE: Final = ((1,), (1, 2), (2,), (1, 2), (1,))
"""The versions of each phase: before, roll-out, after, roll-back, and after that."""

LOST: Final = Away(OutcomeUnknown("no answer"), written=True)


class Redeploy(NamedTuple):
    """Who takes part, beside two versions.

    Attributes:
        change: what is different in the first version.
        packets, settlers: how many.
        pauses: how often hours pass.
        faults: how many answers of a table are lost.
        is_old: the first version has been in its register for long.
        goes_back: the first version may come back.
    """

    change: str
    packets: int = 1
    settlers: int = 1
    pauses: int = 1
    faults: int = 0
    is_old: bool = True
    goes_back: bool = False


class Place(NamedTuple):
    """Where an actor stands: its version, the time when it began, and the replies since."""

    version: int
    began: float
    replies: tuple[tuple[Any, float], ...] = ()
    is_over: bool = False


class State(NamedTuple):
    """One state. `log` has what counts of the past, in order, each with its phase."""

    items: tuple[tuple[tuple[str, str], Any], ...]
    log: tuple[tuple[Any, ...], ...]
    places: tuple[Place | None, ...]
    phase: int
    now: float
    sent: float | None
    pauses: int
    faults: int


class _Half(Random):
    def random(self) -> float:
        """Return the middle: clocks are right, and nothing is lost by chance."""
        return 0.5


class _Log(list[Any]):
    """Notes one kind of what has happened."""

    def __init__(self, note: Callable[[tuple[Any, ...]], None], kind: str) -> None:
        super().__init__()
        self._note, self._kind = note, kind

    def append(self, event: Any) -> None:
        """Note what has happened, without its time."""
        self._note((self._kind, *event[1:]))


class Search:
    """Visits all states of a redeploy.

    Attributes:
        visited, moves: how many.
        excused: verdicts of which the page says that nobody can know.
        flaw: the way to what is wrong.
    """

    def __init__(self, redeploy: Redeploy) -> None:
        self._redeploy = redeploy
        self._events: list[tuple[Any, ...]] = []
        self._world = World(redeploy.change, _Half(), 0.0, ROLLOUT, float("inf"))
        for kind in ("effects", "known", "told"):
            setattr(self._world, kind, _Log(self._events.append, kind))
        self._forced = 1
        self._world.version = lambda: self._forced  # type: ignore[method-assign]
        self._actors: list[Callable[[float], Generator[Any, Any, Any]]] = [
            *(self._packet(number) for number in range(redeploy.packets)),
            *[partial(_settle, self._world)] * redeploy.settlers,
            lambda _sent: _other_call(self._world),
        ]
        self.visited = self.moves = self.excused = 0
        self.flaw: str | None = None

    def _packet(self, label: int) -> Callable[[float], Generator[Any, Any, Any]]:
        return lambda _sent: _deliver(self._world, label, 0)

    def run(self, most: int | None = None) -> int:
        """Visit every state, or at most so many; return how many were visited."""
        redeploy = self._redeploy
        places: tuple[Place | None, ...] = (None,) * len(self._actors)
        begin = State((), (), places, 0, 0.0, None, redeploy.pauses, redeploy.faults)
        if redeploy.is_old:
            begin = self._prepare(begin)._replace(places=places, now=100 * 86_400.0)
        known: dict[Any, tuple[Any, str] | None] = {_key_of(begin): None}
        waiting = [begin]
        while waiting and (most is None or self.visited < most):
            state = waiting.pop()
            self.visited += 1
            for way, after in self._next(state):
                self.moves += 1
                key = _key_of(after)
                if key in known:
                    continue
                known[key] = _key_of(state), way
                try:
                    self._judge(after)
                except Wrong as wrong:
                    self.flaw = _report(known, key, wrong)
                    return self.visited
                waiting.append(after)
        return self.visited

    def _prepare(self, state: State) -> State:
        """Let the first version enter its register."""
        return self._call_other(state, 1)

    def _call_other(self, state: State, version: int) -> State:
        """Let another call of the function come, from its beginning to its end at once."""
        last = len(self._actors) - 1
        state = self._begin(state, last, version)
        while (place := state.places[last]) is not None and not place.is_over:
            state = self._step(state, last, is_lost=False)
        return state

    def _next(self, state: State) -> Iterator[tuple[str, State]]:
        for number in range(len(state.places)):
            yield from self._next_of(state, number)
        if state.sent is None:
            yield "the call is made", state._replace(sent=state.now)
        if state.phase < (4 if self._redeploy.goes_back else 2):
            seconds = ROLLOUT if state.phase % 2 else 60.0
            later = state._replace(phase=state.phase + 1, now=state.now + seconds)
            yield f"phase {state.phase + 1}", self._lose_old(later)
        if state.pauses and state.phase % 2 == 0:
            yield "hours pass", state._replace(pauses=state.pauses - 1, now=state.now + LONG)

    def _next_of(self, state: State, number: int) -> Iterator[tuple[str, State]]:
        place = state.places[number]
        if place is None and number == len(self._actors) - 1:
            for version in LIVE[state.phase]:
                yield f"another call at {version}", self._call_other(state, version)
        elif place is None and state.sent is not None:
            for version in LIVE[state.phase]:
                yield f"{number} begins at {version}", self._begin(state, number, version)
        elif place is not None and not place.is_over:
            yield f"{number} goes on", self._step(state, number, is_lost=False)
            if state.faults:
                less = state._replace(faults=state.faults - 1)
                yield f"{number} gets no answer", self._step(less, number, is_lost=True)

    def _lose_old(self, state: State) -> State:
        """Stop the processes of a version that is gone."""
        places = tuple(
            place._replace(is_over=True)
            if place is not None and place.version not in LIVE[state.phase]
            else place
            for place in state.places
        )
        return state._replace(places=places)

    def _begin(self, state: State, number: int, version: int) -> State:
        return _placed(state, number, Place(version, state.now))

    def _step(self, state: State, number: int, *, is_lost: bool) -> State:
        """Return the state after an actor has got its next reply."""
        place = state.places[number]
        assert place is not None, "it has begun"
        self._world.items = dict(state.items)
        self._forced = place.version
        self._at(place.began)
        actor = self._actors[number](state.sent or 0.0)
        event = next(actor, None)
        for reply, now in place.replies:
            self._at(now)
            event = actor.send(reply)
        self._at(state.now)
        reply = None
        if event is not None:
            found = self._world._carry_out(event[0], event[1], OneClock(state.now))
            reply = LOST if is_lost else found, state.now
        self._events.clear()
        try:
            actor.send(reply)
            place = place._replace(replies=(*place.replies, (reply, state.now)))
        except StopIteration:
            place = place._replace(is_over=True, replies=())
        actor.close()
        noted = ((*event, state.phase) for event in self._events)
        new = tuple(each for each in noted if each[0] != "known" or each not in state.log)
        items = tuple(sorted(self._world.items.items(), key=lambda item: item[0]))
        return _placed(state._replace(items=items, log=(*state.log, *new)), number, place)

    def _at(self, now: float) -> None:
        self._world.now = CLOCK.value = now
        CLOCK.ahead = 0.0

    def _judge(self, state: State) -> None:
        """Check the last events against all before.

        Raises:
            Wrong: somebody was told that a call has not run which has, or which runs later.
        """
        change = self._redeploy.change
        for at, (kind, *told) in enumerate(state.log):
            if kind != "told":
                continue
            voids, by, _ = told
            for when, (what, *effect) in enumerate(state.log):
                if what != "effects" or effect[0] >= voids:
                    continue
                _, number, phase = effect
                is_known = any(
                    each[:2] == ("known", number) and (number == 2 or (each[2] > 2) == (phase > 2))
                    for each in state.log[:at]
                )
                is_unseen = change in UNSEEN and (by, number) == (1, 2)
                if is_unseen or (when > at and not is_known and change not in BOUND):
                    self.excused += 1
                else:
                    raise Wrong(f"not run, and it has: {change}")


def _placed(state: State, number: int, place: Place) -> State:
    return state._replace(places=(*state.places[:number], place, *state.places[number + 1 :]))


def _key_of(state: State) -> bytes:
    return sha256(repr(state).encode()).digest()


def _report(known: dict[Any, Any], key: Any, wrong: Wrong) -> str:
    ways: list[str] = []
    while known[key] is not None:
        key, way = known[key]
        ways.append(way)
    return "\n  ".join([str(wrong), *reversed(ways)])


def full() -> Iterator[tuple[str, Redeploy]]:
    """Yield all redeploys, with their names."""
    for change in CHANGES:
        yield f"redeploy: {change}", Redeploy(change, pauses=0)
        yield f"redeploy: {change}, hours pass", Redeploy(change)
        yield f"redeploy: {change}, a new one", Redeploy(change, pauses=0, is_old=False)
        yield f"redeploy: {change}, a fault", Redeploy(change, pauses=0, faults=1)
        yield f"redeploy: {change}, two settlers", Redeploy(change, pauses=0, settlers=2)
        if change not in UNSEEN:
            yield f"redeploy: {change}, and back", Redeploy(change, pauses=0, goes_back=True)
