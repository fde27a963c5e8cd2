"""What a target declares of itself: what it can do, and the largest that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

UNMARKED = "unmarked"
"""The `Result.reason` of an AMBIGUOUS result whose answer looks like one of the platform's, of a
function that is not known to mark its own answers: it may have passed on somebody else's."""

UNMARKED_REFUSAL = "unmarked_refusal"
"""The same, where it looks like one that refuses this request alone, such as a 403 or a 404. It
says nothing of the target's health, whoever gave it."""

TOO_LARGE = "payload_too_large"
"""The `Result.reason` of a CALLER result by which a target says that a request is too large."""

NO_PLACE = "no_place"
"""The `reason` of a LOCAL result because nothing on this side was free to make the attempt in time:
no place, no thread. The router waits elsewhere."""

NO_NETWORK = "no_network"
"""The `reason` of a NOT_SENT result whose cause is provably on this side; it says nothing of the
target, and the router reads it."""


class Capability(Enum):
    """What a target can do. What is not declared is refused before any I/O."""

    __hash__ = object.__hash__  # as good as Enum's own, which is written in Python

    INVOKE = "invoke"
    """Call a function and wait for its answer."""
    ENQUEUE = "enqueue"
    """Queue a function call that has no answer."""
    PUBLISH = "publish"
    """Publish CloudEvents to a bus."""
    ORDERING = "ordering"
    """Deliver the events of one ordering key in the order of publishing."""
    TABLES = "tables"
    """Store, load and delete single items."""
    CONDITIONS = "conditions"
    """Store and delete under a condition (`if_absent`, `if_revision`)."""
    EXPIRY = "expiry"
    """Keep an expiry with an item; an expired item counts as absent in conditions."""
    COMPOSITE_KEYS = "composite_keys"
    """Tables whose key has two fields."""
    SCAN = "scan"
    """Walk through a table page by page, for leeward's own upkeep."""
    OBJECTS = "objects"
    """Put, get, list and delete objects, and put them under a condition."""
    WORKFLOWS = "workflows"
    """Start runs of the workflows that are deployed there, look at them, and abort them."""
    SINGLE_STARTS = "single_starts"
    """Start one run of an id, also if two ask for it at the same time. Without it the client keeps
    them apart."""


NONE_MISSING: Mapping[Capability, str] = MappingProxyType({})
"""What a driver's `missing` is, where it has none."""


class Limits(NamedTuple):
    """The largest that a target takes. The defaults are near what AWS, Azure and Google take.

    Not each of them holds everywhere: an adapter names what is narrower on its cloud, or wider.

    The client checks every call against the smallest limits of the whole order, so that a call
    cannot succeed on one target and be too large for the next.

    Sources: the quota pages of Lambda, EventBridge, DynamoDB, Azure Functions, Storage queues,
    Event Grid, Cosmos DB, Cloud Run functions, Pub/Sub and Firestore. Of objects, services take far
    more than these; a put is one request, and is held in memory.

    Attributes:
        payload_bytes: a function's JSON payload, in bytes.
        queued_bytes: the same, for `enqueue`.
        event_bytes: one event in CloudEvents JSON, in bytes.
        attribute_bytes: one CloudEvents attribute's value, UTF-8.
        batch_events: events in one publish request.
        batch_bytes: bytes in one publish request.
        item_bytes: one item, attribute names included.
        nesting: how deep lists and maps may stand in each other inside an item.
        key_bytes: one field of a key, UTF-8.
        object_bytes: one object that is put.
        object_name_bytes: the name of an object, UTF-8.
        batch_stores: items that one request can store; 1 where each is a request of its own.
        name_bytes: the name of an attribute of an item, UTF-8.
        model: the name of the data model whose own values it keeps, as an exact read has them
            (`leeward._items.encoding.NativeValue`); empty for none, ``*`` for those of every model.
    """

    payload_bytes: int = 6 * 1024 * 1024
    queued_bytes: int = 256 * 1024
    event_bytes: int = 256 * 1024
    attribute_bytes: int = 1024
    batch_events: int = 10
    batch_bytes: int = 256 * 1024
    item_bytes: int = 400 * 1000
    nesting: int = 20
    key_bytes: int = 1023
    object_bytes: int = 32 * 1024 * 1024
    object_name_bytes: int = 1000
    batch_stores: int = 1
    name_bytes: int = 1500
    model: str = ""

    @staticmethod
    def smallest(limits: list[Limits]) -> Limits:
        """Return the limits that hold on every one of `limits` (at least one)."""
        smallest = Limits(*(min(sizes) for sizes in zip(*limits, strict=True)))
        return smallest._replace(model="")  # what each keeps is for one target alone
