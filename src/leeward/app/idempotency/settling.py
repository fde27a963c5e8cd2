"""Settling a key: find out from its record what became of its calls.

The record decides, and is changed by conditional writes alone: a call that is on its way meanwhile
comes first, or is refused. Where the record does not show what a run has done, the function's probe
asks the service that had the effect. There is no I/O here, as in `leeward.app.idempotency.steps`:
the runner of the steps calls the probe, too.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, TypeAlias

from leeward.app.idempotency.record import (
    LONGEST_WAIT,
    Claim,
    Decision,
    KeyRecord,
    KeyState,
    LoadedRecord,
    Reason,
    RecordedFailure,
    Refuse,
    Replay,
    Start,
    complete_record,
    count_voids,
    is_of_other,
    refuse_unknown,
    start_run,
    void_record,
    with_text,
    without_result,
)
from leeward.app.idempotency.steps import (
    ROUNDS,
    Away,
    LoadRecord,
    Reply,
    Saved,
    SaveRecord,
    Steps,
    Unfit,
    claim_key,
    settle_start,
)
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values.settled import Verdict


class Doubt(Enum):
    """Why a verdict is UNKNOWN."""

    UNKNOWN = "unknown"
    """A run may have had its effect, and the function has no probe."""
    CANNOT_TELL = "cannot_tell"
    """Its probe cannot tell."""
    NOT_FENCED = "not_fenced"
    """Its probe says that nothing was done, but the run does not announce its effects, and may
    still act."""
    NO_RECORD = "no_record"
    """There is no record, and the age of the call is not known: its record may have expired."""
    EXPIRED = "expired"
    """There is no record, and the call is older than records are kept."""
    UNRECORDED = "unrecorded"
    """The function may have run without a record, while its table was away (``run_and_flag``)."""
    TOO_NEW = "too_new"
    """The register of its table does not say what was recorded when the call was made."""
    CHANGED = "changed"
    """A version that may have run the call keeps its records in another way."""
    UNREADABLE = "unreadable"
    """The item there is not a record of leeward's."""


class SettleRequest(NamedTuple):
    """A request to settle the calls that know at most `voids` voids.

    Attributes:
        payload: the digest of their payload; None if the asker does not have it.
        age: seconds since it was first sent; None if unknown.
        keep: seconds for which the function keeps a record.
        doubt: why it may have run without a record here, and what differs; None if it cannot
            have.
        apart: it keeps the keys of each principal apart.
    """

    payload: str | None
    voids: int
    age: float | None
    keep: float
    doubt: tuple[Doubt, str] | None = None
    marked: bool = False
    probed: bool = False
    apart: bool = False


@show_only("verdict doubt kept failure retry_after voids detail")
class KeyFinding(NamedTuple):
    """What became of the calls of a key.

    Attributes:
        doubt: why it is UNKNOWN.
        result: of the run, if it `kept` one.
        failure: how it has failed, as its handler declared.
        retry_after: seconds after which to ask again.
        voids: how often the key is void now; the next call must know it.
    """

    verdict: Verdict
    doubt: Doubt | None = None
    result: Any = None
    kept: bool = True
    failure: RecordedFailure | None = None
    retry_after: float | None = None
    voids: int = 0
    detail: str = ""


class OpenCase(NamedTuple):
    """A record that does not show what its run has done, so that the probe is asked.

    Attributes:
        record, revision: as loaded; revision is None if there is no record.
        fenced: no run of the key can begin an effect now.
        left: seconds for which effects of its run may still be under way, counted from before the
            probe is asked.
    """

    record: KeyRecord
    revision: str | None
    fenced: bool
    left: float = 0.0


class RecordChange(NamedTuple):
    """Write `record` in place of `revision` (None: no record). Then it is void, or an open case."""

    record: KeyRecord
    revision: str | None


@show_only()
class Done(NamedTuple):
    """A probe's answer: the effect took place, and the call would have returned `result`.

    Attributes:
        result: what repeats get.
        key: of the effect, if the service says so. An answer about another key is not
            believed.
    """

    result: Any = None
    key: str | None = None


class NotDone(NamedTuple):
    """A probe's answer: the effect did not take place, and never will. `key` as of `Done`."""

    key: str | None = None


class CannotTell(NamedTuple):
    """A probe's answer: it cannot tell."""


ProbeAnswer: TypeAlias = Done | NotDone | CannotTell

NOBODY: Final = ""  # the owner of a record that no run has


