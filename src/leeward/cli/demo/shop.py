"""The stage of the demo: two targets in memory, alike, and a count of what was really done."""

from __future__ import annotations

from typing import Any

from leeward.client import Client
from leeward.config import Config
from leeward.local import Context, Local
from leeward.testing import FakeClock, FaultyDriver
from leeward.values import Event


class Shop:
    """A shop deployed twice, on ``local:a`` and on ``local:b``.

    Attributes:
        a: the first target; `fail` breaks it.
        b: the second target.
        heard: ids of the orders that the subscriber has heard of.
        charges: idempotency keys of the charges made, wherever they ran.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.charges: list[str] = []
        self._locals = [Local("local:a"), Local("local:b")]
        for local in self._locals:
            local.function("send-receipt")(self._send_receipt)
            local.function("charge-card")(self._charge_card)
            local.subscribe("orders", "order.created", name="remember")(self._remember)
        self.a, self.b = (FaultyDriver(local) for local in self._locals)

    def client(self, *clouds: FaultyDriver) -> Client:
        """Open a client on `clouds`; its pauses take no time, and the tables live on the first."""
        return Client(clouds, config=Config(data_target=clouds[0].target), clock=FakeClock())

    def wait_idle(self) -> None:
        """Wait until every event has been delivered."""
        for local in self._locals:
            local.wait_idle()

    def _send_receipt(self, order: dict[str, Any]) -> str:
        return f"receipt {order['id']} sent"

    def _charge_card(self, order: dict[str, Any], context: Context) -> str:
        self.charges.append(context.idempotency_key)
        return "charged"

    def _remember(self, event: Event) -> None:
        self.heard.append(str(event.subject))
