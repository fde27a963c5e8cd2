"""What tells handlers of objects: a row for each write, kept before the write takes place.

An object is a file, and a row is in the database; a crash may come between the two. So the row is
kept first, while the bucket is locked for the write. Whoever delivers it looks for the object: if
that is not there even when the lock is free, the write never took place, or another one or a
deletion has come after it. Then there is nothing to tell of.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from leeward.adapter import Result
from leeward.app.checks import check_free
from leeward.app.handlers import Handler
from leeward.app.objects import document_of, event_from, object_key
from leeward.app.triggers import ObjectEvent
from leeward.clock import Clock
from leeward.delivery.rows import Delivery, Message, Recipient
from leeward.delivery.series import Series
from leeward.delivery.store import PATIENCE
from leeward.json_text import decode
from leeward.local.objects_folder import ObjectsFolder
from leeward.object_calls import PutObject

OBJECT = "(object)"
"""Stands in the place of the bus for what tells of an object."""


class ObjectEvents:
    """The handlers of objects of one target.

    Args:
        clock: for the time of a write.
        series: keeps the rows, those of a bucket in the order of its writes.
        objects: what is told of.
        wake: lets rows be delivered.
    """

    def __init__(
        self,
        clock: Clock,
        series: Series,
        objects: ObjectsFolder,
        wake: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._series = series
        self._objects = objects
        self._wake = wake
        self._handlers: dict[str, Handler] = {}
        objects.announce = self._announce

    def add(self, handler: Handler) -> None:
        """Let a handler have objects, from now on.

        Raises:
            ConfigError: its name is taken.
        """
        check_free(handler, self._handlers)
        self._handlers[handler.name] = handler

    def recipients(self) -> dict[Recipient, Handler]:
        """Return the handlers as recipients of rows."""
        return {Recipient(OBJECT, name): each for name, each in list(self._handlers.items())}

    def put(self, call: PutObject, timeout: float) -> Result[Any]:
        """Make one attempt to put an object, and let its handlers know."""
        result = self._objects.perform(call, timeout)
        if self._handlers:
            self._wake()
        return result

    def _announce(self, call: PutObject) -> None:
        """Keep a row for each handler of an object that is about to be there; it is locked."""
        takers = [
            name
            for name, each in list(self._handlers.items())
            if each.bucket == call.bucket and call.name.startswith(each.prefix)
        ]
        now = self._clock.now()

        def rows(sequence: int) -> list[Message]:
            event = _event(call, now, sequence)
            document = json.dumps(document_of(event))
            key = object_key(event)
            return [Message(Recipient(OBJECT, name), None, key, document) for name in takers]

        if takers:
            self._series.add_behind(f"objects {call.bucket}", int(now * 1e6), rows, PATIENCE)

    def is_due(self, row: Delivery) -> bool:
        """Return whether there is still an object that a row tells of."""
        event = event_from(decode(row.document))
        return self._objects.has(event.bucket, event.key, event.version)


def _event(call: PutObject, now: float, sequence: int) -> ObjectEvent:
    return ObjectEvent(
        call.bucket,
        call.name,
        call.write_id,
        len(call.body),
        call.checksum,
        f"{sequence:020}",
        datetime.fromtimestamp(now, UTC),
        call.write_id,
    )
