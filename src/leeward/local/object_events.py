"""What tells handlers of objects: a row for each write, kept in the transaction of the write.

Whoever delivers it looks for the object: if another write or a deletion has come after it, there is
nothing to tell of.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from leeward.adapter import Call, Result
from leeward.app.checks import check_free
from leeward.app.handlers import Handler
from leeward.app.objects import document_of, event_from, object_key
from leeward.app.triggers import ObjectEvent
from leeward.clock import Clock
from leeward.delivery.rows import Delivery, Message, Recipient
from leeward.delivery.series import add_behind
from leeward.delivery.store import PATIENCE
from leeward.json_text import decode
from leeward.local.objects import Objects
from leeward.object_calls import PutObject
from leeward.sqlite.database import Database

OBJECT = "(object)"
"""Stands in the place of the bus for what tells of an object."""


class ObjectEvents:
    """The handlers of objects of one target.

    Args:
        clock: for the time of a write.
        database: of the objects, and of the rows.
        wake: lets rows be delivered.
    """

    def __init__(self, clock: Clock, database: Database, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._objects = Objects(database, self._announce)
        self._wake = wake
        self._handlers: dict[str, Handler] = {}

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

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at a call of objects, and let handlers know of what was put."""
        result = self._objects.perform(call, timeout)
        if self._handlers and isinstance(call, PutObject):
            self._wake()
        return result

    def _announce(self, connection: sqlite3.Connection, call: PutObject) -> None:
        """Keep a row for each handler of an object, in the transaction that writes it.

        Those of a bucket are in the order of its writes.
        """
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
            add_behind(connection, f"objects {call.bucket}", int(now * 1e6), rows)

    def is_due(self, row: Delivery) -> bool:
        """Return whether there is still an object that a row tells of."""
        event = event_from(decode(row.document))
        found = self._objects.find(event.bucket, event.key, PATIENCE)
        return found is not None and found.write_id == event.version


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
