"""What people look at, as values: reports, made of domain values and shown by renderers.

The terminal, ``--json`` and the console render the same `Report`, so a command and its page cannot
differ. Nothing here reads or asks: what is known, and the time, are passed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, TypeAlias

from leeward.records import NamedTuple

Json: TypeAlias = dict[str, Any]  # a row: an object as ``--json`` writes it

Link: TypeAlias = tuple[str, Mapping[str, str | None]]
"""A page of the console, and the query of its address."""

MORE: Final = "There are more; say --limit NUMBER."

LONGEST: Final = 60  # characters of a `Format.LINE`; ``--json`` has all of it.

_BLANKS: Final = re.compile(r"[\s\u115f\u1160\u2800\u3164\uffa0]{4,}")
"""What looks like nothing: white space, the fillers of Hangul, the empty pattern of Braille."""


class Severity(Enum):
    """What a state means to its reader; the value is its style on a terminal."""

    GOOD = "green"
    NEUTRAL = ""
    WAITING = "cyan"
    """It waits for a person or for its time: it has not failed."""
    UNSURE = "yellow"
    WRONG = "red"


MINUTES: Final = 120.0  # seconds from which on a `Format.SECONDS` is a `Format.SPAN`

_STATES: Final = {
    Severity.GOOD: "ok no completed succeeded closed",
    Severity.NEUTRAL: "note in_progress running under_way released void refused not_leeward's",
    Severity.WAITING: "waiting approved",
    Severity.WRONG: "wrong fault yes failed broken open",
}

_SEVERITIES: Final = {word: level for level, words in _STATES.items() for word in words.split()}


def severity_of(state: str) -> Severity:
    """Return what a state means, by what stands before a colon; an unknown one is unsure."""
    return _SEVERITIES.get(state.partition(":")[0].lower().replace(" ", "_"), Severity.UNSURE)


class Format(Enum):
    """How a value is shown."""

    TEXT = "text"
    LINE = "line"
    """The beginning of a text."""
    WHOLE = "whole"
    """A text that somebody decides on: all of it, with padding counted."""
    STATE = "state"
    LINES = "lines"
    """Texts, each on a line of its own where there is room."""
    COUNT = "count"
    MOMENT = "moment"
    """Unix seconds, as a time."""
    AGO = "ago"
    """Unix seconds, as the time since then."""
    SPAN = "span"
    """Seconds, as a person says them."""
    SECONDS = "seconds"
    """The same, to a thousandth where it is little."""


class Column(NamedTuple):
    """One value of each row.

    Attributes:
        of: the name of a field of the row, or a function of the row.
        is_name: it names the row, and leads to its page.
        is_rare: it is left out where no row has a value.
    """

    title: str
    of: str | Callable[[Json], Any]
    format: Format = Format.TEXT
    is_name: bool = False
    is_rare: bool = False

    def value(self, row: Json) -> Any:
        """Return the value; None where the row has none."""
        return row.get(self.of) if isinstance(self.of, str) else self.of(row)


class Action(NamedTuple):
    """What a person can do: by a command, or by a button of the console.

    Attributes:
        about: what it is about, for who does not see where the button stands.
        is_danger: nothing brings back what it does.
    """

    title: str
    command: str
    name: str
    value: str
    about: str = ""
    is_danger: bool = False


class Table(NamedTuple):
    """Rows, one below the other.

    Attributes:
        rows: JSON objects, as documented.
        page: returns where more is said of a row.
        actions: returns what can be done with a row.
    """

    columns: Sequence[Column]
    rows: Sequence[Json]
    title: str = ""
    empty: str = "None."
    page: Callable[[Json], Link | None] = lambda _: None
    actions: Callable[[Json], Sequence[Action]] = lambda _: ()

    def visible_columns(self) -> list[Column]:
        """Return the columns that are shown."""
        return [
            each
            for each in self.columns
            if not each.is_rare or any(each.value(row) not in (None, "", []) for row in self.rows)
        ]


class Details(NamedTuple):
    """One row, a value on each line; rare ones where there are any."""

    columns: Sequence[Column]
    row: Json
    title: str = ""

    def values(self) -> list[tuple[str, tuple[Any, Format]]]:
        """Return the titles, with the values and how they are shown."""
        shown = Table(self.columns, [self.row]).visible_columns()
        return [(field.title, (field.value(self.row), field.format)) for field in shown]


class Block(NamedTuple):
    """A long text: a payload, a result."""

    title: str
    text: str
    is_json: bool = False


Part: TypeAlias = str | Table | Details | Block  # a sentence, or one of these


class Report(NamedTuple):
    """What a command or a page shows.

    Attributes:
        data: the whole of it, as ``--json`` writes it.
        now: Unix seconds at which it was made.
        notes: parts about it, which are not the result.
    """

    data: Json
    now: float = 0.0
    parts: Sequence[Part] = ()
    notes: Sequence[Part] = ()
    actions: Sequence[Action] = ()
    exit_code: int = 0


def in_words(value: Any, how: Format, now: float) -> str:
    """Return a value as a person reads it; ``-`` for none."""
    if value is None or value in ("", [], ()):
        return "-"
    match how:
        case Format.COUNT:
            return f"{value:,}"
        case Format.MOMENT:
            return moment(value)
        case Format.AGO:
            return f"{span(max(0.0, now - value))} ago"
        case Format.SPAN:
            return span(value)
        case Format.SECONDS:
            return f"{value:.3f} s" if value < MINUTES else span(value)
        case Format.STATE:
            return str(value).replace("_", " ")
        case Format.WHOLE:
            return _BLANKS.sub(lambda it: f" [{len(it[0])} blanks] ", str(value))
        case Format.LINE:
            line = str(value).partition("\n")[0]
            return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
        case _:
            return spoken(value)


def spoken(value: Any) -> str:
    """Return a value in words."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def moment(seconds: float | None) -> str:
    """Return Unix seconds as a time in UTC; ``-`` where there is none."""
    if seconds is None:
        return "-"
    try:
        time = datetime.fromtimestamp(seconds, UTC)
        return time.strftime(f"%Y-%m-%d %H:%M{':%S' if time.second else ''} UTC")
    except (ValueError, OverflowError, OSError):
        return "-"


def span(seconds: float | None) -> str:
    """Return seconds as a person reads them, such as ``3 h``; ``-`` where there are none."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def count(number: int, thing: str) -> str:
    """Return so many things, such as ``1 letter``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
