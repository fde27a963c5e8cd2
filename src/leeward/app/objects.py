"""Handlers of objects: what they take and write, and that no output comes back as input.

Pure. A place is a bucket and the beginning of keys in it; logical names, as everywhere in an app.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from leeward.app.triggers import ObjectEvent
from leeward.errors import ConfigError
from leeward.text import join_key
from leeward.values import Json


class ObjectPrefix(NamedTuple):
    """The objects of a bucket whose keys begin with `prefix`."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        """Write it as users do."""
        return f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket

    def covers(self, bucket: str, key: str) -> bool:
        """Return whether an object is in it."""
        return self.bucket == bucket and key.startswith(self.prefix)

    def meets(self, other: ObjectPrefix) -> bool:
        """Return whether an object could be in both."""
        shorter, longer = sorted((self.prefix, other.prefix), key=len)
        return self.bucket == other.bucket and longer.startswith(shorter)


def prefixes_of(writes: str | Iterable[str]) -> tuple[ObjectPrefix, ...]:
    """Read places: ``inbox/processed/``, or ``inbox`` for a whole bucket; one or several.

    Raises:
        ConfigError: something else is among them.
    """
    return tuple(map(_prefix_in, (writes,) if isinstance(writes, str) else writes))


def _prefix_in(text: object) -> ObjectPrefix:
    bucket, _, prefix = text.partition("/") if isinstance(text, str) else ("", "", "")
    if not bucket:
        raise ConfigError(
            f"writes names a bucket and the beginning of keys, such as 'inbox/processed/', not "
            f"{text!r}"
        )
    return ObjectPrefix(bucket, prefix)


def object_key(event: ObjectEvent) -> str:
    """Return by what a write of an object is recognised: the same however often it is told."""
    return join_key(f"{event.bucket}/{event.key}", event.version)


def document_of(event: ObjectEvent) -> dict[str, Json]:
    """Return an event as JSON."""
    time = None if event.time is None else event.time.isoformat()
    return {**event._asdict(), "time": time}


def event_from(document: Mapping[str, Any]) -> ObjectEvent:
    """Read what `document_of` has returned.

    Raises:
        TypeError: another program has written it.
    """
    from leeward.app.schedules import time_told

    return ObjectEvent(**{**document, "time": time_told(document.get("time"))})
