"""Handlers of objects: what they take and write, and that no output comes back as input.

Pure. A place is a bucket and the beginning of keys in it; logical names, as everywhere in an app.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from leeward.app.checks import check_text
from leeward.app.triggers import Kind, ObjectEvent
from leeward.errors import ConfigError
from leeward.text import join_key
from leeward.values import NOTHING, Json

if TYPE_CHECKING:
    from leeward.app.handlers import Handler


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


def check_taken(bucket: object, prefix: object) -> None:
    """Check which objects a handler takes.

    Raises:
        ConfigError: bucket or prefix is something else than such a text.
    """
    check_text(bucket, "bucket")
    if "/" in str(bucket):
        raise ConfigError(f"bucket is {bucket!r}; name it alone, and put the rest into prefix")
    if not isinstance(prefix, str):
        raise ConfigError(f"prefix must be a string, not {prefix!r}")


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


def check_no_loop(handlers: Iterable[Handler], own: Mapping[str, str] = NOTHING) -> None:
    """Check that nothing that handlers write makes them run again, however long the way round.

    Args:
        handlers: of an app.
        own: a target's own names of buckets, by the logical ones; two may be of one bucket.

    Raises:
        ConfigError: it does; the handlers are named, with what to do.
    """
    known = [each for each in handlers if each.kind is Kind.OBJECT]
    after = {
        each.name: [other.name for other in known if _feeds(each, other, own)] for each in known
    }
    for each in known:
        way = _way_back(each.name, after)
        if way is not None:
            raise ConfigError(_told(each, way))


def _feeds(writer: Handler, taker: Handler, own: Mapping[str, str]) -> bool:
    taken = _owned(ObjectPrefix(taker.bucket or "", taker.prefix), own)
    return any(_owned(place, own).meets(taken) for place in writer.writes)


def _owned(place: ObjectPrefix, own: Mapping[str, str]) -> ObjectPrefix:
    return place._replace(bucket=own.get(place.bucket, place.bucket))


def _way_back(start: str, after: Mapping[str, list[str]]) -> list[str] | None:
    """Return the names on a way from `start` to itself, without it; None if there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for name in after[way[-1]]:
            if name == start:
                return way[1:]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return None


def _told(handler: Handler, way: list[str]) -> str:
    taken = ObjectPrefix(handler.bucket or "", handler.prefix)
    over = f", by way of {', '.join(map(repr, way))}," if way else ""
    written = ", ".join(map(str, handler.writes))
    return (
        f"the object handler {handler.name!r} takes {taken} and writes {written}: its output{over} "
        "would make it run again, without end; give input and output prefixes of which none begins "
        f'with the other, such as prefix="in/" and writes="{handler.bucket}/processed/", or write '
        "into another bucket"
    )


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
