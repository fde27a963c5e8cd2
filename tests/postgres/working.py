"""A worker in this process: it delivers rows of a target to plain functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leeward._delivery.dispatcher import Dispatcher, Receiver
from leeward.adapter import Driver
from leeward.clock import SystemClock
from leeward.cloudevents import from_json
from leeward.json_text import decode
from leeward.stores import LeasedRow, Recipient
from leeward_contract_tests.fixtures import EVENTS

Function = Callable[[Any], Any]


class Worker:
    """Runs functions that are queued, and one subscriber of the contract's bus, until it closes.

    Args:
        driver: of the target.
        functions: by name.
        remember: gets the events.
    """

    def __init__(
        self, driver: Driver, functions: Mapping[str, Function], remember: Function
    ) -> None:
        stores = driver.stores()
        self._functions = functions
        subscriber = Recipient(EVENTS, "seen")
        receivers = {Recipient("", name): _queued(each) for name, each in functions.items()}
        receivers[subscriber] = Receiver(lambda row, _: remember(from_json(decode(row.document))))
        assert stores is not None
        assert stores.recipients is not None
        stores.recipients.claim("", {subscriber: None})
        self._dispatcher = Dispatcher(
            stores.deliveries, lambda: receivers, SystemClock(), shared=True
        )
        self.wake()

    def wake(self) -> None:
        """Look for rows now."""
        self._dispatcher.wake()

    def call(self, name: str, payload: Any) -> Any:
        """Call a function here, after a look for rows."""
        self.wake()
        return self._functions[name](payload)

    def close(self) -> None:
        """Take no more rows."""
        self._dispatcher.close()


def _queued(function: Function) -> Receiver:
    def attempt(row: LeasedRow, deadline: float) -> None:
        del deadline
        function(decode(row.document))

    return Receiver(attempt)
