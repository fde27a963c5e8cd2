"""Who calls what, and when: the same calls for every router that a episode is run with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from math import log
from random import Random
from typing import Final, NamedTuple, TypeVar

from leeward.calls import Call, Delete, Enqueue, Invoke, Key, Load, Publish, Store
from leeward.values import Effect, Event

T = TypeVar("T")


class Kind(Enum):
    """The kinds of calls."""

    UNSAFE = "unsafe"
    UNSAFE_QUEUED = "unsafe, queued"
    READ_ONLY = "read only"
    IDEMPOTENT = "idempotent"
    KEYED_TARGET = "keyed, per target"
    KEYED_TARGET_QUEUED = "keyed, per target, queued"
    KEYED_GROUP = "keyed, shared"
    EVENT = "event"
    BATCH = "batch"
    STORE = "store"
    STORE_IF_ABSENT = "store if absent"
    STORE_IF_REVISION = "store if revision"
    DELETE = "delete"
    DELETE_IF_REVISION = "delete if revision"
    LOAD = "load"
    SETTLED_UNSAFE = "unsafe, settled"
    SETTLED_TARGET = "keyed, per target, settled"
    SETTLED_GROUP = "keyed, shared, settled"
    NESTED = "unsafe, calls another"
    NESTED_IDEMPOTENT = "idempotent, calls another"


WEIGHTS = (28, 5, 4, 9, 10, 2, 7, 8, 6, 6, 5, 3, 2, 2, 3, 0, 0, 0, 0, 0)
"""Of a hundred calls, how many are of each kind; a third is unsafe. Those that settle what is
unknown, or call another function, have mixes of their own."""

TIMEOUTS = (0.08, 0.5, 2.0, 10.0, 15.0, 60.0)
"""Seconds; the usual deadlines, and some that are too short for a second attempt."""

TIMEOUT_WEIGHTS = (1, 4, 15, 40, 20, 20)

TIME_LIMITS = (0.0, 2.0, 30.0)
"""Seconds that an unsafe function may run for; 0 where that is not known."""

KEYS_PER_TABLE = 25
"""Few enough that calls meet."""

CALLS_PER_NEW_KEY = 60
"""Every so many calls a new key comes up, for the calls that create and delete."""

STALE = "r0"
"""A revision that no object has."""


class Arrival(NamedTuple):
    """A call that is about to be made.

    Attributes:
        number: of the call, unique in its episode.
        at: virtual seconds.
        kind: of which kind.
        timeout: seconds.
        table: for data.
        draw: decides the rest, in [0, 1).
    """

    number: int
    at: float
    kind: Kind
    timeout: float
    table: str
    draw: float


class Mix(NamedTuple):
    """Of which kinds the calls are, and their deadlines in seconds, each with its weight."""

    kinds: Mapping[Kind, int]
    timeouts: Mapping[float, int]


EVERYTHING = Mix(
    dict(zip(Kind, WEIGHTS, strict=True)), dict(zip(TIMEOUTS, TIMEOUT_WEIGHTS, strict=True))
)


SETTLED = Mix(
    {Kind.SETTLED_UNSAFE: 2, Kind.SETTLED_TARGET: 1, Kind.SETTLED_GROUP: 1},
    EVERYTHING.timeouts,
)
"""Calls of functions that keep records, and settle what is unknown."""

MAY_BE_HEDGED = (Kind.READ_ONLY, Kind.IDEMPOTENT, Kind.KEYED_GROUP, Kind.EVENT, Kind.BATCH)
HEDGED = Mix(
    {**dict.fromkeys((*MAY_BE_HEDGED, Kind.SETTLED_GROUP), 3), Kind.UNSAFE: 3, Kind.LOAD: 1},
    EVERYTHING.timeouts,
)
"""Calls that may be hedged, and a few that may not."""

NESTED = Mix({Kind.NESTED: 2, Kind.NESTED_IDEMPOTENT: 1, Kind.UNSAFE: 1}, {10.0: 1, 60.0: 1})
"""Calls of functions that call another one, by the same router, before they answer."""

OUTER = "ship"
"""The function that calls another one."""


ALL: Final = ("alpha", "beta", "gamma", "delta", "epsilon")
"""The targets that share the keys of a group, as their operator says: in this world they do."""


def inner_of(number: int, attempt: int) -> tuple[Kind, Invoke]:
    """Return what a run of `OUTER` calls: a keyed function that is settled, or an unsafe one."""
    key, payload = f"call-{number}/{attempt}", payload_of(number)
    if number % 2:
        return Kind.UNSAFE, Invoke("charge", payload, key)
    call = Invoke("pay", payload, key, Effect.KEYED, shared_dedup=ALL, settles=True)
    return Kind.SETTLED_GROUP, call


def arrivals(
    seed: str, rate: float, tables: tuple[str, ...], calls: int, mix: Mix = EVERYTHING
) -> Iterator[Arrival]:
    """Return `calls` arrivals, `rate` a second on average (Poisson)."""
    draw = Random(f"{seed}/traffic").random
    kinds, timeouts = _urn(mix.kinds), _urn(mix.timeouts)
    now = 0.0
    for number in range(calls):
        now -= log(1.0 - draw()) / rate
        kind, timeout = kinds[int(draw() * len(kinds))], timeouts[int(draw() * len(timeouts))]
        table = tables[int(draw() * len(tables))]
        yield Arrival(number, now, kind, timeout, table, draw())


def _urn(weights: Mapping[T, int]) -> list[T]:
    return [value for value, weight in weights.items() for _ in range(weight)]


RevisionOf = Callable[[str, str], str | None]
"""From a table and a key to the revision that a caller would just have read."""


def call_of(arrival: Arrival, revision_of: RevisionOf) -> Call:
    """Build the request."""
    match arrival.kind:
        case Kind.EVENT | Kind.BATCH:
            return Publish("bus", _events(arrival))
        case Kind.STORE | Kind.STORE_IF_ABSENT | Kind.STORE_IF_REVISION:
            return _store(arrival, revision_of)
        case Kind.DELETE | Kind.DELETE_IF_REVISION:
            wanted = _revision(arrival, revision_of, Kind.DELETE_IF_REVISION)
            return Delete(arrival.table, _key(arrival), arrival.at, wanted)
        case Kind.LOAD:
            return Load(arrival.table, _key(arrival))
        case _:
            return _function(arrival)


POISON = b"poison"
"""The payload of one call in so many; only some schedules make it harm."""

CALLS_PER_POISON = 40


def payload_of(number: int) -> bytes:
    """Return the payload of a call: most are unique, a few are always the same."""
    if number % CALLS_PER_POISON == 0:
        return POISON
    return b"same" if number % 3 == 0 else b"%d" % number


def _function(arrival: Arrival) -> Call:
    key, payload = f"call-{arrival.number}", payload_of(arrival.number)
    match arrival.kind:
        case Kind.UNSAFE:
            limit = TIME_LIMITS[int(arrival.draw * len(TIME_LIMITS))]
            return Invoke("charge", payload, key, time_limit=limit)
        case Kind.SETTLED_UNSAFE:
            limit = TIME_LIMITS[int(arrival.draw * len(TIME_LIMITS))]
            return Invoke("pay", payload, key, time_limit=limit, settles=True)
        case Kind.SETTLED_TARGET:
            return Invoke("pay", payload, key, Effect.KEYED, settles=True)
        case Kind.SETTLED_GROUP:
            return Invoke("pay", payload, key, Effect.KEYED, shared_dedup=ALL, settles=True)
        case Kind.UNSAFE_QUEUED:
            return Enqueue("charge", payload, key)
        case Kind.NESTED | Kind.NESTED_IDEMPOTENT:
            unsafe = arrival.kind is Kind.NESTED
            return Invoke(OUTER, payload, key, Effect.UNSAFE if unsafe else Effect.IDEMPOTENT)
        case Kind.READ_ONLY:
            return Invoke("quote", payload, key, Effect.READ_ONLY)
        case Kind.IDEMPOTENT:
            return Invoke("index", payload, key, Effect.IDEMPOTENT)
        case Kind.KEYED_TARGET_QUEUED:
            return Enqueue("receipt", payload, key, Effect.KEYED)
        case _:
            shared = ALL if arrival.kind is Kind.KEYED_GROUP else False
            return Invoke("receipt", payload, key, Effect.KEYED, shared_dedup=shared)


def _events(arrival: Arrival) -> tuple[Event, ...]:
    count = 1 if arrival.kind is Kind.EVENT else 2 + int(arrival.draw * 5)
    return tuple(Event("made", id=f"{arrival.number}.{index}") for index in range(count))


def _store(arrival: Arrival, revision_of: RevisionOf) -> Store:
    expires_at = arrival.at + 2.0 if arrival.draw * 10 % 1 < 0.1 else None
    return Store(
        arrival.table,
        _key(arrival),
        {},
        f"write-{arrival.number}",
        arrival.at,
        expires_at,
        arrival.kind is Kind.STORE_IF_ABSENT,
        _revision(arrival, revision_of, Kind.STORE_IF_REVISION),
    )


def _key(arrival: Arrival) -> Key:
    creates = arrival.kind in (Kind.STORE_IF_ABSENT, Kind.DELETE)
    old, new = int(arrival.draw * KEYS_PER_TABLE), arrival.number // CALLS_PER_NEW_KEY
    return Key(("id",), (f"new-{new}" if creates else f"k{old}",))


def _revision(arrival: Arrival, revision_of: RevisionOf, conditional: Kind) -> str | None:
    """Return the current revision, sometimes an old one; None for an unconditional call."""
    if arrival.kind is not conditional:
        return None
    old = arrival.draw * 100 % 1 < 0.2
    return STALE if old else revision_of(arrival.table, _key(arrival).values[0]) or STALE
