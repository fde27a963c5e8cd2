"""Moments in time with their offset, in ISO 8601 and back.

`datetime.fromisoformat` alone does not do: it drops an offset of less than a second.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone


def to_utc(moment: datetime) -> datetime | None:
    """Return the same moment in UTC; None where that is before year 1 or after 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def offset_of(moment: datetime) -> str:
    """Return the offset from UTC, as `isoformat` writes it: ``+02:00``; empty for UTC itself."""
    return str(timezone(moment.utcoffset() or timedelta()))[len("UTC") :]


def at_offset(moment: datetime, offset: str) -> datetime:
    """Return the same moment with this offset from UTC."""
    return moment.astimezone(_zone(offset))


def from_text(text: str) -> datetime:
    """Read what `isoformat` wrote of an aware datetime, the offset fixed."""
    end = len("2000-01-01T00:00:00.000000" if "." in text[:20] else "2000-01-01T00:00:00")
    return datetime.fromisoformat(text[:end]).replace(tzinfo=_zone(text[end:]))


def _zone(offset: str) -> timezone:
    if offset[:1] not in {"+", "-"}:
        raise ValueError("an offset without a sign")
    clock = time.fromisoformat(offset[1:])
    span = timedelta(
        hours=clock.hour,
        minutes=clock.minute,
        seconds=clock.second,
        microseconds=clock.microsecond,
    )
    return timezone(-span if offset[0] == "-" else span)
