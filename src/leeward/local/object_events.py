"""What tells handlers of objects: a row for each write, kept before the write takes place.

An object is a file, and a row is in the database; a crash may come between the two. So the row is
kept first, while the bucket is locked for the write. Whoever delivers it looks for the object: if
that is not there even when the lock is free, the write never took place, or another one or a
deletion has come after it. Then there is nothing to tell of.

A process that has no handler of objects, such as a command, leaves one row for each object. Whoever
has handlers of its bucket makes their rows of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from leeward.adapter import Result
from leeward.app.checks import check_free
from leeward.app.handlers import Handler
from leeward.app.objects import document_of, event_from, object_key
from leeward.app.triggers import ObjectEvent
from leeward.clock import Clock
from leeward.delivery.dispatcher import Accept
from leeward.delivery.rows import Delivery, Message, Recipient
from leeward.delivery.series import Series
from leeward.delivery.store import PATIENCE
from leeward.errors import Outcome
from leeward.json_text import decode
from leeward.local.objects_folder import ObjectsFolder
from leeward.object_calls import DeleteObject, PutObject

OBJECT = "(object)"
"""Stands in the place of the bus for what tells of an object."""
UNTOLD = "(objects)"
"""The same, for what no process with handlers has seen; the bucket stands for the subscriber."""


class ObjectEvents:
    """The handlers of objects of one target.

    Args:
        clock: for the time of a write.
        series: keeps the rows, those of a bucket in the order of its writes.
        objects: what is told of.
        accept: keeps rows, and lets them be delivered.
        wake: lets rows be delivered.
        outlives: the rows are there when this process has ended.
    """

    def __init__(
        self,
        clock: Clock,
        series: Series,
        objects: ObjectsFolder,
        accept: Accept,
        wake: Callable[[], None],
        *,
        outlives: bool,
    ) -> None:
        self._clock = clock
        self._series = series
        self._objects = objects
        self._accept = accept
        self._wake = wake
        self._outlives = outlives
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

    def untold(self) -> set[Recipient]:
        """Return the recipients of what `claim` is for: the buckets that have handlers."""
        return {Recipient(UNTOLD, each.bucket or "") for each in list(self._handlers.values())}

    def claim(self, row: Delivery, deadline: float) -> None:
        """Keep a row for each handler of an object that a process without handlers has put."""
        del deadline
        event = event_from(decode(row.document))
        if self._objects.has(event.bucket, event.key, event.version):
            self._accept(self._rows(event, self._takers(event.bucket, event.key)), PATIENCE)

    def put(self, call: PutObject, timeout: float) -> Result[Any]:
        """Make one attempt to put an object, and let its handlers know."""
        result = self._objects.perform(call, timeout)
        if self._handlers:
            self._wake()
        return result

    def delete(self, call: DeleteObject, timeout: float) -> Result[Any]:
        """Make one attempt to delete an object, and forget that it was there to be told of."""
        result = self._objects.perform(call, timeout)
        if self._outlives and not self._handlers and result.outcome is Outcome.OK:
            self._series.forget(Recipient(UNTOLD, call.bucket), call.name, PATIENCE)
        return result

    def _announce(self, call: PutObject) -> None:
        """Keep a row for each handler of an object that is about to be there; it is locked."""
        takers = self._takers(call.bucket, call.name)
        now = self._clock.now()

        def rows(sequence: int) -> list[Message]:
            event = _event(call, now, sequence)
            if self._handlers:
                return self._rows(event, takers)
            (row,) = self._rows(event, [call.bucket])
            return [row._replace(recipient=Recipient(UNTOLD, call.bucket), lane=call.name)]

        if takers or (self._outlives and not self._handlers):
            self._series.add_behind(f"objects {call.bucket}", int(now * 1e6), rows, PATIENCE)

    def _takers(self, bucket: str, key: str) -> list[str]:
        return [
            name
            for name, each in list(self._handlers.items())
            if each.bucket == bucket and key.startswith(each.prefix)
        ]

    def _rows(self, event: ObjectEvent, names: Iterable[str]) -> list[Message]:
        document, key = json.dumps(document_of(event)), object_key(event)
        return [Message(Recipient(OBJECT, name), None, key, document) for name in names]

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
