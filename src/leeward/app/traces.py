"""W3C Trace Context: what a ``traceparent`` says."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_PARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class TraceIds(NamedTuple):
    """Where a call belongs; `sampled` tells whether its trace is kept."""

    trace: str
    span: str
    sampled: bool


LONGEST: Final = 55
"""Characters of a ``traceparent`` of the one version that there is."""


def checked_parent(traceparent: str) -> str | None:
    """Return a ``traceparent`` that may be passed on; None for what makes no sense."""
    return traceparent[:LONGEST] if trace_ids(traceparent) else None


@lru_cache(maxsize=64)
def trace_ids(traceparent: str | None) -> TraceIds | None:
    """Return what a ``traceparent`` says; None for one that is not there, or makes no sense."""
    match = _PARENT.fullmatch(traceparent or "")
    if match is None:
        return None
    return TraceIds(match[1], match[2], bool(int(match[3], 16) & 1))
