"""When a schedule is due: five fields as in a crontab, in UTC.

Only what every cloud understands is taken: numbers, ``*``, lists, ranges and steps; and not a day
of the month together with a day of the week, which clouds combine differently. Anything else, and
what is never due, is a `ConfigError`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from leeward.app.triggers import parse_time
from leeward.errors import ConfigError
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from leeward.app.handlers import Handler

_FIELDS: Final = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 6),
)
"""Each with its smallest and its largest value; 0 is Sunday."""

_PART: Final = r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?"

_LONGEST: Final = 8 * 366
"""Days from one time to the next, at most: the 29th of February skips a leap year at 2100."""


class Schedule(NamedTuple):
    """The minutes, hours, days, months and weekdays at which it is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]


def check_schedule(text: object) -> None:
    """Check that `text` is a schedule, and is due at some time."""
    if not isinstance(text, str):
        raise ConfigError("a schedule is a text with five fields: @app.on_schedule('*/5 * * * *')")
    from datetime import UTC, datetime  # which a handler without a schedule does not need

    next_time(text, datetime(2024, 1, 1, tzinfo=UTC))


def next_time(text: str, after: datetime) -> datetime:
    """Return the first time after `after` at which a schedule is due."""
    from datetime import timedelta

    return _due(text, after + timedelta(minutes=1), 1)


def last_time(text: str, before: datetime) -> datetime:
    """Return the last time not after `before` at which a schedule was due."""
    return _due(text, before, -1)


def _due(text: str, start: datetime, way: int) -> datetime:
    """Return the nearest minute from `start` on at which it is due; `way` is 1, or -1 for back."""
    from datetime import UTC, timedelta

    schedule = parse_schedule(text)
    hour, minute = (0, 0) if way > 0 else (23, 59)
    moment = start = start.astimezone(UTC).replace(second=0, microsecond=0)
    while abs(moment - start) < timedelta(days=_LONGEST):
        if not _is_day(schedule, moment):
            moment = moment.replace(hour=hour, minute=minute) + timedelta(days=way)
        elif moment.hour not in schedule.hours:
            moment = moment.replace(minute=minute) + timedelta(hours=way)
        elif moment.minute not in schedule.minutes:
            moment += timedelta(minutes=way)
        else:
            return moment
    raise ConfigError(f"the schedule {text!r} is never due; correct its day and its month")


def tick_time(handler: Handler, named: object, now: float) -> datetime:
    """Return the time for which a schedule runs: what the platform names, else when it was due.

    Args:
        handler: of the schedule.
        named: by the platform, as text, or None.
        now: Unix seconds. A timer may be early by a moment, so a second is allowed for that.
    """
    from datetime import UTC, datetime

    time = parse_time(named)
    if time is not None or handler.schedule is None:
        return time or datetime.fromtimestamp(now, UTC)
    return last_time(handler.schedule, datetime.fromtimestamp(now + 1, UTC))


@lru_cache(maxsize=256)
def parse_schedule(text: str) -> Schedule:
    """Read a schedule."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ConfigError(
            f"the schedule {text!r} has {len(fields)} fields; write five: minute, hour, day of the "
            "month, month, day of the week, such as '*/5 * * * *'"
        )
    if fields[2] != "*" and fields[4] != "*":
        raise ConfigError(
            f"the schedule {text!r} names a day of the month and a day of the week, which clouds "
            "combine differently; leave one of them '*'"
        )
    return Schedule(
        *(_values(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True))
    )


def _is_day(schedule: Schedule, moment: datetime) -> bool:
    return (
        moment.month in schedule.months
        and moment.day in schedule.days
        and moment.isoweekday() % 7 in schedule.weekdays
    )


def _values(field: str, name: str, first: int, last: int) -> frozenset[int]:
    values: set[int] = set()
    for part in field.split(","):
        match = re.fullmatch(_PART, part)
        if match is None:
            raise ConfigError(f"{name} of a schedule is {part!r}; use numbers, *, -, / and commas")
        begin = first if match[1] is None else int(match[1])
        end = int(match[2]) if match[2] else last if match[1] is None or match[3] else begin
        step = int(match[3] or 1)
        if not (first <= begin <= end <= last and step):
            raise ConfigError(f"{name} of a schedule is {part!r}; it goes from {first} to {last}")
        values.update(range(begin, end + 1, step))
    return frozenset(values)
