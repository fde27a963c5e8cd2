"""Every interleaving of some actors of one key: a search with the states that it has seen.

A state is what the table holds, what is on its way to it, how often a lease has ended, what has
happened, and where each actor stands. Generators cannot be copied: where an actor stands is known
by the variables of its frames, and it is brought there again by sending it the same replies. What
an actor does next depends on nothing else, so each of its moves is made once and remembered.

An actor that was killed does nothing any more, and neither does one whose turn does not come:
nobody can tell them apart. So whoever is killed is killed last, when the others are gone, and
stands still until then. Only who stands before its effect is killed there as well: a probe may know
that this effect is on its way, and no lease may end meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from types import GeneratorType
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.app.idempotency.record import KeyRecord, LoadedRecord, is_of_other
from leeward.app.idempotency.running import IdempotentRun
from leeward.app.idempotency.settling import CannotTell, Done, KeyFinding, NotDone
from leeward.app.idempotency.steps import Away, Changed, LoadRecord, Saved, SaveRecord
from leeward.app.idempotency.store import item_of, record_in
from leeward.errors import OutcomeUnknown, TargetUnavailable
from leeward.values import Record
from leeward.values.settled import Verdict
from tests.app.settle_sim.actors import (
    CLOCK,
    LEASE,
    Actor,
    EffectOf,
    Ended,
    Happening,
    Kind,
    OneClock,
    Probed,
    Script,
    Shop,
    Told,
    deliver,
    settings_of,
    settle,
)
from tests.app.settle_sim.oracle import (
    Seen,
    Wrong,
    check_settled,
    note_effect,
    note_end,
    note_verdict,
    note_write,
)

REFUSED: Final = Away(TargetUnavailable("no connection"))
LOST: Final = Away(OutcomeUnknown("no answer"), written=True)

EPOCH: Final = 2 * LEASE
"""Seconds from one moment at which leases end to the next: a lease begins and ends between."""

GONE: Final = -1
"""Where an actor stands that has ended, or has been killed."""


Way: TypeAlias = tuple[Any, ...]
"""Words for one step from a state to another."""


class Member(NamedTuple):
    """Somebody who takes part.

    Attributes:
        name: for what is told of a wrong run.
        actor: makes the generator.
        ahead: how many leases its clock of the day is ahead.
        asleep: its machine was, and its monotonic clock stands still.
    """

    name: str
    actor: Callable[[Shop], Actor]
    ahead: int = 0
    asleep: bool = False


class Scenario(NamedTuple):
    """Who takes part, and how much may go wrong.

    Attributes:
        kind: of the function.
        members: all that may arrive, at any time.
        ends: how often leases may end.
        kills: how many of them may be killed.
        faults: how many answers of the table may be lost, refused, or belong to a write that
            arrives later.
        aged: the settlers know how old the call is.
    """

    kind: Kind
    members: tuple[Member, ...]
    ends: int = 1
    kills: int = 0
    faults: int = 0
    aged: bool = True


class State(NamedTuple):
    """One state: where everything and everybody stands.

    `seen_at` is the epoch in which the record was first loaded, -1 if it was not: whoever loads it
    later counts from then what its run had left. That all know it is the earliest that can be.
    """

    record: int
    revision: int
    epoch: int
    seen_at: int
    late: tuple[tuple[int, int], ...]
    seen: Seen
    places: tuple[int, ...]
    kills: int
    faults: int


class Search:
    """Visits all states of a scenario.

    Attributes:
        visited: how many there are.
        moves: how many steps lead from one to another.
        flaw: what is wrong, and the way to it; None if nothing is.
    """

    def __init__(self, scenario: Scenario) -> None:
        kind = scenario.kind
        self._scenario = scenario
        self._shop = Shop(kind, settings_of(kind))
        self._payload = self._shop.call("", 0)._claim.payload
        age = 1.0 if scenario.aged else None
        last = partial(settle, label="last", script=None, age=age)
        packet = partial(deliver, label="z", script=Script.RETURNS)
        self._members = (
            *scenario.members,
            Member("last settler", last),
            *(Member(f"last packet {v}", partial(packet, voids=v)) for v in range(3)),
        )
        self._records: list[KeyRecord | None] = [None]
        self._items: list[dict[str, Any]] = [{}]
        self._numbers: dict[Any, int] = {}
        actors = [self._actor(number) for number in range(len(self._members))]
        self._places = _Places(actors, [member.ahead * EPOCH for member in self._members])
        self.visited = 0
        self.moves = 0
        self.flaw: str | None = None

    def _actor(self, number: int) -> Callable[[], Actor]:
        return lambda: self._members[number].actor(self._shop)

    def run(self, most: int | None = None) -> int:
        """Visit every state, or at most so many; return how many were visited."""
        scenario = self._scenario
        places = tuple(self._places.first(n) for n in range(len(scenario.members)))
        begin = State(0, 0, 0, -1, (), Seen(), places, scenario.kills, scenario.faults)
        known: dict[State, tuple[State, Way] | None] = {begin: None}
        waiting = [begin]
        while waiting:
            state = waiting.pop()
            self.visited += 1
            if most is not None and self.visited > most:
                break
            way: Way = ("at once",)
            try:
                for way, after in self._next(state):
                    self.moves += 1
                    if after not in known:
                        known[after] = (state, way)
                        waiting.append(after)
            except Wrong as wrong:
                self.flaw = self._report(known, state, way, wrong)
                return self.visited
        return self.visited

    def _report(self, known: dict[Any, Any], state: State, way: Way, wrong: Wrong) -> str:
        steps: list[Way] = []
        at: State | None = state
        while at is not None and known[at] is not None:
            at, step = known[at]
            steps.append(step)
        told = "\n".join(f"  {_words(step)}" for step in reversed(steps))
        return f"{wrong}\n{told}\n  after that, or after: {_words(way)}"

    def _next(self, state: State) -> Iterator[tuple[Way, State]]:
        """Return what may happen next, and the state after that."""
        alive = [n for n, place in enumerate(state.places) if place != GONE]
        for number in alive:
            yield from self._steps(state, number)
            is_last = len(alive) <= state.kills
            stands_before_effect = isinstance(self._places.events[state.places[number]], EffectOf)
            if state.kills and (is_last or stands_before_effect):
                name = self._members[number].name
                killed = _moved(state, number, GONE, state.seen, state.kills - 1)
                yield (name, "is killed"), killed
        if state.epoch < self._scenario.ends and not self._holds_time(state):
            yield ("leases end",), state._replace(epoch=state.epoch + 1)
        for index, (record, revision) in enumerate(state.late):
            rest = (*state.late[:index], *state.late[index + 1 :])
            yield (
                ("a late write arrives",),
                self._landed(state._replace(late=rest), record, revision),
            )
        if not alive:
            self._check_last(state)

    def _holds_time(self, state: State) -> bool:
        """Return whether no lease may end now.

        A probe that knows only what is done so far is of use where an effect that was announced
        within a lease ends within it.
        """
        kind = self._scenario.kind
        is_blind = kind.probed is Probed.DONE_SO_FAR and kind.marked
        return is_blind and self._has_effect_on_its_way(state)

    def _steps(self, state: State, number: int) -> Iterator[tuple[Way, State]]:
        """Return what the next step of one actor may lead to."""
        event = self._places.events[state.places[number]]
        name = self._members[number].name
        if isinstance(event, LoadRecord):
            seen_at = state.epoch if state.seen_at < 0 and self._counts(state) else state.seen_at
            state = state._replace(seen_at=seen_at)
            yield (name, "loads"), self._on(state, number, self._load(state, number))
            if state.faults:
                less = state._replace(faults=state.faults - 1)
                yield (name, "cannot load"), self._on(less, number, REFUSED)
        elif isinstance(event, SaveRecord):
            yield from self._saves(state, number, event, name)
        elif isinstance(event, EffectOf):
            seen = note_effect(self._scenario.kind, state.seen, event)
            yield (name, "HAS ITS EFFECT"), self._on(state._replace(seen=seen), number, None)
        else:
            assert isinstance(event, Happening)
            reply = self._happens(state, event)
            yield (name, event, reply), self._on(state, number, reply)

    def _happens(self, state: State, event: Happening) -> Any:
        effects = state.seen.effects
        if event is Happening.LOOK:
            return effects[0].label if effects else None
        if event is not Happening.PROBE:
            return None
        probed = self._scenario.kind.probed
        if probed is Probed.MUTE:
            return CannotTell()
        whole = [effect.label for effect in effects if not effect.half]
        if whole or effects:
            return Done(whole[-1]) if whole else CannotTell()
        on_its_way = probed is Probed.TRUTH and self._has_effect_on_its_way(state)
        return CannotTell() if on_its_way else NotDone()

    def _has_effect_on_its_way(self, state: State) -> bool:
        return any(
            place != GONE and isinstance(self._places.events[place], EffectOf)
            for place in state.places
        )

    def _saves(
        self, state: State, number: int, save: SaveRecord, name: str
    ) -> Iterator[tuple[Way, State]]:
        record = self._number(save.record, self._clock(state, number))
        revision = 0 if save.revision is None else int(save.revision)
        after = self._landed(state, record, revision)
        done = after is not state
        what = name, "writes", save.record.state, "over", revision
        reply = Saved(str(after.revision)) if done else Changed()
        yield (*what, "done" if done else "refused"), self._on(after, number, reply)
        if not state.faults:
            return
        less = state._replace(faults=state.faults - 1)
        yield (*what, "table away"), self._on(less, number, REFUSED)
        yield (*what, "lost"), self._on(less, number, LOST)
        late = less._replace(late=tuple(sorted((*less.late, (record, revision)))))
        yield (*what, "late"), self._on(late, number, LOST)
        if done:
            after = after._replace(faults=state.faults - 1)
            yield (*what, "done, and its answer is lost"), self._on(after, number, LOST)

    def _load(self, state: State, number: int) -> LoadedRecord | None:
        if not state.record:
            return None
        loaded = Record(self._items[state.record], str(state.revision), "")
        return record_in(loaded, self._clock(state, number), lambda *_: state.seen_at * EPOCH)

    def _clock(self, state: State, number: int) -> OneClock:
        member = self._members[number]
        epoch = 0 if member.asleep else state.epoch
        return OneClock(epoch * EPOCH, (state.epoch - epoch + member.ahead) * EPOCH)

    def _counts(self, state: State) -> bool:
        """Return whether it counts when somebody first saw the record."""
        record = self._records[state.record]
        return record is not None and record.over_at > 0

    def _landed(self, state: State, record: int, revision: int) -> State:
        """Return the state after a conditional write; the same one if it was refused."""
        if (state.revision if state.record else 0) != revision:
            return state
        kept = self._records[record]
        assert kept is not None
        seen = note_write(state.seen, self._records[state.record], kept)
        return state._replace(record=record, revision=state.revision + 1, seen=seen, seen_at=-1)

    def _number(self, record: KeyRecord, clock: OneClock) -> int:
        """Return the number of a record as the table gives it back, written by a clock."""
        written = record, clock.value, clock.ahead
        number = self._numbers.get(written)
        if number is None:
            item = item_of(record, "42", clock)
            if item in self._items:
                number = self._items.index(item)
            else:
                kept = record_in(Record(item, "", ""), OneClock(), lambda *_: 0.0).record
                assert kept is not None, "every record can be read"
                number = len(self._items)
                self._records.append(kept)
                self._items.append(item)
            self._numbers[written] = number
        return number

    def _on(self, state: State, number: int, reply: Any) -> State:
        """Return the state after an actor has got a reply, and has been told what it asked for."""
        now = self._clock(state, number).value
        place = self._places.after(state.places[number], number, reply, now)
        seen, kind = state.seen, self._scenario.kind
        while True:
            event = self._places.events[place]
            if isinstance(event, Told):
                seen = note_verdict(kind, seen, *event)
            elif event is Happening.DECLARED:
                seen = seen._replace(declared=True)
            else:
                break
            place = self._places.after(place, number, None, now)
        if isinstance(event, Ended):
            seen = note_end(kind, seen, event)
            place = GONE
        return _moved(state, number, place, seen, state.kills)

    def _check_last(self, state: State) -> None:
        """Settle once more when nobody is left, and deliver late packets after that.

        Raises:
            Wrong: the verdict is, or it is not the last one.
        """
        number = len(self._scenario.members)
        found, state = self._alone(state._replace(faults=0), number)
        for _ in range(
            2
        ):  # it asks again when the lease is over, which it counts from its first look
            if found is not None and found.verdict is Verdict.RUNNING:
                found, state = self._alone(state._replace(epoch=state.epoch + 1), number)
        kept = self._records[state.record]
        if found is not None or kept is None or not is_of_other(kept, self._payload):
            check_settled(self._scenario.kind, state.seen, found, aged=self._scenario.aged)
        for record, revision in state.late:
            state = self._landed(state, record, revision)
        for late in range(min(3, state.seen.not_run + 1)):
            self._alone(state, number + 1 + late)

    def _alone(self, state: State, number: int) -> tuple[KeyFinding | None, State]:
        """Let one more actor do all that it does; return what it is told, and the state then."""
        self._places.told.pop(number, None)
        places = (*(GONE for _ in range(number)), self._places.first(number))
        state = state._replace(places=places)
        while state.places[number] != GONE:
            _, state = next(self._steps(state, number))
        return self._places.told.get(number), state


class _Places:
    """Where actors stand: each place is known by the variables of the actor's frames.

    Attributes:
        events: what the actor at a place does next, or how it has ended.
        told: what an actor was told last, by its number.
    """

    def __init__(self, actors: list[Callable[[], Actor]], ahead: list[float]) -> None:
        self._actors, self._ahead = actors, ahead
        self.events: list[Any] = []
        self.told: dict[int, KeyFinding] = {}
        self._replies: list[tuple[tuple[Any, float], ...]] = []
        self._known: dict[Any, int] = {}
        self._after: dict[tuple[int, Any, float], int] = {}

    def first(self, number: int) -> int:
        """Return where an actor stands before it has arrived."""
        return self._place(number, ())

    def after(self, place: int, number: int, reply: Any, now: float) -> int:
        """Return where an actor stands after a reply."""
        event = self.events[place]
        if isinstance(event, Told):
            self.told[number] = event.finding
        move = place, reply, now
        found = self._after.get(move)
        if found is None:
            found = self._after[move] = self._place(number, (*self._replies[place], (reply, now)))
        return found

    def _place(self, number: int, replies: tuple[tuple[Any, float], ...]) -> int:
        CLOCK.value, CLOCK.ahead = 0.0, self._ahead[number]
        actor = self._actors[number]()
        event: Any = next(actor)
        try:
            for reply, now in replies:
                CLOCK.value = now
                # What is sent to the table is answered with the time.
                at_table = isinstance(event, LoadRecord | SaveRecord)
                event = actor.send((reply, now) if at_table else reply)
        except StopIteration as end:
            event = end.value
        frozen = number, event, freeze(actor)
        place = self._known.get(frozen)
        if place is None:
            place = self._known[frozen] = len(self.events)
            self.events.append(event)
            self._replies.append(replies)
        return place


def _words(way: Way) -> str:
    parts = (part.value if isinstance(part, Enum) else part for part in way)
    return " ".join(str(part) for part in parts if part is not None)


PLAIN: Final = frozenset({type(None), str, bool, int, float, bytes})


def freeze(value: Any) -> Any:
    """Return what tells one state of a value from another, hashable."""
    if type(value) in PLAIN or isinstance(value, Enum):
        return value
    if isinstance(value, tuple):
        return (type(value).__name__, *map(freeze, value))
    if isinstance(value, GeneratorType):
        return _freeze_frames(value)
    if isinstance(value, IdempotentRun):
        kept = value.held, value.earlier, value.effects, value.started
        return freeze((*kept, value.released, value.recorded, value._last_begin))
    if isinstance(value, BaseException):
        return type(value).__name__, str(value)
    return type(value).__name__  # it does not change


def _freeze_frames(actor: Any) -> Any:
    frames = []
    while isinstance(actor, GeneratorType) and actor.gi_frame is not None:
        frame = actor.gi_frame
        values = tuple((name, freeze(value)) for name, value in frame.f_locals.items())
        frames.append((frame.f_code.co_name, frame.f_lasti, values))
        actor = actor.gi_yieldfrom
    return tuple(frames)


def _moved(state: State, number: int, place: int, seen: Seen, kills: int) -> State:
    places = (*state.places[:number], place, *state.places[number + 1 :])
    return State(
        state.record,
        state.revision,
        state.epoch,
        state.seen_at,
        state.late,
        seen,
        places,
        kills,
        state.faults,
    )
