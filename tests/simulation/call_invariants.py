"""What must hold of a whole call; a check returns None, or what is wrong."""

from __future__ import annotations

from leeward.calls import Delete, Invoke, Load, Publish, Store
from leeward.errors import Outcome
from leeward.values import Effect
from tests.simulation.runner import AttemptRecord, CallRecord
from tests.simulation.scenarios import Setting
from tests.simulation.work_invariants import LEAST_TIME
from tests.simulation.work_units import entry_of

WAY_BACK = 1.0
"""Seconds that an unsafe attempt is given beyond the function's own limit; notes, 3.4."""

ROUNDING = 1e-6
"""Seconds."""

UNSETTLED = frozenset(
    {Outcome.AMBIGUOUS, Outcome.LOCAL, Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE}
)
"""Outcomes after which an event may still be published."""


def stayed_at_home(record: CallRecord, setting: Setting) -> str | None:
    """Data never leaves its home."""
    assert isinstance(record.call, Store | Load | Delete)
    home = setting.homes[record.call.table]
    for attempt in record.attempts:
        if attempt.target != home:
            return f"sent to {attempt.target}; the home is {home}"
    return None


def stayed_in_group(record: CallRecord, setting: Setting) -> str | None:
    """A call goes to none but the targets of its group."""
    group = setting.groups.get((record.call.verb, record.call[0]))
    if group is None:
        return None
    outside = {attempt.target for attempt in record.attempts} - set(group.targets)
    return f"sent to {', '.join(sorted(outside))}" if outside else None


def within_the_deadline(record: CallRecord, setting: Setting) -> str | None:
    """Nothing starts after the deadline, and nothing but an unsafe function may outlast it."""
    for attempt in record.attempts:
        if attempt.at > record.deadline + ROUNDING:
            return f"an attempt started {attempt.at - record.deadline:.3f} s after the deadline"
        if attempt.timeout <= 0:
            return f"an attempt with a time-out of {attempt.timeout:.3f} s"
        began = attempt.at + attempt.waited
        latest = max(record.deadline, began + _needs(attempt))
        if attempt.at + attempt.timeout > latest + ROUNDING:
            return f"an attempt may last until {attempt.at + attempt.timeout - latest:.3f} s later"
    return None


def read_back_first(record: CallRecord, setting: Setting) -> str | None:
    """A write whose answer was lost is read back before anything else."""
    uncertain = False
    for index, attempt in enumerate(record.attempts):
        if attempt.read_back:
            continue
        uncertain |= attempt.reported.outcome is Outcome.AMBIGUOUS
        conflict = uncertain and attempt.reported.outcome is Outcome.CONFLICT
        if attempt.reported.outcome is Outcome.AMBIGUOUS or conflict:
            in_time = record.deadline - attempt.ended >= LEAST_TIME
            follows = record.attempts[index + 1 : index + 2]
            if not all(each.read_back for each in follows) or (in_time and not follows):
                return f"attempt {index + 1} was not read back"
    return None


def not_cut_short(record: CallRecord, setting: Setting) -> str | None:
    """An unsafe function is never cut short before its own limit."""
    for attempt in record.attempts:
        needs = _needs(attempt)
        if needs and attempt.timeout < needs - ROUNDING:
            return f"given {attempt.timeout:.1f} s of {needs:.1f} s"
    return None


def log_is_true(record: CallRecord, setting: Setting) -> str | None:
    """The attempt log that the caller gets is what happened."""
    log = sorted(record.final.attempts, key=lambda attempt: attempt.started)
    ended = [attempt for attempt in record.attempts if not attempt.overtaken]
    if len(log) != len(ended):
        return f"told of {len(log)} attempts, made {len(ended)}"
    for reported, real in zip(log, ended, strict=True):
        what = reported.target, reported.outcome, reported.read_back
        when = reported.started + record.at, reported.started + record.at + reported.duration
        said = _said(real, [each for each in ended if each.ended < real.ended])
        if what != (real.target, said, real.read_back):
            return f"told of {reported.outcome.name} at {reported.target}"
        if abs(when[0] - real.at) > ROUNDING or abs(when[1] - real.ended) > ROUNDING:
            return f"told of an attempt from {when[0]:.3f} to {when[1]:.3f} s"
    return None


def _said(attempt: AttemptRecord, before: list[AttemptRecord]) -> Outcome:
    """Return what an attempt said as a whole.

    Of a batch, what its worst event says that neither it nor an attempt that ended `before`, such
    as one that it hedged, has settled.
    """
    if not isinstance(attempt.call, Publish):
        return attempt.reported.outcome
    settled = {id for each in before for id, outcome in _each_of(each) if outcome not in UNSETTLED}
    unsettled = [
        outcome for id, outcome in _each_of(attempt) if outcome in UNSETTLED and id not in settled
    ]
    if Outcome.AMBIGUOUS in unsettled:
        return Outcome.AMBIGUOUS
    return unsettled[0] if unsettled else attempt.reported.outcome


def _each_of(attempt: AttemptRecord) -> list[tuple[str | None, Outcome]]:
    """Return the id of each event of a batch, with what the attempt said of it."""
    call = attempt.call
    assert isinstance(call, Publish)
    return [
        (event.id, entry_of(attempt.reported, call, index).outcome)
        for index, event in enumerate(call.events)
    ]


def _needs(attempt: AttemptRecord) -> float:
    """Return the seconds that an unsafe attempt must be given; 0 for any other."""
    call = attempt.call
    if not isinstance(call, Invoke) or call.effect is not Effect.UNSAFE or not call.time_limit:
        return 0.0
    return call.time_limit + WAY_BACK
