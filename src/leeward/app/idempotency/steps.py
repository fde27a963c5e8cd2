"""The reads and writes of a run, as generators without I/O, for threads, event loops and tests.

Each yields a step, receives its reply and the time, and returns what it has learnt. Every write is
conditional: a run that was asleep while another took over writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar

from leeward.app.idempotency.record import (
    Claim,
    Decision,
    KeyRecord,
    KeyState,
    LoadedRecord,
    Reason,
    Refuse,
    Start,
    decide,
    refuse_unapproved,
    start_run,
    with_effects,
    with_note,
    with_text,
    without_result,
)
from leeward.errors import LeewardError
from leeward.records import NamedTuple

ROUNDS: Final = 4  # how often a claim tries again when others have written in between

T = TypeVar("T")


class LoadRecord(NamedTuple):
    """Load the record. The reply is a `Found`, None where there is none, or `Away`."""


class SaveRecord(NamedTuple):
    """Write `record` if the one there still has `revision`; None: if there is none.

    The reply is `Saved`, `Changed`, `Unfit` or `Away`.
    """

    record: KeyRecord
    revision: str | None


class Saved(NamedTuple):
    """It is written, and has this revision now."""

    revision: str


class Changed(NamedTuple):
    """Nothing was written: the record is not what it was."""


class Unfit(NamedTuple):
    """Nothing was written: the table does not take the record."""

    error: LeewardError


class Away(NamedTuple):
    """The table could not be reached; `written` if the write may have happened."""

    error: LeewardError
    written: bool = False


class RegisterEntry(NamedTuple):
    """How a version of a function keeps its records, by name; and since when, in Unix seconds."""

    since: float
    facts: Mapping[str, Any]


class LoadRegister(NamedTuple):
    """Load the row of a function. The reply is a `LoadedRegister`, None for none, or `Away`."""

    id: str


class LoadedRegister(NamedTuple):
    """The entries of a function's row, oldest first, and its revision."""

    entries: tuple[RegisterEntry, ...]
    revision: str


class SaveRegister(NamedTuple):
    """Write the row of a function in place of `revision`; the reply is as of `SaveRecord`."""

    id: str
    entries: tuple[RegisterEntry, ...]
    revision: str | None


Step: TypeAlias = LoadRecord | SaveRecord | LoadRegister | SaveRegister
Reply: TypeAlias = LoadedRecord | LoadedRegister | Saved | Changed | Unfit | Away | None
Steps: TypeAlias = Generator[Step, tuple[Reply, float], T]


class Held(NamedTuple):
    """A record that this run has written, and its revision."""

    record: KeyRecord
    revision: str


class Recorded(Enum):
    """Whether the end of a run has been recorded."""

    YES = "yes"
    WITHOUT_RESULT = "without_result"
    """The table did not take the result, so repeats learn only that it is done; or not the
    arguments of a failure, so repeats learn only its class."""
    MARKED = "marked"
    """Recorded, but not as "nothing has run": somebody else recorded an effect of the run."""
    LOST = "lost"
    """The key has expired, or somebody has deleted its record."""
    NO = "no"
    """The table could not be reached."""


def claim_key(claim: Claim, now: float) -> Steps[Decision | Away]:
    """Decide what a call does. `Start`: its record is written, and has its revision."""
    decision: Decision = start_run(None, claim, now)
    end = now + claim.lease
    for _ in range(ROUNDS):
        if not isinstance(decision, Start):
            return decision
        start = decision
        reply, now = yield SaveRecord(start.record, start.revision)
        if isinstance(reply, Saved):
            return settle_start(start, reply.revision)
        if isinstance(reply, Unfit):
            return Away(reply.error)
        if isinstance(reply, Away) and not reply.written:
            return reply
        loaded, now = yield LoadRecord()
        if isinstance(loaded, Away):
            return loaded
        if not isinstance(loaded, LoadedRecord):  # it has expired since
            decision = start_run(None, claim, now)
            continue
        decision = decide(loaded, claim, now)
        if isinstance(decision, Start) and decision.record is loaded.record:
            # Its own claim, whose answer was lost: its lease began with the first one.
            record = decision.record._replace(lease_until=end, over_at=end)
            return Start(record, decision.revision, start.earlier)
    return decision if not isinstance(decision, Start) else Refuse(Reason.RUNNING, 1.0)


