"""Schedules: rules of EventBridge, and EventBridge Scheduler, which sends what it was told to."""

from __future__ import annotations

from typing import Any

from leeward.app.kit import Delivery, Handler, tick_time
from leeward_aws.runtime.call import OWN_SCHEDULE, Run, make_exception


def handle(run: Run, dedicated: Handler | None, event: Any) -> Exception | None:
    """Run the handler of a schedule; return what to raise."""
    document = event if isinstance(event, dict) else {}
    handler = dedicated or run.host.schedule_handler(_name(document))
    if handler is None:
        return make_exception(run.host.no_function(), reveals=False)
    moment = tick_time(handler, document.get("time"), run.host.platform.clock.now())
    key = f"{handler.name}#{moment.isoformat()}"
    delivery = Delivery(moment, run.id, key, run.seconds(), _attempt(document), run.trace())
    return make_exception(run.host.run(handler, delivery), reveals=False)


def _name(event: dict[str, Any]) -> str:
    """Return the name of the schedule: its own word, or the end of the rule's ARN."""
    if event.get("source") == OWN_SCHEDULE:
        return str(event.get("schedule"))
    resources = event.get("resources")
    first = resources[0] if isinstance(resources, list) and resources else ""
    return str(first).rpartition("/")[2]


def _attempt(event: dict[str, Any]) -> int | None:
    """Return the attempt that Scheduler was asked to name; it begins at 1."""
    count = str(event.get("attempt", ""))
    return int(count) if count.isascii() and count.isdecimal() and len(count) < 10 else None