def examine(
    loaded: LoadedRecord | None, request: SettleRequest, now: float
) -> KeyFinding | OpenCase | RecordChange | Refuse:
    """Return what became of a key's calls by its record, or what to write first."""
    if loaded is None:
        return _examine_nothing(request, now)
    record, revision = loaded
    if record is None:
        return KeyFinding(Verdict.UNKNOWN, Doubt.UNREADABLE)
    if request.payload is not None and is_of_other(record, request.payload):
        return Refuse(Reason.MISMATCH)
    if record.state in (KeyState.VOID, KeyState.RELEASED):
        # One more, though the key is void: a call of the asker may know that by now,
        # and be on its way again.
        return _void(record, revision, request)
    ended = _examine_end(record, request)
    if ended is not None:
        return ended
    match record.state:
        case KeyState.WAITING:
            # The asker learns that it did not run and stops waiting: nobody may approve it later.
            # A new call asks again.
            return _void(record, revision, request)
        case KeyState.IN_PROGRESS if now < record.lease_until:
            wait = min(record.lease_until - now, LONGEST_WAIT)
            return KeyFinding(Verdict.RUNNING, retry_after=wait)
        case KeyState.IN_PROGRESS if not (record.effects or record.earlier_effects):
            return _void(record, revision, request)
        case _:
            return _examine_effects(record, revision, request, now)


def _examine_end(record: KeyRecord, request: SettleRequest) -> KeyFinding | None:
    """Examine a key with a final state; return None for any other."""
    match record.state:
        case KeyState.COMPLETED:
            return KeyFinding(
                Verdict.RAN, result=record.result, kept=record.kept, voids=record.voids
            )
        case KeyState.FAILED if request.doubt is not None:  # another run may have succeeded
            return unknown_of(request.doubt)
        case KeyState.FAILED if record.failure is not None:
            return KeyFinding(Verdict.RAN, kept=False, failure=record.failure, voids=record.voids)
        case KeyState.REFUSED:
            # One more than any call knows, so that each is refused.
            voids = count_voids(record.voids, request.voids) + 1
            return _not_run(request, record._replace(voids=voids))
        case _:
            return None


def _examine_effects(
    record: KeyRecord, revision: str, request: SettleRequest, now: float
) -> KeyFinding | OpenCase | RecordChange:
    """Examine a run that may have had its effect, and has ended or outlived its lease."""
    if not request.probed:
        return KeyFinding(Verdict.UNKNOWN, Doubt.UNKNOWN)
    if record.state is KeyState.IN_PROGRESS and request.marked:
        return RecordChange(
            record._replace(state=KeyState.UNKNOWN), revision
        )  # it begins no more effect
    has_ended_alone = record.state is KeyState.UNKNOWN and record.fence <= 1
    return OpenCase(record, revision, request.marked or has_ended_alone, record.over_at - now)


def _examine_nothing(request: SettleRequest, now: float) -> KeyFinding | OpenCase | RecordChange:
    """Examine a key without a record."""
    none = KeyRecord(KeyState.UNKNOWN, NOBODY, 0, now, request.payload or "", effects=True)
    doubt = request.doubt
    if doubt is None and request.age is not None and request.age <= request.keep:
        return RecordChange(void_record(none, request.voids), None)
    if request.probed:  # this stays true: a void is written only if no record is there
        return OpenCase(none, None, fenced=True)
    return unknown_of(doubt or _doubt_without_record(request))


def _doubt_without_record(request: SettleRequest) -> tuple[Doubt, str]:
    return Doubt.NO_RECORD if request.age is None else Doubt.EXPIRED, ""


def unknown_of(doubt: tuple[Doubt, str]) -> KeyFinding:
    """Return the verdict UNKNOWN, and why."""
    return KeyFinding(Verdict.UNKNOWN, doubt[0], detail=doubt[1])


def _void(record: KeyRecord, revision: str, request: SettleRequest) -> KeyFinding | RecordChange:
    if request.doubt is not None:
        return unknown_of(request.doubt)
    return RecordChange(void_record(record, request.voids), revision)


def _not_run(request: SettleRequest, record: KeyRecord) -> KeyFinding:
    if request.doubt is not None:
        return unknown_of(request.doubt)
    return KeyFinding(Verdict.NOT_RUN, voids=record.voids)


def settle_key(request: SettleRequest, now: float) -> Steps[KeyFinding | OpenCase | Refuse | Away]:
    """Find out what became of a key; an `OpenCase` is for the probe, and then for `close_case`."""
    decision = _examine_nothing(request, now)
    for _ in range(ROUNDS):
        if isinstance(decision, RecordChange):
            reply, now = yield SaveRecord(decision.record, decision.revision)
            if isinstance(reply, Saved):
                if decision.record.state is KeyState.VOID:
                    return _not_run(request, decision.record)
                return OpenCase(
                    decision.record, reply.revision, fenced=True, left=decision.record.over_at - now
                )
            if isinstance(reply, Unfit):
                return Away(reply.error)
            if isinstance(reply, Away) and not reply.written:
                return reply
        loaded, now = yield LoadRecord()
        if isinstance(loaded, Away):
            return loaded
        answer = examine(loaded if isinstance(loaded, LoadedRecord) else None, request, now)
        if not isinstance(answer, RecordChange):
            return answer
        decision = answer
    return KeyFinding(Verdict.RUNNING, retry_after=1.0)  # somebody writes all the time


