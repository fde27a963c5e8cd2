"""The time as HTTP writes it: ``Tue, 15 Nov 1994 08:12:31 GMT`` (RFC 9110, 5.6.7)."""

from __future__ import annotations

import re
from typing import Final

_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

_DATE: Final = re.compile(
    r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII
)


def ahead_of(text: str, now: float) -> float | None:
    """Give the seconds from `now`, in Unix seconds, to the time in `text`.

    None if that is no time in the form that servers are to send. It is read by hand, because
    `strptime` speaks the language of the locale.
    """
    found = _DATE.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    from datetime import UTC, datetime

    day, year, hour, minute, second = map(int, found.group(1, 3, 4, 5, 6))
    try:
        there = datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return there.timestamp() - now
