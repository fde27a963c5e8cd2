"""The record of one key, and what a call that meets it does: the state machine, pure.

```
absent ------------ claim, if absent -----------------> IN_PROGRESS(owner, lease, fence 1)
IN_PROGRESS ------- by its owner, if unchanged -------> COMPLETED | FAILED | UNKNOWN | RELEASED
RELEASED ------------------------ claim, if unchanged -> IN_PROGRESS(new owner, fence + 1)
IN_PROGRESS, lease over, no effect begun ---- the same -> the same
FAILED, to be run again --------------------- the same -> the same
UNKNOWN, or lease over after an effect ------ claim ----> refused, unless the handler wants it

absent, RELEASED, or lease over, no effect -- settle ---> VOID(voids + 1)
UNKNOWN, or lease over after an effect ------ a probe --> COMPLETED | VOID(voids + 1)
VOID(voids) ------- claim that knows of as many voids --> IN_PROGRESS(new owner, fence + 1)
VOID(voids) ------- any other claim --------------------> refused: it was settled as not run

absent, RELEASED, VOID(voids) -- claim, to be approved -> WAITING
IN_PROGRESS, lease over, no effect begun ---- the same -> WAITING
WAITING ----------- a person approves ------------------> RELEASED | VOID(voids), approved
WAITING, or approved ------------ a person refuses -----> REFUSED
RELEASED | VOID, approved ------- claim, same payload --> IN_PROGRESS
WAITING ----------- settle -----------------------------> VOID(voids + 1)
WAITING, REFUSED -- claim ------------------------------> refused: it has not run
```

An approval is for a key and a payload, before its first run. A run that is proved not to have had
its effect leaves it, and so does a void. `leeward.cli.key_records` has what a person decides.

A void is of the calls that were made before it. Each call says how many voids of its key it knows:
a late one knows fewer than the record has, and never runs, whatever becomes of the key. Whoever
calls again with the key learns the number, and may run.

Every arrow is a conditional write: on absence, or on the revision that was seen. So of two writers
one finds out that it came second, whatever their clocks say.

No clock of another machine is believed. A record says how many seconds its run had left when it was
written; whoever loads it counts them from when its process first saw that, by its own monotonic
clock. By then the run's effects have ended, for certain. What the clocks of the day say of a lease
counts only where the write itself keeps the run from acting, or nothing follows from it, or where
they would have to differ by more than `CLOCKS`. A table forgets by the clock of the day: a key is
lost early only if two differ by more than that.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, TypeAlias

from leeward import envelope
from leeward.app.answers import encode_value
from leeward.app.idempotency.digests import is_same
from leeward.envelope import CLOCKS
from leeward.masking import mask
from leeward.records import NamedTuple

LONGEST_WAIT: Final = 5.0
"""Seconds that a repeat is asked to wait for the run under way, which may end before its lease."""

PERSONS_WAIT: Final = 60.0
"""Seconds that a call is asked to wait for a person's approval. Our choice: nobody knows when."""

LATEST_DELIVERY: Final = 31 * 86_400.0
"""Seconds after which no platform delivers a call any more, 31 days: so long a table keeps a void,
and what a person approves or refuses. The table in ``docs/idempotency.md`` says which platform
keeps a message as long."""


MOST_NOTES: Final = 20
"""Of one record."""

MOST_VOIDS: Final = 1000
"""That a call is believed to know of, beyond those that the record has. A key is void once or
twice; after a number without a limit, no honest call could say a larger one."""


class KeyState(Enum):
    """How far the run that holds a key has come; the value stands in the table."""

    IN_PROGRESS = "in_progress"
    """It runs, or the process has died."""
    COMPLETED = "completed"
    """It has returned; repeats get its result."""
    FAILED = "failed"
    """It has failed in a way that the handler declared; repeats get the same, or run again."""
    UNKNOWN = "unknown"
    """It has ended, and nothing proves that it had no effect."""
    RELEASED = "released"
    """It has ended, and nothing has run: the key is free. The record stays, because the claim of a
    run that has ended may be on its way a second time, and must find that something is there."""
    VOID = "void"
    """Somebody has settled the calls that were made so far: none has run, and none of them will."""
    WAITING = "waiting"
    """A person is to approve the first run of the key; nothing has run."""
    REFUSED = "refused"
    """A person has refused that: nothing has run, and nothing will."""


