"""The time as HTTP writes it: ``Tue, 15 Nov 1994 08:12:31 GMT`` (RFC 9110, 5.6.7).

By hand, because `strftime` speaks the language of the locale.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Final

_DAYS: Final = "Mon Tue Wed Thu Fri Sat Sun".split()
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

_TWO: Final = "([0-9]{2})"
_DATE: Final = rf"[A-Z][a-z]{{2}}, {_TWO} ([A-Z][a-z]{{2}}) ([0-9]{{4}}) {_TWO}:{_TWO}:{_TWO} GMT"
"""Compiled when it is first needed: most programs never need it."""


@lru_cache(maxsize=8)
def http_date(second: int) -> str:
    """Write a time, in whole Unix seconds."""
    year, month, day, hour, minute, seconds, weekday, *_ = time.gmtime(second)
    clock = f"{hour:02}:{minute:02}:{seconds:02}"
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {clock} GMT"


def ahead_of(text: str, now: float) -> float | None:
    """Return the seconds from `now`, in Unix seconds, to the time in `text`.

    None if that is not a time in the form that servers are to send.
    """
    found = re.fullmatch(_DATE, text)
    if found is None or found[2] not in _MONTHS:
        return None
    from datetime import UTC, datetime

    day, year, hour, minute, second = map(int, found.group(1, 3, 4, 5, 6))
    try:
        there = datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return there.timestamp() - now
