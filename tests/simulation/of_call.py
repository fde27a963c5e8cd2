"""What must hold of a whole call; a check gives None, or what is wrong."""

from __future__ import annotations

from leeward.adapter import Delete, Invoke, Load, Publish, Store
from leeward.errors import Outcome
from leeward.values import Effect
from tests.simulation.of_work import LEAST_TIME
from tests.simulation.runner import Story, Try
from tests.simulation.scenarios import Setting
from tests.simulation.strands import entry_of

WAY_BACK = 1.0
"""Seconds that an unsafe attempt is given beyond the function's own limit; notes, 3.4."""

ROUNDING = 1e-6
"""Seconds."""

UNSETTLED = frozenset(
    {Outcome.AMBIGUOUS, Outcome.LOCAL, Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE}
)
"""Outcomes after which an event may still be published."""


def stayed_at_home(story: Story, setting: Setting) -> str | None:
    """Data never leaves its home."""
    assert isinstance(story.call, Store | Load | Delete)
    home = setting.homes[story.call.table]
    for attempt in story.tries:
        if attempt.target != home:
            return f"sent to {attempt.target}; the home is {home}"
    return None


def within_the_deadline(story: Story, setting: Setting) -> str | None:
    """Nothing starts after the deadline, and nothing but an unsafe function may outlast it."""
    for attempt in story.tries:
        if attempt.at > story.deadline + ROUNDING:
            return f"an attempt started {attempt.at - story.deadline:.3f} s after the deadline"
        if attempt.timeout <= 0:
            return f"an attempt with a time-out of {attempt.timeout:.3f} s"
        latest = max(story.deadline, attempt.at + _needs(attempt))
        if attempt.at + attempt.timeout > latest + ROUNDING:
            return f"an attempt may last until {attempt.at + attempt.timeout - latest:.3f} s later"
    return None


def asked_after(story: Story, setting: Setting) -> str | None:
    """A write whose answer was lost is first asked after, before anything else."""
    uncertain = False
    for index, attempt in enumerate(story.tries):
        if attempt.read_back:
            continue
        uncertain |= attempt.told.outcome is Outcome.AMBIGUOUS
        conflict = uncertain and attempt.told.outcome is Outcome.CONFLICT
        if attempt.told.outcome is Outcome.AMBIGUOUS or conflict:
            in_time = story.deadline - attempt.ended >= LEAST_TIME
            follows = story.tries[index + 1 : index + 2]
            if not all(each.read_back for each in follows) or (in_time and not follows):
                return f"attempt {index + 1} was not asked after"
    return None


def not_cut_short(story: Story, setting: Setting) -> str | None:
    """An unsafe function is never cut short before its own limit."""
    for attempt in story.tries:
        needs = _needs(attempt)
        if needs and attempt.timeout < needs - ROUNDING:
            return f"given {attempt.timeout:.1f} s of {needs:.1f} s"
    return None


def log_is_true(story: Story, setting: Setting) -> str | None:
    """The attempt log that the caller gets is what happened."""
    log = story.final.attempts
    if len(log) != len(story.tries):
        return f"told of {len(log)} attempts, made {len(story.tries)}"
    for told, real in zip(log, story.tries, strict=True):
        what = told.target, told.outcome, told.read_back
        when = told.started + story.at, told.started + story.at + told.duration
        if what != (real.target, _said(real), real.read_back):
            return f"told of {told.outcome.name} at {told.target}"
        if abs(when[0] - real.at) > ROUNDING or abs(when[1] - real.ended) > ROUNDING:
            return f"told of an attempt from {when[0]:.3f} to {when[1]:.3f} s"
    return None


def _said(attempt: Try) -> Outcome:
    """Give what an attempt said as a whole: of a batch, what its worst unsettled event says."""
    if not isinstance(attempt.call, Publish):
        return attempt.told.outcome
    events = range(len(attempt.call.events))
    each = [entry_of(attempt.told, attempt.call, index).outcome for index in events]
    unsettled = [outcome for outcome in each if outcome in UNSETTLED]
    if Outcome.AMBIGUOUS in unsettled:
        return Outcome.AMBIGUOUS
    return unsettled[0] if unsettled else attempt.told.outcome


def _needs(attempt: Try) -> float:
    """Give the seconds that an unsafe attempt must be given; 0 for any other."""
    call = attempt.call
    if not isinstance(call, Invoke) or call.effect is not Effect.UNSAFE or not call.time_limit:
        return 0.0
    return call.time_limit + WAY_BACK