class Earlier(Enum):
    """Why a run is not the first of its key: its handler may find traces of the one before."""

    LAPSED = "lapsed"
    """The one before did not end, and its lease is over."""
    FAILED = "failed"
    """The one before failed, and was declared to be run again."""
    UNKNOWN = "unknown"
    """The one before ended, and may have had its effect."""


class RecordedFailure(NamedTuple):
    """How a run failed.

    Attributes:
        type: name of the exception's class.
        arguments: what it was made of; empty where that is not kept.
        rerun: a repeat runs again, where it would else get the same failure.
    """

    type: str
    arguments: tuple[Any, ...] = ()
    rerun: bool = False

    def __repr__(self) -> str:
        return mask(self, "type rerun")


class Approval(NamedTuple):
    """That a person decides whether a key may run.

    Attributes:
        question: what the person reads; empty if the function says nothing.
        by: who has decided; None as long as nobody has.
    """

    question: str
    by: str | None = None

    def __repr__(self) -> str:
        return mask(self, "by")


class KeyRecord(NamedTuple):
    """What a table keeps of a key.

    Attributes:
        state: how far its run has come.
        owner: the attempt that runs it, or has run it; no two have the same.
        fence: 1 for the first run, and one more for each that took over.
        lease_until: a run that has not ended by then is taken for dead, as far as the clocks of
            the day say. Seconds by the monotonic clock of the process that has loaded the record.
        payload: digest of what the call was about.
        effects: an effect may have begun.
        result: what it returned, when COMPLETED.
        kept: `result` is here; False where it was too large, or is nothing that a table takes.
        failure: when FAILED or UNKNOWN.
        voids: how often the key was settled as not run. A call that knows of fewer is a late one.
        notes: what its runs have noted for a probe.
        earlier_effects: a run before this one may have had its effect, and this one goes on from
            there: that it has not begun an effect itself does not say that nothing was done.
        approval: of a key that a person has to approve; None for any other.
        over_at: the run's effects have ended by then, however far the clocks of the day differ, up
            to `CLOCKS`. Seconds as of `lease_until`.
    """

    state: KeyState
    owner: str
    fence: int
    lease_until: float
    payload: str
    effects: bool
    result: Any = None
    kept: bool = True
    failure: RecordedFailure | None = None
    voids: int = 0
    notes: tuple[str, ...] = ()
    earlier_effects: bool = False
    approval: Approval | None = None
    over_at: float = 0.0

    def __repr__(self) -> str:
        return mask(
            self,
            "state owner fence lease_until effects kept failure voids earlier_effects approval "
            "over_at",
        )


class Text(NamedTuple):
    """A result as JSON, where no item can hold it: nested too deep, or with a naive time."""

    json: str

    def __repr__(self) -> str:
        return mask(self)


class LoadedRecord(NamedTuple):
    """A record as it was loaded, None if it is not valid; and the revision that it had then."""

    record: KeyRecord | None
    revision: str


class Claim(NamedTuple):
    """A call that wants to run.

    Attributes:
        owner: of this attempt.
        payload: digest of what the call is about.
        lease: seconds.
        effects_marked: the handler announces each effect, so that none has begun before.
        run_unknown: the handler can deal with what an earlier run may have done.
        voids: of how many voids of the key the call knows.
        question: what a person reads who has to approve it; None if nobody has to.
    """

    owner: str
    payload: str
    lease: float
    effects_marked: bool = False
    run_unknown: bool = False
    voids: int = 0
    question: str | None = None


class Start(NamedTuple):
    """Run, as soon as `record` is written; `revision` is what it replaces, None for nothing.

    If `record` waits for an approval, nothing runs when it is written.
    """

    record: KeyRecord
    revision: str | None = None
    earlier: Earlier | None = None


class Replay(NamedTuple):
    """The result of the run that has completed, for a repeat."""

    result: Any

    def __repr__(self) -> str:
        return mask(self)


class ReplayFailure(NamedTuple):
    """The failure of the run before, for a repeat."""

    failure: RecordedFailure


class Reason(Enum):
    """Why a call with a known key neither runs nor gets a result."""

    RUNNING = envelope.RUNNING
    """The first one still runs."""
    MISMATCH = "mismatch"
    """The key belongs to a call with another payload."""
    UNKNOWN = envelope.UNKNOWN
    """An earlier run may have had its effect, and nothing proves whether it had."""
    NOT_KEPT = envelope.NOT_KEPT
    """It has completed, and its result was not kept."""
    VOIDED = envelope.VOIDED
    """It was settled as not run, and is a late delivery; or it does not know of that yet."""
    WAITING = envelope.WAITING
    """A person has to approve it first."""
    REFUSED = "refused"
    """A person has refused it."""


