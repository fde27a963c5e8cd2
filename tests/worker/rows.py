"""A target that keeps rows and runs nothing, as a database does; it is made of the embedded one."""

from __future__ import annotations

import json
from typing import Any

from leeward._delivery.sqlite_store import SqliteRecipients
from leeward.adapter import Capability, Driver, WrappingDriver
from leeward.calls import Call, Enqueue, Publish, Result
from leeward.cloudevents import to_json
from leeward.local import Local
from leeward.stores import QUEUED_CALL, NewRow, Recipient, Stores


class RowTarget(WrappingDriver):
    """The target. Only a worker delivers its rows."""

    def __init__(self, local: Local) -> None:
        super().__init__(local)
        self.capabilities = self.capabilities - {Capability.INVOKE}
        self._recipients = SqliteRecipients(local._database, None)

    def mount(self, app: Any) -> None:
        """Run nothing."""

    def stores(self) -> Stores:
        """Return the stores."""
        stores = self._driver.stores()
        assert stores is not None
        return stores._replace(runner=None, recipients=self._recipients)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Keep rows, or leave the call to the embedded target."""
        deliveries = self.stores().deliveries
        if isinstance(call, Enqueue):
            recipient = Recipient(QUEUED_CALL, call.function)
            row = NewRow(recipient, None, call.idempotency_key, call.payload.decode())
            deliveries.add([row], timeout)
            return Result.ok(None)
        if isinstance(call, Publish):
            rows = [
                NewRow(recipient, event.ordering_key, event.id or "", json.dumps(to_json(event)))
                for event in call.events
                for recipient, type in self._recipients.list_takers()
                if recipient.bus == call.bus and type in (None, event.type)
            ]
            deliveries.add(rows, timeout)
            return Result.ok(tuple(Result.ok(None) for _ in call.events))
        return self._driver.perform(call, timeout)


class NoRows(Driver):
    """A target that a provider delivers for."""

    target = "cloud"
    capabilities = frozenset({Capability.INVOKE})

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Do nothing."""
        return Result.ok(None)
