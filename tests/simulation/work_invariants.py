"""What must hold of each piece of work; a check returns None, or what is wrong.

The rules of the router's table are written down here a second time on purpose.
"""

from __future__ import annotations

from itertools import pairwise

from leeward.calls import NO_PLACE, Enqueue, Invoke, Store
from leeward.errors import Outcome
from leeward.values import Effect
from tests.simulation.scenarios import Setting
from tests.simulation.work_units import PROVED, Step, WorkUnit
from tests.simulation.world import DELETED

REASONS_TO_STOP = (
    *("all_down", "no_other_target", "failover_budget"),
    *("no_time", "attempts_used", NO_PLACE),
)
"""What keeps a call from a target that it has not tried; each has checks of its own."""

MOST_LOOKS = 16
"""Looks for a place at one target that a call makes at most: each waits twice as long."""

REFUSALS = (Outcome.AUTH, Outcome.NOT_FOUND, Outcome.CALLER, Outcome.APP_ERROR)
"""What a question can be refused with: asking again does not help."""

LEAST_TIME = 0.1
"""Seconds without which no further attempt starts; reliability notes, 3.4."""


def no_doubles(unit: WorkUnit, setting: Setting) -> str | None:
    """Unsafe work runs at most once; keyed work has one effect, wherever its key is known."""
    if (unit.rules.unsafe or unit.rules.keyed) and len(unit.side_effects) > 1:
        return f"took effect {len(unit.side_effects)} times: {_places(unit)}"
    return None


def delivered(unit: WorkUnit, setting: Setting) -> str | None:
    """An acknowledged event was delivered, and there where the receipt says."""
    where = [side_effect.target for side_effect in unit.side_effects]
    if unit.final is Outcome.OK and unit.target not in where:
        return f"acknowledged at {unit.target}, really: {_places(unit)}"
    return None


def written(unit: WorkUnit, setting: Setting) -> str | None:
    """An acknowledged write took effect at its home, as the revision that was reported."""
    if unit.final is not Outcome.OK:
        return None
    reported, call = unit.record.final.value, unit.record.call
    assert isinstance(call, Store)
    for side_effect in unit.side_effects:
        if side_effect.mark == reported and side_effect.target == setting.homes[call.table]:
            return None
    return f"acknowledged as {reported}, really: {_places(unit)}"


def deleted(unit: WorkUnit, setting: Setting) -> str | None:
    """An acknowledged delete was answered so, or a read-back has seen that nothing is there."""
    if unit.final is not Outcome.OK:
        return None
    last = unit.record.attempts[-1].reported
    return None if last.outcome is Outcome.OK and last.value is None else "nobody has seen it gone"


def moved_only_where_allowed(unit: WorkUnit, setting: Setting) -> str | None:
    """Work that may have run is sent again only where its effect allows it.

    A keyed call that only one target deduplicates stays on the first target whatever happens: an
    earlier call with its key may have run there.
    """
    if is_pinned(unit) and {step.attempt.target for step in unit.steps} - {setting.order[0]}:
        return "a keyed call left the one target that would have recognised it"
    doubtful: set[str] = set()
    for attempt, outcome in unit.steps:
        if doubtful and unit.rules.unsafe:
            return "an unsafe call was sent again after an unknown outcome"
        if doubtful - {attempt.target} and not unit.rules.may_cross:
            return f"moved to {attempt.target} after an unknown outcome elsewhere"
        if outcome is Outcome.AMBIGUOUS:
            doubtful.add(attempt.target)
    return None


def not_again_where_unusable(unit: WorkUnit, setting: Setting) -> str | None:
    """A target that refuses for a lasting reason is not asked again; a hedge may be under way."""
    for (earlier, outcome), (later, _) in pairwise(unit.steps):
        is_after = later.target == earlier.target and later.at >= earlier.ended
        if outcome is Outcome.UNUSABLE and is_after and unit.alone:
            return f"sent to {later.target} again, which is unusable"
    return None


def final_is_final(unit: WorkUnit, setting: Setting) -> str | None:
    """An answer that no other target could better is the last one."""
    begun = max(step.attempt.at for step in unit.steps)
    for step in unit.steps:
        is_last = step.outcome not in PROVED and step.outcome is not Outcome.AMBIGUOUS
        if is_last and step.attempt.ended < begun and not _is_of_hedge(unit, step):
            return f"sent again after {step.outcome.name}"
    return None