class Refuse(NamedTuple):
    """Do not run; `retry_after` seconds may change that, or a call that knows of `voids` voids.

    If `is_new`, this call is the one that has asked a person. `error` is the class of what an
    earlier run has raised, where nobody knows what that did.
    """

    reason: Reason
    retry_after: float | None = None
    voids: int = 0
    is_new: bool = False
    error: str | None = None


Decision: TypeAlias = Start | Replay | ReplayFailure | Refuse


def start_run(
    loaded: LoadedRecord | None, claim: Claim, now: float, earlier: Earlier | None = None
) -> Start | Refuse:
    """Return how a call begins whose key is free for it: the one gate to every run.

    If a person has to approve the payload and has not, the key waits, and nothing runs. If a run
    that nobody has approved may have had its effect, the call is refused: it is too late to ask.

    Args:
        loaded: what the key has; None for nothing.
        claim: the call.
        now: seconds, as of `KeyRecord.lease_until`.
        earlier: why this is not the first run; None where nothing was done before.
    """
    before, revision = (None, None) if loaded is None else loaded
    fence, voids, approval = 0, min(claim.voids, MOST_VOIDS), None
    notes: tuple[str, ...] = ()
    acted = False
    if before is not None:
        fence, voids = before.fence, count_voids(before.voids, claim.voids)
        approval = before.approval if before.payload == claim.payload else None
        if earlier is not None:
            notes, acted = before.notes, before.effects or before.earlier_effects
    if claim.question is not None and (approval is None or approval.by is None):
        if acted:
            return Refuse(Reason.UNKNOWN)
        approval = Approval(claim.question)
        # It has no owner, as a void has none.
        waiting = KeyRecord(KeyState.WAITING, "", fence, now, claim.payload, False, voids=voids)
        return Start(waiting._replace(approval=approval), revision)
    record = KeyRecord(
        KeyState.IN_PROGRESS,
        claim.owner,
        fence + 1,
        now + claim.lease,
        claim.payload,
        effects=not claim.effects_marked,
        voids=voids,
        notes=notes,
        earlier_effects=acted,
        approval=approval,
        over_at=now + claim.lease,
    )
    return Start(record, revision, earlier)


def decide(loaded: LoadedRecord, claim: Claim, now: float) -> Decision:
    """Return what a call does about the record that its key has."""
    record, revision = loaded
    if record is None:
        return Refuse(Reason.UNKNOWN)
    is_own = record.owner == claim.owner and record.state is KeyState.IN_PROGRESS
    if is_own:  # the claim came through, and its answer was lost
        return Start(record, revision)
    is_late = claim.voids < record.voids
    if is_of_other(record, claim.payload):
        return Refuse(Reason.MISMATCH)
    if record.state in (KeyState.RELEASED, KeyState.VOID):
        return _refuse_late(record) if is_late else start_run(loaded, claim, now)
    if record.state in (KeyState.WAITING, KeyState.REFUSED):
        return _refuse_late(record) if is_late else refuse_unapproved(record)
    if record.state is KeyState.COMPLETED:
        return Replay(record.result) if record.kept else Refuse(Reason.NOT_KEPT)
    if record.state is KeyState.FAILED and record.failure is not None:
        if not record.failure.rerun:
            return ReplayFailure(record.failure)
        return _refuse_late(record) if is_late else start_run(loaded, claim, now, Earlier.FAILED)
    decision = _decide_unended(loaded, record, claim, now)
    return _refuse_late(record) if is_late and isinstance(decision, Start) else decision


def _refuse_late(record: KeyRecord) -> Refuse:
    return Refuse(Reason.VOIDED, voids=record.voids)


def refuse_unapproved(record: KeyRecord) -> Refuse:
    """Return what a call gets whose key a person has not approved."""
    if record.state is KeyState.REFUSED:
        return Refuse(Reason.REFUSED)
    return Refuse(Reason.WAITING, PERSONS_WAIT)


def is_of_other(record: KeyRecord, payload: str) -> bool:
    """Return whether the key belongs to another payload.

    A free key belongs to none, unless a person has approved it for one: that stays, until a call
    with that payload uses it, or a person refuses it.
    """
    is_free = record.state in (KeyState.RELEASED, KeyState.VOID) and not _is_approved(record)
    return not is_free and not is_same(record.payload, payload)


