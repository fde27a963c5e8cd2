"""How everything is right now: targets, queues, schedules, runs and unknown calls, as facts.

`read_status` asks every target at the same time, each for a bounded time, and changes nothing.
`leeward status` shows the facts, one sentence each; whoever shows them otherwise takes their
values. What a target cannot be asked is a fact, too: it says so.
"""

from __future__ import annotations

from leeward.status.facts import Fact, Kind, Level, QueueDepth, ordered
from leeward.status.reading import (
    Sources,
    read_isolations,
    read_moments,
    read_queues,
    read_runs,
    read_status,
)

__all__ = [
    "Fact",
    "Kind",
    "Level",
    "QueueDepth",
    "Sources",
    "ordered",
    "read_isolations",
    "read_moments",
    "read_queues",
    "read_runs",
    "read_status",
]