def close_case(
    case: OpenCase, answer: ProbeAnswer, request: SettleRequest
) -> Steps[KeyFinding | Away | None]:
    """Record the answer of a probe. Return None if the record has changed: settle again."""
    record = case.record
    match answer:
        case Done() if case.revision is None and request.apart:
            # It may be another principal's effect: a probe finds a key, and not its owner.
            return unknown_of(_doubt_without_record(request))
        case Done(result):
            return (yield from _save_result(case, complete_record(record, result)))
        case NotDone() if request.doubt is not None:
            return unknown_of(request.doubt)
        case NotDone() if not case.fenced:
            return KeyFinding(Verdict.UNKNOWN, Doubt.NOT_FENCED)
        case NotDone() if case.left > 0:
            return KeyFinding(Verdict.RUNNING, retry_after=min(case.left, LONGEST_WAIT))
        case NotDone():
            void = void_record(record, request.voids)
            reply, _ = yield SaveRecord(void, case.revision)
            if isinstance(reply, Saved):
                return _not_run(request, void)
            return _failed_write(reply)
        case _:
            return KeyFinding(Verdict.UNKNOWN, Doubt.CANNOT_TELL)


def claim_with_probe(
    claim: Claim, request: SettleRequest, now: float
) -> Steps[Decision | OpenCase | Away]:
    """Decide what a call does. For an `OpenCase` the probe is asked, and then `take_case`."""
    decision = yield from claim_key(claim, now)
    is_unknown = isinstance(decision, Refuse) and decision.reason is Reason.UNKNOWN
    if not (request.probed and is_unknown):
        return decision
    loaded, now = yield LoadRecord()
    if not isinstance(loaded, LoadedRecord):
        return loaded if isinstance(loaded, Away) else decision
    case = examine(loaded, request, now)
    if isinstance(case, RecordChange) and case.record.state is KeyState.UNKNOWN:
        reply, now = yield SaveRecord(case.record, case.revision)
        if isinstance(reply, Saved):
            return OpenCase(
                case.record, reply.revision, fenced=True, left=case.record.over_at - now
            )
    return case if isinstance(case, OpenCase) else decision


def take_case(
    case: OpenCase, answer: ProbeAnswer, claim: Claim, request: SettleRequest, now: float
) -> Steps[Decision | Away]:
    """Decide what a call does after the answer of the probe.

    If nothing was done, it takes the key over by one write. The key is never void in between: else
    who settles it meanwhile would learn that nothing ran, while it runs.
    """
    record = case.record
    if isinstance(answer, NotDone) and request.doubt is None and case.fenced and case.left <= 0:
        if claim.voids < record.voids:
            return Refuse(Reason.VOIDED, voids=record.voids)
        assert case.revision is not None, "a call asks about a record"
        start = start_run(LoadedRecord(record, case.revision), claim, now)
        assert isinstance(start, Start), "nothing was done that it is too late to ask about"
        reply, _ = yield SaveRecord(start.record, start.revision)
        if isinstance(reply, Saved):
            return settle_start(start, reply.revision)
        return _failed_write(reply) or Refuse(Reason.RUNNING, 1.0)
    finding = yield from close_case(case, answer, request)
    if finding is None:
        return Refuse(Reason.RUNNING, 1.0)
    if isinstance(finding, Away):
        return finding
    if finding.verdict is Verdict.RAN:
        return Replay(finding.result) if finding.kept else Refuse(Reason.NOT_KEPT)
    if finding.verdict is Verdict.RUNNING:
        return Refuse(Reason.RUNNING, finding.retry_after)
    return refuse_unknown(record)


def _save_result(case: OpenCase, done: KeyRecord) -> Steps[KeyFinding | Away | None]:
    """Write the result that a probe has found, if the table takes it."""
    reply: Reply = None
    for record in (done, with_text(done), without_result(done)):
        if record is not None:
            reply, _ = yield SaveRecord(record, case.revision)
            if isinstance(reply, Saved):
                return KeyFinding(
                    Verdict.RAN, result=done.result, kept=record.kept, voids=record.voids
                )
            if not isinstance(reply, Unfit):
                break
    return _failed_write(reply)


def _failed_write(reply: Reply) -> Away | None:
    if isinstance(reply, Unfit):
        return Away(reply.error)
    return reply if isinstance(reply, Away) and not reply.written else None