def _is_approved(record: KeyRecord) -> bool:
    return record.approval is not None and record.approval.by is not None


def _decide_unended(loaded: LoadedRecord, record: KeyRecord, claim: Claim, now: float) -> Decision:
    """Return what a call does about a run whose effect is not known."""
    match record.state:
        case KeyState.IN_PROGRESS if now < record.lease_until:
            return Refuse(Reason.RUNNING, min(record.lease_until - now, LONGEST_WAIT))
        case KeyState.IN_PROGRESS if not record.effects:  # the write itself keeps it from acting
            return start_run(loaded, claim, now, Earlier.LAPSED)
        case _ if claim.run_unknown and now < record.over_at and record.failure is None:
            return Refuse(Reason.RUNNING, min(record.over_at - now, LONGEST_WAIT))
        case KeyState.IN_PROGRESS if claim.run_unknown:
            return start_run(loaded, claim, now, Earlier.LAPSED)
        case KeyState.UNKNOWN if claim.run_unknown:
            return start_run(loaded, claim, now, Earlier.UNKNOWN)
        case _:
            return refuse_unknown(record)


def refuse_unknown(record: KeyRecord) -> Refuse:
    """Return what a call gets if nobody knows what an earlier run has done."""
    return Refuse(Reason.UNKNOWN, error=record.failure and record.failure.type)


def with_effects(record: KeyRecord) -> KeyRecord:
    """Return the record before the first effect of its run."""
    return record._replace(effects=True)


def with_note(record: KeyRecord, text: str) -> KeyRecord:
    """Return the record with one more note; the first ones are kept."""
    return record._replace(notes=(*record.notes, text)[:MOST_NOTES])


def complete_record(record: KeyRecord, result: Any) -> KeyRecord:
    """Return the record of a run that has returned `result`."""
    return record._replace(
        state=KeyState.COMPLETED, effects=True, result=result, kept=True, failure=None
    )


def with_text(record: KeyRecord) -> KeyRecord | None:
    """Return the record of a run with its result as JSON text, for a table that does not take it.

    Return None if there is no such text.
    """
    if record.state is not KeyState.COMPLETED:
        return None
    try:
        return record._replace(result=Text(encode_value(record.result, None).decode()))
    except Exception:  # noqa: BLE001 - the code of somebody else's class
        return None


def without_result(record: KeyRecord) -> KeyRecord:
    """Return the record of a run that has ended with what the table does not take."""
    if record.failure is not None:
        return record._replace(failure=record.failure._replace(arguments=()))
    return record._replace(result=None, kept=False)


def fail_record(record: KeyRecord, failure: RecordedFailure) -> KeyRecord:
    """Return the record of a run that has failed as its handler declared."""
    return record._replace(state=KeyState.FAILED, failure=failure)


def leave_unknown(record: KeyRecord, failure: RecordedFailure) -> KeyRecord:
    """Return the record of a run that has ended with an unknown effect."""
    return record._replace(state=KeyState.UNKNOWN, effects=True, failure=failure)


def release_record(record: KeyRecord) -> KeyRecord:
    """Return the record of a run that has ended, and of which nothing has run."""
    return record._replace(state=KeyState.VOID if record.voids else KeyState.RELEASED)


def count_voids(recorded: int, told: int) -> int:
    """Return how often a key is void, by its record and by a call that says what it knows."""
    return max(recorded, min(told, MOST_VOIDS))


def void_record(record: KeyRecord, voids: int) -> KeyRecord:
    """Return the record of a key of which no call has run, nor will one that knows of fewer voids.

    It has no owner: a run that held the key finds out that it has lost it.

    Args:
        record: as it is.
        voids: of which the call knows that is settled.
    """
    voids = count_voids(record.voids, voids) + 1
    void = KeyRecord(
        KeyState.VOID, "", record.fence, record.lease_until, record.payload, False, voids=voids
    )
    return void._replace(approval=record.approval) if _is_approved(record) else void


def seconds_to_keep(record: KeyRecord, keep: float, now: float) -> float:
    """Return for how many seconds the table keeps `record`; one that may still run, longer."""
    running = record.state is KeyState.IN_PROGRESS
    keep = max(keep, LATEST_DELIVERY) if record.voids or record.approval else keep
    return keep + CLOCKS + (max(0.0, record.lease_until - now) if running else 0.0)
