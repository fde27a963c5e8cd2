"""The state machine of one key: its record, and what a call does that finds it. Pure.

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

``docs/approvals.md`` says what an approval is for, and ``docs/settle.md`` what a void is for.

Every arrow is a conditional write: on absence, or on the revision that was loaded. So one of two
writers finds out that it came second, whatever their clocks say.

No clock of another machine is believed. A record says how many seconds its run had left when it was
written. A process counts them by its own monotonic clock, from when it first saw the record: then
the run's effects have ended for certain. A lease by the clock of the day counts only where the
write itself keeps the run from acting, where nothing follows from it, or where clocks would have to
differ by more than `CLOCKS`. A table forgets by the clock of the day: a key is lost early only if
two clocks differ by more than that.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, TypeAlias

from leeward import envelope
from leeward.app.answers import encode_value
from leeward.app.idempotency.digests import is_same
from leeward.envelope import CLOCKS
from leeward.masking import show_only
from leeward.records import NamedTuple

LONGEST_WAIT: Final = 5.0
"""Seconds after which a repeat asks again while a run is under way, which may end early."""

PERSONS_WAIT: Final = 60.0
"""Seconds after which a call asks again for a person's approval. Our choice."""

LATEST_DELIVERY: Final = 31 * 86_400.0
"""Seconds, 31 days, after which no platform delivers a call: a table keeps voids, approvals and
refusals for so long. ``docs/idempotency.md`` lists the platforms."""


MOST_NOTES: Final = 20  # of one record

MOST_VOIDS: Final = 1000
"""Voids that a call may claim to know beyond those of the record. A key is void once or twice; if
any number were believed, one call could shut out all others."""


class KeyState(Enum):
    """How far the run that holds a key has come; the value stands in the table."""

    IN_PROGRESS = "in_progress"
    """It runs, or the process has died."""
    COMPLETED = "completed"
    """It has returned; repeats get its result."""
    FAILED = "failed"
    """It has failed as the handler declared; repeats get the same failure, or run again."""
    UNKNOWN = "unknown"
    """It has ended, and may have had its effect."""
    RELEASED = "released"
    """It has ended, and nothing has run: the key is free. The record stays, because a late copy of
    its claim must find a record."""
    VOID = "void"
    """The calls made so far are settled: none has run, and none will."""
    WAITING = "waiting"
    """A person must approve the first run of the key; nothing has run."""
    REFUSED = "refused"
    """A person has refused the key: nothing has run, and nothing will."""


class Earlier(Enum):
    """Why a run is not the first of its key."""

    LAPSED = "lapsed"
    """The lease of the run before is over, and it did not end."""
    FAILED = "failed"
    """The run before failed, and the handler declared that it runs again."""
    UNKNOWN = "unknown"
    """The run before ended, and may have had its effect."""


@show_only("type rerun")
class RecordedFailure(NamedTuple):
    """How a run failed.

    Attributes:
        arguments: of the exception; empty where they are not kept.
        rerun: a repeat runs again, and does not get the same failure.
    """

    type: str
    arguments: tuple[Any, ...] = ()
    rerun: bool = False


@show_only("by")
class Approval(NamedTuple):
    """A person's decision whether a key may run.

    Attributes:
        question: what the person reads; empty if the function says nothing.
        by: who has decided; None before the decision.
    """

    question: str
    by: str | None = None


@show_only(
    "state owner fence lease_until effects kept failure voids earlier_effects approval over_at"
)
class KeyRecord(NamedTuple):
    """What a table keeps of a key.

    Attributes:
        state: how far its run has come.
        owner: the id of the attempt that runs it, or has run it.
        fence: 1 for the first run, and one more for each run after it.
        lease_until: a run that has not ended by then counts as dead, by the clocks of the day. In
            seconds of the monotonic clock of the process that has loaded the record.
        payload: digest of the call's payload.
        effects: an effect may have begun.
        kept: `result` is here; False if the table does not take it.
        failure: when FAILED or UNKNOWN.
        voids: how often the key was settled as not run. A call that knows fewer is late.
        earlier_effects: an earlier run may have had its effect. So something may have been done,
            even if this run has begun no effect.
        approval: of a key that a person must approve; None for any other.
        over_at: the run's effects have ended by then, even if the clocks of the day differ by
            `CLOCKS`. Seconds as of `lease_until`.
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


@show_only()
class Text(NamedTuple):
    """A result as JSON text, because no item can hold it: nested too deep, or with a naive time."""

    json: str


class LoadedRecord(NamedTuple):
    """A loaded record, None if it is not valid; and its revision."""

    record: KeyRecord | None
    revision: str


class Claim(NamedTuple):
    """A call that wants to run.

    Attributes:
        effects_marked: the handler announces each effect before it begins.
        run_unknown: the handler can run after a run whose effect is unknown.
        voids: how many voids of the key the call knows.
        question: for the person who must approve it; None if nobody must.
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


@show_only()
class Replay(NamedTuple):
    """The result of the run that has completed, for a repeat."""

    result: Any


class ReplayFailure(NamedTuple):
    """The failure of the run before, for a repeat."""

    failure: RecordedFailure


class Reason(Enum):
    """Why a call with a known key is refused."""

    RUNNING = envelope.RUNNING
    """The first run is still under way."""
    MISMATCH = "mismatch"
    """The key was used with another payload."""
    UNKNOWN = envelope.UNKNOWN
    """An earlier run may have had its effect."""
    NOT_KEPT = envelope.NOT_KEPT
    """It has completed, and its result was not kept."""
    VOIDED = envelope.VOIDED
    """Its key was settled as not run, and the call is late, or does not know that yet."""
    WAITING = envelope.WAITING
    """A person has to approve it first."""
    REFUSED = "refused"
    """A person has refused it."""


class Refuse(NamedTuple):
    """Do not run. A call after `retry_after` seconds, or one that knows `voids` voids, may.

    If `is_new`, this call has asked a person. `error` is the class of the exception of an earlier
    run whose effect is unknown.
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
    """Return how a call with a free key begins: the one gate to every run.

    If a person must approve the payload and has not, the key waits, and nothing runs. If a run that
    nobody approved may have had its effect, the call is refused: it is too late to ask.
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
    """Decide what a call does, given the record of its key."""
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
    """Return the refusal of a call that a person has not approved."""
    if record.state is KeyState.REFUSED:
        return Refuse(Reason.REFUSED)
    return Refuse(Reason.WAITING, PERSONS_WAIT)


def is_of_other(record: KeyRecord, payload: str) -> bool:
    """Return whether the key belongs to another payload.

    A free key belongs to none, unless a person has approved it for one, until a call with that
    payload uses the approval, or a person refuses it.
    """
    is_free = record.state in (KeyState.RELEASED, KeyState.VOID) and not _is_approved(record)
    return not is_free and not is_same(record.payload, payload)


def _is_approved(record: KeyRecord) -> bool:
    return record.approval is not None and record.approval.by is not None


def _decide_unended(loaded: LoadedRecord, record: KeyRecord, claim: Claim, now: float) -> Decision:
    """Decide what a call does after a run whose effect is unknown."""
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
    """Return the refusal of a call after a run whose effect is unknown."""
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


def count_voids(recorded: int, claimed: int) -> int:
    """Return how often a key is void, by its record and by a call's claim."""
    return max(recorded, min(claimed, MOST_VOIDS))


def void_record(record: KeyRecord, voids: int) -> KeyRecord:
    """Return the record of a void key: no call ran, and no call that knows fewer voids will.

    It has no owner, so a run that held the key finds out that it has lost it.
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
