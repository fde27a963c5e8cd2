"""The call of a function's logs, for `leeward logs`, and what comes back for it."""

from __future__ import annotations

from typing import Literal

from leeward.masking import mask
from leeward.records import NamedTuple


class ReadLogs(NamedTuple):
    """Read a page of what a function has logged, the oldest first. The value is a `LogPage`.

    NOT_FOUND says that the target has no logs of such a function.

    Attributes:
        function: the target's own name of it.
        since: Unix seconds; a line of this time counts.
        until: Unix seconds; a line of this time does not count.
        errors: the target may leave out what is surely not an error.
        most: lines of a page, at most.
        cursor: where the last page ended; None for the first one.
    """

    function: str
    since: float
    until: float
    errors: bool = False
    most: int = 1000
    cursor: str | None = None
    verb: Literal["read_logs"] = "read_logs"


class LogLine(NamedTuple):
    """One line of a log, or several that the target keeps as one.

    Attributes:
        id: the target's own; the same line has the same one on every page.
        time: Unix seconds.
        text: as it was written.
        level: the target's own word for how grave it is; empty where it has none.
    """

    id: str
    time: float
    text: str
    level: str = ""

    def __repr__(self) -> str:
        return mask(self, "id time level")


class LogPage(NamedTuple):
    """A page of a log. `cursor` is None on the last page."""

    lines: tuple[LogLine, ...]
    cursor: str | None = None
