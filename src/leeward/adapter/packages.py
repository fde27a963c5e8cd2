"""What an adapter needs to package an app for its cloud, and to write its template."""

from __future__ import annotations

from leeward.packaging.needs import (
    ATTEMPTS,
    DEAD,
    ORDERED,
    DeadQueue,
    bucket_of,
    dead_queue,
    is_queued,
    of_kind,
    prefixes_of,
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
from leeward.packaging.terraform import (
    Configuration,
    of,
    unique,
)
from leeward.packaging.uv import (
    Source,
    run,
    told,
)

__all__ = [
    "ARCHES",
    "ATTEMPTS",
    "DEAD",
    "ORDERED",
    "Command",
    "Configuration",
    "DeadQueue",
    "Declared",
    "Limit",
    "Recipe",
    "Source",
    "System",
    "Template",
    "Wish",
    "bucket_of",
    "dead_queue",
    "is_queued",
    "known_python",
    "of",
    "of_kind",
    "prefixes_of",
    "retries_of",
    "run",
    "same_versions",
    "seconds_of",
    "told",
    "unique",
]
