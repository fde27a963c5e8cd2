"""The calls of a queue itself, for dead letters, and what comes back for them."""

from __future__ import annotations

from typing import Literal

from leeward.masking import show_only
from leeward.records import NamedTuple


@show_only("name type")
class Attribute(NamedTuple):
    """What stands beside the body of a message: a text, or bytes where a queue has such.

    Attributes:
        name: as it was sent; queues tell cases apart.
        value: of it.
        type: the queue's own word for what it is; empty for the usual one.
    """

    name: str
    value: str | bytes
    type: str = ""


@show_only("queue id verb")
class PutMessage(NamedTuple):
    """Put a message into a queue as it is; OK as soon as the queue has it.

    Attributes:
        queue: the provider's own name of it, or its URL.
        body: byte for byte.
        attributes: what goes beside it; a queue that has no place for them puts both into one text.
        group: whose order is kept, in a queue that keeps one; else None.
        id: by which such a queue recognises what was put before.
    """

    queue: str
    body: bytes
    attributes: tuple[Attribute, ...] = ()
    group: str | None = None
    id: str = ""
    verb: Literal["put_message"] = "put_message"


class TakeMessages(NamedTuple):
    """Receive messages of a queue for a while. The value is a tuple of `QueueMessage`.

    Attributes:
        queue: the provider's own name of it, or its URL.
        seconds: until they are there again, unless they are removed.
        most: how many, 1 to 10.
    """

    queue: str
    seconds: int
    most: int = 10
    verb: Literal["take_messages"] = "take_messages"


@show_only("queue id verb")
class RemoveMessage(NamedTuple):
    """Remove a message that was taken."""

    queue: str
    receipt: str
    id: str = ""
    verb: Literal["remove_message"] = "remove_message"


@show_only("queue seconds id verb")
class HideMessage(NamedTuple):
    """Show a message that was taken again in some seconds, 0 for at once."""

    queue: str
    receipt: str
    seconds: int
    id: str = ""
    verb: Literal["hide_message"] = "hide_message"


@show_only("id sent")
class QueueMessage(NamedTuple):
    """A message that was taken out of a queue.

    Attributes:
        id: the queue's.
        body: byte for byte.
        attributes: what stands beside it.
        receipt: with which it is removed.
        sent: Unix seconds; None where the queue does not tell.
        group: whose order is kept, or None.
    """

    id: str
    body: bytes
    attributes: tuple[Attribute, ...]
    receipt: str
    sent: float | None = None
    group: str | None = None
