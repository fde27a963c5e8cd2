"""When all targets are out of reach at once for a cause on this side, it is us.

Then nothing is evidence against a target. One call a second is let through; with the first success
everything is as it was, without a ramp, because no cloud was at fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from leeward.routing.circuit import State

if TYPE_CHECKING:
    from leeward.routing.health import Health


class LocalOutage(NamedTuple):
    """A time without any network, in monotonic seconds.

    Attributes:
        since: when it began.
        due: when the next call is let through.
        looks: number of the last one that was; it may ask every target.
    """

    since: float
    due: float
    looks: int = 0


def note_unreached(health: Health, target: str, now: float) -> bool:
    """Note that an attempt failed on this side; the last target of all makes it an outage.

    Return whether it is this target's own after all: anything went well since it failed like that.
    """
    from leeward.routing.transitions import tell

    record = health.records[target]
    before, record.unreached_at = record.unreached_at, now
    is_its_own = before < health.good_at and now - before < health.policy.evidence_half_life
    health.unreached[target] = now
    oldest = now - health.policy.local_window
    seen = [health.unreached.get(each, oldest - 1) for each in health.targets.order]
    if health.local is None and min(seen) >= oldest and health.good_at < min(seen):
        health.local = LocalOutage(min(seen), now + health.policy.local_probe)
        tell(health, "local_outage", reason="begun")
    health.review()
    return is_its_own


def may_look(health: Health, number: int, now: float) -> bool:
    """Return whether call `number` is let through to see whether there is a network again."""
    local = health.local
    assert local is not None, "asked only during an outage"
    if number == local.looks:
        return True
    if now < local.due:
        return False
    health.local = local._replace(due=now + health.policy.local_probe, looks=number)
    return True


def end_local_outage(health: Health, now: float) -> None:
    """Begin again as before: what opened meanwhile closes, each at a time of its own."""
    from leeward.routing.transitions import tell

    local, health.local = health.local, None
    health.unreached.clear()
    if local is not None:
        since = local.since - health.policy.local_window
        for each in health.unclosed:
            if each.state is State.OPEN and each.opened_at >= since:
                each.reason = "local_outage"
                each.until = now + health.policy.local_stagger * health.random()
        tell(health, "local_outage", reason="over")
    health.review()
