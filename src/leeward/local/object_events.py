"""What tells handlers of objects: a row for each write, kept in the transaction of the write.

Whoever delivers it looks for the object: if another write or a deletion has come after it, there is
nothing to tell of.

A process that has no handler of objects, such as a command, leaves one row for each object. Whoever
has handlers of its bucket makes their rows of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from leeward._delivery.bus import NameOf
from leeward._delivery.dispatcher import Accept
from leeward._delivery.sqlite_store import forget, insert_behind
from leeward._sqlite.database import Database
from leeward.app.checks import check_free
from leeward.app.handlers import Handler
from leeward.app.triggers import ObjectEvent, object_document, object_event_from, object_key
from leeward.calls import Call, DeleteObject, PutObject, Result
from leeward.clock import Clock
from leeward.json_text import decode
from leeward.local.objects import Objects
from leeward.stores import PATIENCE, LeasedRow, NewRow, Recipient

OBJECT = "(object)"  # stands in the place of the bus for what tells of an object

UNTOLD = "(objects)"
"""The same, for what no process with handlers has seen; the bucket stands for the subscriber."""


class ObjectEvents:
    """The handlers of objects of one target.

    Args:
        accept: keeps rows, and lets them be delivered.
        wake: lets rows be delivered.
        outlives: the rows are there when this process has ended.
    """

    def __init__(
        self,
        clock: Clock,
        database: Database,
        accept: Accept,
        wake: Callable[[], None],
        name_of: NameOf,
        *,
        outlives: bool,
    ) -> None:
        self._clock = clock
        self._accept = accept
        self._outlives = outlives
        self._objects = Objects(database, self._announce)
        self._wake, self._name_of = wake, name_of
        self._handlers: dict[str, Handler] = {}

    def add(self, handlers: Iterable[Handler]) -> None:
        """Deliver objects to these handlers from now on; add all of them at once.

        Raises:
            ConfigError: a name is taken.
        """
        by_name = self._handlers.copy()
        for handler in handlers:
            check_free(handler, by_name)
            by_name[handler.name] = handler
        self._handlers = by_name  # at once: an object that is claimed meanwhile is told to all

    def recipients(self) -> dict[Recipient, Handler]:
        """Return the handlers as recipients of rows."""
        return {Recipient(OBJECT, name): handler for name, handler in self._handlers.items()}

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at a call of objects, and let handlers know of what was put."""
        if isinstance(call, PutObject):  # before its transaction, which writes rows for them
            self._handlers_of(call.bucket, call.name)
        result = self._objects.perform(call, timeout)
        if self._handlers and isinstance(call, PutObject):
            self._wake()
        return result

    def unclaimed_recipients(self) -> set[Recipient]:
        """Return the recipients of what `claim` is for: the buckets that have handlers."""
        return {Recipient(UNTOLD, handler.bucket or "") for handler in self._handlers.values()}

    def claim(self, row: LeasedRow, deadline: float) -> None:
        """Keep a row for each handler of an object that a process without handlers has put."""
        del deadline
        if self.is_due(row):
            event = object_event_from(decode(row.document))
            takers = self._handlers_of(event.bucket, event.key)
            self._accept([self._row(event, recipient) for recipient in takers], PATIENCE)

    def _announce(self, connection: sqlite3.Connection, call: PutObject | DeleteObject) -> None:
        """Keep a row for each handler of an object, in the transaction that writes it.

        Those of a bucket are in the order of its writes. A later write, or a deletion, takes the
        place of a row that no process with handlers has seen.
        """
        is_left = self._outlives and not self._handlers
        untold = Recipient(UNTOLD, call.bucket)
        if is_left:
            forget(connection, untold, call.name)
        if isinstance(call, DeleteObject):
            return
        takers, now = self._handlers_of(call.bucket, call.name), self._clock.now()

        def rows(sequence: int) -> list[NewRow]:
            event = _event(call, now, sequence)
            if not is_left:
                return [self._row(event, taker) for taker in takers]
            return [self._row(event, untold)._replace(lane=call.name)]

        if takers or is_left:
            insert_behind(connection, f"objects {call.bucket}", int(now * 1e6), rows)

    def _handlers_of(self, bucket: str, key: str) -> list[Recipient]:
        return [
            self._name_of(Recipient(OBJECT, name))
            for name, handler in self._handlers.items()
            if handler.bucket == bucket and key.startswith(handler.prefix)
        ]

    def _row(self, event: ObjectEvent, recipient: Recipient) -> NewRow:
        document = json.dumps(object_document(event))
        return NewRow(recipient, None, object_key(event), document)

    def is_due(self, row: LeasedRow) -> bool:
        """Return whether there is still an object that a row tells of."""
        event = object_event_from(decode(row.document))
        head = self._objects.find(event.bucket, event.key, PATIENCE)
        return head is not None and head.write_id == event.version


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