def settle_start(start: Start, revision: str) -> Start | Refuse:
    """Return what a call does after its `start` was written with this revision."""
    if start.record.state is KeyState.WAITING:
        return refuse_unapproved(start.record)._replace(is_new=True)
    return start._replace(revision=revision)


def mark_effect(held: Held) -> Steps[Held | Recorded | Away]:
    """Record that an effect may begin, before it does; `LOST` forbids it."""
    return (yield from _change(held, with_effects, lambda record: record.effects))


def add_note(held: Held, text: str) -> Steps[Held | Recorded | Away]:
    """Add a note to the record of a run; `LOST`: another run owns the record now."""
    return (yield from _change(held, lambda kept: with_note(kept, text), lambda r: text in r.notes))


def _change(
    held: Held, change: Callable[[KeyRecord], KeyRecord], is_there: Callable[[KeyRecord], bool]
) -> Steps[Held | Recorded | Away]:
    """Change the record of a run; `is_there` says that only the answer was lost."""
    for _ in range(ROUNDS):
        record = change(held.record)
        reply, _ = yield SaveRecord(record, held.revision)
        if isinstance(reply, Saved):
            return Held(record, reply.revision)
        if isinstance(reply, Away) and not reply.written:
            return reply
        loaded, _ = yield LoadRecord()
        if isinstance(loaded, Away):
            return loaded
        owned = _own_record(loaded, held)
        if owned is None:
            return Recorded.LOST
        if owned.record.state is not KeyState.IN_PROGRESS:  # somebody settles it
            return Recorded.LOST
        if is_there(owned.record):
            return owned
        held = owned
    return Recorded.LOST


def write_end(
    held: Held, record: KeyRecord, if_marked: KeyRecord | None = None
) -> Steps[Recorded | LoadedRecord]:
    """Write how a run has ended: `if_marked` if another has recorded an effect of it."""
    wanted, recorded = record, Recorded.YES
    reply, _ = yield SaveRecord(wanted, held.revision)
    if isinstance(reply, Unfit) and (text := with_text(wanted)) is not None:
        wanted = text
        reply, _ = yield SaveRecord(wanted, held.revision)
    if isinstance(reply, Unfit):
        wanted, recorded = without_result(record), Recorded.WITHOUT_RESULT
        reply, _ = yield SaveRecord(wanted, held.revision)
    for _ in range(ROUNDS):
        if not isinstance(reply, Changed):
            break
        loaded, _ = yield LoadRecord()
        owned = _own_record(loaded, held)
        if owned is None:
            if isinstance(loaded, LoadedRecord):
                return loaded  # another run is its owner now
            return Recorded.NO if isinstance(loaded, Away) else Recorded.LOST
        if if_marked is not None and owned.record.effects and not held.record.effects:
            wanted, recorded = if_marked, Recorded.MARKED
        # Its own write came through; or a probe found its result, and reported it.
        if owned.record.state in (wanted.state, KeyState.COMPLETED):
            return recorded
        reply, _ = yield SaveRecord(wanted, owned.revision)
    if isinstance(reply, Saved):
        return recorded
    return Recorded.LOST if isinstance(reply, Changed) else Recorded.NO


def write_nothing() -> Steps[Recorded | LoadedRecord]:
    """Do nothing, for a run that has no record."""
    yield from ()
    return Recorded.YES


def _own_record(loaded: Reply, held: Held) -> Held | None:
    """Return the record if this run still owns it: its own write came through."""
    if not isinstance(loaded, LoadedRecord) or loaded.record is None:
        return None
    if loaded.record.owner != held.record.owner:
        return None
    lease_until, over_at = held.record.lease_until, held.record.over_at  # as it knows them itself
    record = loaded.record._replace(lease_until=lease_until, over_at=over_at)
    return Held(record, loaded.revision)
