"""What operators look at: whether a function, queue, bus, table or bucket is there, and logs.

`leeward doctor`, `leeward status` and `leeward logs` make these calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import NOTHING

FUNCTION: Final = "look_function"
QUEUE: Final = "look_queue"
BUS: Final = "look_bus"
TABLE: Final = "look_table"
BUCKET: Final = "look_bucket"
RESOURCE: Final = "look_resource"
"""Anything that an exported file has, compared with what that says of it."""

BACKLOG: Final = "look_backlog"
"""A queue, and how many messages wait in it. `leeward status` makes it, not the doctor: it takes a
right that no call needs."""

NONE: Final = "none"
"""What a file says of something that is not set."""

LookVerb: TypeAlias = Literal[
    "look_function",
    "look_queue",
    "look_bus",
    "look_table",
    "look_bucket",
    "look_resource",
    "look_backlog",
]

LOOKS: Final[tuple[LookVerb, ...]] = (FUNCTION, QUEUE, BUS, TABLE, BUCKET, RESOURCE, BACKLOG)

UNANSWERABLE: Final = "its cloud cannot be asked without calling it"


class Look(NamedTuple):
    """Look whether something is there. The value of an OK result is a `LookResult`.

    NOT_FOUND says that it is not there, and AUTH that the identity is refused that would call it.

    Attributes:
        name: the target's own name of it.
        verb: which kind of thing, one of `LOOKS`.
        key: of a table, the fields of its key.
        is_queue: there is no function of this name, but a queue.
        type: of a resource, in the adapter's own words.
        has: of a resource, what a file says of it.
    """

    name: str
    verb: LookVerb
    key: tuple[str, ...] = ("id",)
    is_queue: bool = False
    type: str = ""
    has: Mapping[str, Any] = NOTHING


class LookResult(NamedTuple):
    """What a look has shown.

    Attributes:
        there: whether it is there; None where that cannot be asked.
        why: why not, in words for an operator; of what is there, what one should know of it.
        time: Unix seconds, as the target's clock has told them; None if it did not.
        reached: whether it was the place itself that calls go to which has answered.
        differs: what of a resource is not as the file has it, each in words.
        unseen: what of a resource nobody has looked at.
        waiting: of a queue, about how many messages wait; None where nothing tells.
    """

    there: bool | None = True
    why: str = ""
    time: float | None = None
    reached: bool = True
    differs: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    waiting: int | None = None


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


@show_only("id time level")
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


class LogPage(NamedTuple):
    """A page of a log. `cursor` is None on the last page."""

    lines: tuple[LogLine, ...]
    cursor: str | None = None
