"""W3C Trace Context: what a ``traceparent`` says, and the trace that a call belongs to."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from leeward.records import NamedTuple
from leeward.values import Event
from leeward.watching import RUNNING

_PARENT: Final = r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
"""Compiled when it is first needed: most programs never need it."""


class TraceIds(NamedTuple):
    """Where a call belongs; `sampled` tells whether its trace is kept."""

    trace: str
    span: str
    sampled: bool


LONGEST: Final = 55
"""Characters of a ``traceparent`` of the one version that there is."""


@lru_cache(maxsize=64)
def trace_ids(traceparent: str | None) -> TraceIds | None:
    """Return what a ``traceparent`` says; None for one that is not there, or makes no sense."""
    match = re.fullmatch(_PARENT, traceparent or "")
    if match is None:
        return None
    return TraceIds(match[1], match[2], bool(int(match[3], 16) & 1))


def running_trace() -> str | None:
    """Return the ``traceparent`` of the running handler; None outside of one, or for an odd one."""
    context: Any = RUNNING.get()[0]
    if context is None or context.trace is None or trace_ids(context.trace) is None:
        return None
    return str(context.trace[:LONGEST])


def in_trace(event: Event) -> Event:
    """Return an event that belongs to the running handler's trace, if there is one."""
    trace = running_trace()
    if trace is None or "traceparent" in event.extensions:
        return event
    return event._replace(extensions={**event.extensions, "traceparent": trace})
