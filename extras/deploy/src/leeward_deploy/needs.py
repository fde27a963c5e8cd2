"""What the handlers of an app need around them, alike for every cloud: time, attempts, queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import ceil
from typing import Any, Final, NamedTuple

from leeward.app.app import App
from leeward.app.handlers import Handler
from leeward.app.triggers import Kind
from leeward.values import Effect
from leeward.workflow.kernel import LONGER
from leeward_deploy.recipe import Declared, PackageSpec

SECONDS: Final = 30
"""What a handler may take that says nothing."""

ATTEMPTS: Final = 5
"""How often a message is delivered whose handler says nothing."""

SPARE: Final = 5
"""Deliveries beyond a handler's own attempts, before the platform takes a message away itself:
those that never reached it, and those whose dead letter could not be sent."""

DEAD: Final = "-dead"
"""Stands behind the name of a queue, or of a handler, for its dead letters."""

ORDERED: Final = ".fifo"
"""The end of the name of a queue that keeps an order, where names say so."""


class DeadQueue(NamedTuple):
    """Where dead letters go.

    Attributes:
        name: of the queue.
        by_leeward: leeward puts them there, with the reason; the platform does so later only.
        deliveries: after how many the platform moves a message there itself.
    """

    name: str
    by_leeward: bool
    deliveries: int


def of_kind(app: App, *kinds: Kind) -> Iterator[Handler]:
    """Yield the handlers of some kinds, in the order of their definition."""
    return (handler for handler in app.handlers.values() if handler.kind in kinds)


def is_queued(handler: Handler) -> bool:
    """Return whether what a handler takes comes through a queue."""
    queued = handler.kind is Kind.OBJECT and handler.queued
    return handler.kind is Kind.MESSAGE or queued


def bucket_of(declared: Declared, handler: Handler) -> str:
    """Return the target's own name of the bucket that a handler takes objects of."""
    bucket = handler.bucket or ""
    return declared.buckets.get(bucket) or (bucket and declared.usual(bucket))


def seconds_of(handler: Handler) -> int:
    """Return the seconds that a handler is given."""
    return SECONDS if handler.timeout is None else max(1, ceil(handler.timeout))


def retries_of(handler: Handler, limit: int) -> int:
    """Return how often a platform is to call a handler again by itself, of `limit` times.

    A function that says nothing of retries and may not run twice is not called again.
    """
    if handler.retries is not None:
        return min(limit, handler.retries)
    return 0 if handler.is_call and handler.effect is Effect.UNSAFE else limit


def most_waits(timeout: int) -> int:
    """Return how often it is waited for an answer at most, by the seconds that a step may take."""
    rest, pause, waits = timeout, 1, 0
    while rest > 0:
        rest, pause, waits = rest - pause, LONGER * pause, waits + 1
    return waits


def stem(spec: PackageSpec) -> str:
    """Return the beginning of names that an app has in its account: of its stage, or its own."""
    return spec.declared.prefix or f"{spec.app.name}-"


def shorten(name: str, limit: int) -> str:
    """Return a name of at most so many characters; one that is cut ends with a digest of it."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9].rstrip('-')}-{sha256(name.encode()).hexdigest()[:8]}"


def dead_queue(handler: Handler, queue: str, options: Mapping[str, Any]) -> DeadQueue:
    """Return where the dead letters of a queue go.

    Args:
        handler: of the queue.
        queue: its logical name.
        options: of the entry file, which may name dead-letter queues.
    """
    addresses = options.get("dead_letters") or {}
    address = addresses.get(handler.name) or addresses.get(queue)
    attempts = ATTEMPTS if handler.retries is None else handler.retries + 1
    if address:
        # Events are given up by the platform alone.
        spare = 0 if handler.kind is Kind.EVENT else SPARE
        return DeadQueue(address.rpartition("/")[2], spare > 0, attempts + spare)
    stem = queue.removesuffix(ORDERED)
    return DeadQueue(f"{stem}{DEAD}{ORDERED if stem != queue else ''}", False, attempts)


def note_on_roles(declared: Declared) -> tuple[str, ...]:
    """Return what to say of roles for an app whose own calls nothing names."""
    if declared.functions or declared.buses or declared.tables or declared.buckets:
        return ()
    note = (
        "leeward.toml names no function, bus, table or bucket, so no role allows the app's own "
        "calls anything; name what they use there"
    )
    return (note,)
