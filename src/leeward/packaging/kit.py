"""What an adapter needs to package an app for its cloud, and to write its template."""

from __future__ import annotations

from leeward.packaging.needs import (
    DEAD,
    ORDERED,
    DeadQueue,
    dead_queue,
    retries_of,
    seconds_of,
)
from leeward.packaging.recipe import (
    ARCHES,
    Command,
    Declared,
    Limit,
    Recipe,
    System,
    Template,
    Wish,
    known_python,
    same_versions,
)
from leeward.packaging.uv import (
    Source,
    program,
)

__all__ = [
    "ARCHES",
    "DEAD",
    "ORDERED",
    "Command",
    "DeadQueue",
    "Declared",
    "Limit",
    "Recipe",
    "Source",
    "System",
    "Template",
    "Wish",
    "dead_queue",
    "known_python",
    "program",
    "retries_of",
    "same_versions",
    "seconds_of",
]