def within_the_caps(unit: WorkUnit, setting: Setting) -> str | None:
    """At most 3 attempts and 2 targets; more only while it is proved that none of them ran.

    One that found no place was not made. A place that somebody else took before may wake it in
    vain; by itself it looks for one a few dozen times at most.
    """
    made = [each for each in unit.steps if each.attempt.reported.reason != NO_PLACE]
    looks = len(unit.steps) - len(made)
    if looks > (MOST_LOOKS + unit.record.wakes) * len(setting.order):
        return f"{len(unit.steps)} looks for a place"
    proved = all(outcome in PROVED for _, outcome in made[:-1])
    attempts = len(made)
    targets = len({attempt.target for attempt, _ in made})
    if attempts > (max(3, len(setting.order)) if proved else 3):
        return f"{attempts} attempts"
    return f"{targets} targets" if targets > 2 and not proved else None


def _is_of_hedge(unit: WorkUnit, step: Step) -> bool:
    """Return whether the first attempt was in flight when another one was refused."""
    first = unit.steps[0].attempt
    refused = step.outcome in (Outcome.AUTH, Outcome.NOT_FOUND, Outcome.CALLER, Outcome.CONFLICT)
    return refused and step.attempt is not first and first.ended >= step.attempt.ended


def unknown_exactly_if_unresolved(unit: WorkUnit, setting: Setting) -> str | None:
    """The outcome is unknown exactly if an attempt's is, and nothing has resolved that."""
    if unit.final is Outcome.OK:
        good = unit.record.final.resolved or any(step.outcome is Outcome.OK for step in unit.steps)
        return None if good else "reported as a success without any"
    if unit.uncertain is not (unit.final is Outcome.AMBIGUOUS):
        return f"reported as {unit.final.name}"
    return None


def failure_did_not_run(unit: WorkUnit, setting: Setting) -> str | None:
    """What is reported as a plain failure did not run, unless the function itself failed."""
    plain = unit.final not in (Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR)
    if plain and unit.side_effects:
        return f"reported as {unit.final.name}, really: {_places(unit)}"
    return None


def success_ran(unit: WorkUnit, setting: Setting) -> str | None:
    """What is reported as a success really ran."""
    ran = unit.side_effects or unit.final is not Outcome.OK
    return None if ran else "reported as a success, and it never ran"


def own_success_is_no_conflict(unit: WorkUnit, setting: Setting) -> str | None:
    """A call's own success is never reported to it as a conflict."""
    if unit.final is Outcome.CONFLICT and (unit.side_effects or unit.uncertain):
        return f"reported as CONFLICT, really: {_places(unit)}"
    return None


def settled(unit: WorkUnit, setting: Setting) -> str | None:
    """A call that ends as unknown was not answered by its function, or had no time to ask."""
    record = unit.record
    if unit.final is not Outcome.AMBIGUOUS:
        return None
    left = record.deadline - record.ended
    last = record.attempts[-1] if record.attempts else None
    if last is not None and last.read_back and last.reported.value:
        return "reported as unknown, and its function has answered"
    if last is not None and last.read_back and last.reported.outcome in REFUSALS:
        return None
    return f"reported as unknown with {left:.1f} s left" if left > 1.0 else None


def no_early_surrender(unit: WorkUnit, setting: Setting) -> str | None:
    """A call does not give up while it could safely ask a target that it has not asked."""
    record = unit.record
    if not unit.alone or is_pinned(unit) or record.why in REASONS_TO_STOP:
        return None
    group = setting.groups.get((record.call.verb, record.call[0]))
    reach = len(group.targets if group else setting.order)
    if unit.final is Outcome.AMBIGUOUS and unit.rules.may_cross:
        reach = min(2, reach)
    elif unit.final not in PROVED:
        return None
    stopped = any(step.outcome not in (*PROVED, Outcome.AMBIGUOUS) for step in unit.steps)
    asked = len({attempt.target for attempt, _ in unit.steps})
    left = record.deadline - record.ended
    if asked < reach and left >= LEAST_TIME and not stopped:
        return f"gave up with {left:.1f} s left, {asked} targets asked"
    return None


def is_pinned(unit: WorkUnit) -> bool:
    """Return whether the work is a keyed call whose key one target alone knows."""
    call = unit.record.call
    keyed = isinstance(call, Invoke | Enqueue) and call.effect is Effect.KEYED
    return keyed and not unit.rules.may_cross


def _places(unit: WorkUnit) -> str:
    verbs = (
        f"{'deleted' if side_effect.mark == DELETED else 'ran'} at {side_effect.target}"
        for side_effect in unit.side_effects
    )
    return ", ".join(verbs) or "nothing ran"
