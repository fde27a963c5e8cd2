"""Looks: whether a function, queue, bus, table or bucket is there. `leeward doctor` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

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
