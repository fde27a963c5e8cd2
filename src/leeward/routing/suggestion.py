"""What one process can tell another of its targets, as an item, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from operator import itemgetter
from typing import Any

from leeward.routing.circuit import State
from leeward.routing.health import Health


def snapshot_of(health: Health, wall: float, now: float) -> dict[str, Any]:
    """Return which targets have an open circuit, as an item; `wall` is `now` in Unix seconds."""
    open_until: dict[str, float] = {}
    for circuit in health.unclosed:
        if circuit.state is State.OPEN and circuit.reason != "local_outage":
            until = wall + min(circuit.until - now, health.policy.shared_age)
            open_until[circuit.target] = max(until, open_until.get(circuit.target, 0.0))
    return {"written_at": wall, "open_until": open_until}


def _age(item: dict[str, Any], wall: float) -> float:
    """Return the seconds since an item was written; infinity if that cannot be, or is not said."""
    at = item.get("written_at")
    if not isinstance(item.get("open_until"), dict) or not isinstance(at, int | float):
        return inf
    return wall - at if at <= wall else inf


def suggest(health: Health, items: Iterable[dict[str, Any]], wall: float, now: float) -> None:
    """Be careful with the targets that another process has found ill a short time ago.

    Of several copies the newest says which. Nothing opens by it: the score begins so high that one
    failure of this process's own is enough, and falls like any other. What cannot be read is
    ignored, as is what comes from the future: neither hides a copy that is good.
    """
    age, newest = min(
        ((_age(each, wall), each) for each in items), key=itemgetter(0), default=(inf, {})
    )
    if age > health.policy.shared_age:
        return
    ill = newest["open_until"]
    prepared = health.policy.trip_score - health.weights.failure
    for target in ill:
        record = health.records.get(target) if isinstance(target, str) else None
        if record is None:
            continue
        record.prepared = prepared
        record.prepared_until = now + health.policy.shared_age
        for circuit in health.circuits.values():
            if circuit.target == target and circuit.state is State.CLOSED:
                circuit.failed = max(circuit.failed, prepared)
                circuit.weighed_at, circuit.uneasy = now, True
