"""The trace that a call belongs to: that of the handler which makes it."""

from __future__ import annotations

import sys
from typing import Any

from leeward.values import Event


def running_trace() -> str | None:
    """Return the ``traceparent`` of the running handler; None outside of one, or for an odd one.

    A program that has no handlers has not loaded the function side, and does not for this either.
    """
    side: Any = sys.modules.get("leeward.app.context")
    context = None if side is None else side.current()
    if context is None or context.trace is None:
        return None
    from leeward.app.traces import checked_parent

    return checked_parent(context.trace)


def in_trace(event: Event) -> Event:
    """Return an event that belongs to the running handler's trace, if there is one."""
    trace = running_trace()
    if trace is None or "traceparent" in event.extensions:
        return event
    return event._replace(extensions={**event.extensions, "traceparent": trace})
