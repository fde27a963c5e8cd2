"""What must hold of each piece of work; a check gives None, or what is wrong.

The rules of the router's table are written down here a second time on purpose.
"""

from __future__ import annotations

from itertools import pairwise

from leeward.adapter import Enqueue, Invoke, Store
from leeward.errors import Outcome
from leeward.values import Effect
from tests.simulation.scenarios import Setting
from tests.simulation.strands import PROVED, Strand
from tests.simulation.world import DELETED

LEAST_TIME = 0.1
"""Seconds without which no further attempt starts; reliability notes, 3.4."""


def no_doubles(strand: Strand, setting: Setting) -> str | None:
    """Unsafe work runs at most once; keyed work has one effect, wherever its key is known."""
    if (strand.nature.unsafe or strand.nature.keyed) and len(strand.deeds) > 1:
        return f"took effect {len(strand.deeds)} times: {_places(strand)}"
    return None


def delivered(strand: Strand, setting: Setting) -> str | None:
    """An acknowledged event was delivered, and there where the receipt says."""
    where = [deed.target for deed in strand.deeds]
    if strand.final is Outcome.OK and strand.target not in where:
        return f"acknowledged at {strand.target}, really: {_places(strand)}"
    return None


def written(strand: Strand, setting: Setting) -> str | None:
    """An acknowledged write took effect at its home, as the revision that was told."""
    if strand.final is not Outcome.OK:
        return None
    told, call = strand.story.final.value, strand.story.call
    assert isinstance(call, Store)
    for deed in strand.deeds:
        if deed.mark == told and deed.target == setting.homes[call.table]:
            return None
    return f"acknowledged as {told}, really: {_places(strand)}"


def deleted(strand: Strand, setting: Setting) -> str | None:
    """An acknowledged delete was answered so, or a read-back has seen that nothing is there."""
    if strand.final is not Outcome.OK:
        return None
    last = strand.story.tries[-1].told
    return None if last.outcome is Outcome.OK and last.value is None else "nobody has seen it gone"


def moved_only_where_allowed(strand: Strand, setting: Setting) -> str | None:
    """Work that may have run is sent again only where its effect allows it.

    A keyed call that only one target deduplicates stays on the first target whatever happens: an
    earlier call with its key may have run there.
    """
    if is_pinned(strand) and {step.attempt.target for step in strand.steps} - {setting.order[0]}:
        return "a keyed call left the one target that would have recognised it"
    doubtful: set[str] = set()
    for attempt, outcome in strand.steps:
        if doubtful and strand.nature.unsafe:
            return "an unsafe call was sent again after an unknown outcome"
        if doubtful - {attempt.target} and not strand.nature.may_cross:
            return f"moved to {attempt.target} after an unknown outcome elsewhere"
        if outcome is Outcome.AMBIGUOUS:
            doubtful.add(attempt.target)
    return None


def not_again_where_unusable(strand: Strand, setting: Setting) -> str | None:
    """A target that refuses for a lasting reason is not asked again."""
    for (earlier, outcome), (later, _) in pairwise(strand.steps):
        if outcome is Outcome.UNUSABLE and later.target == earlier.target and strand.alone:
            return f"sent to {later.target} again, which is unusable"
    return None


def final_is_final(strand: Strand, setting: Setting) -> str | None:
    """An answer that no other target could better is the last one."""
    for step in strand.steps[:-1]:
        if step.outcome not in PROVED and step.outcome is not Outcome.AMBIGUOUS:
            return f"sent again after {step.outcome.name}"
    return None


def within_the_caps(strand: Strand, setting: Setting) -> str | None:
    """At most 3 attempts and 2 targets; more only while it is proved that none of them ran."""
    proved = all(outcome in PROVED for _, outcome in strand.steps[:-1])
    attempts = len(strand.steps)
    targets = len({attempt.target for attempt, _ in strand.steps})
    if attempts > (max(3, len(setting.order)) if proved else 3):
        return f"{attempts} attempts"
    return f"{targets} targets" if targets > 2 and not proved else None


def unknown_exactly_if_unresolved(strand: Strand, setting: Setting) -> str | None:
    """The outcome is unknown exactly if an attempt's is, and nothing has resolved that."""
    if strand.final is Outcome.OK:
        good = strand.story.final.resolved or strand.steps[-1].outcome is Outcome.OK
        return None if good else "reported as a success without any"
    if strand.uncertain is not (strand.final is Outcome.AMBIGUOUS):
        return f"reported as {strand.final.name}"
    return None


def failure_did_not_run(strand: Strand, setting: Setting) -> str | None:
    """What is reported as a plain failure did not run, unless the function itself failed."""
    plain = strand.final not in (Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR)
    if plain and strand.deeds:
        return f"reported as {strand.final.name}, really: {_places(strand)}"
    return None


def success_ran(strand: Strand, setting: Setting) -> str | None:
    """What is reported as a success really ran."""
    ran = strand.deeds or strand.final is not Outcome.OK
    return None if ran else "reported as a success, and it never ran"


def own_success_is_no_conflict(strand: Strand, setting: Setting) -> str | None:
    """A call's own success is never reported to it as a conflict."""
    if strand.final is Outcome.CONFLICT and (strand.deeds or strand.uncertain):
        return f"reported as CONFLICT, really: {_places(strand)}"
    return None


def no_early_surrender(strand: Strand, setting: Setting) -> str | None:
    """A call does not give up while it could safely ask a target that it has not asked."""
    story = strand.story
    if not strand.alone:
        return None
    if is_pinned(strand):
        return None
    if strand.final in PROVED:
        reach = len(setting.order)
    elif strand.final is Outcome.AMBIGUOUS and strand.nature.may_cross:
        reach = 2
    else:
        return None
    stopped = any(step.outcome not in (*PROVED, Outcome.AMBIGUOUS) for step in strand.steps)
    asked = len({attempt.target for attempt, _ in strand.steps})
    left = story.deadline - story.ended
    if asked < reach and left >= LEAST_TIME and not stopped:
        return f"gave up with {left:.1f} s left, {asked} targets asked"
    return None


def is_pinned(strand: Strand) -> bool:
    """Say whether the work is a keyed call whose key one target alone knows."""
    call = strand.story.call
    keyed = isinstance(call, Invoke | Enqueue) and call.effect is Effect.KEYED
    return keyed and not strand.nature.may_cross


def _places(strand: Strand) -> str:
    verbs = (
        f"{'deleted' if deed.mark == DELETED else 'ran'} at {deed.target}" for deed in strand.deeds
    )
    return ", ".join(verbs) or "nothing ran"
