"""A shop for the tests of idempotent functions: it charges, and its table fails on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leeward import (
    Client,
)
from leeward.app.context import Context
from leeward.app.idempotency import (
    RepeatRefused,
    effect,
    idempotent,
)
from leeward.app.idempotency.record import Claim, KeyRecord, Start, start_run
from leeward.app.signatures import IDEMPOTENCY
from leeward.local import Local
from leeward.testing import FakeClock, FaultyDriver

ORDER = {"id": "42", "total": 9.9}


class Declined(Exception):
    """The bank says no, for good."""


class HalfDone(Exception):
    """The handler can go on with what it has begun."""


class Shop:
    """A bank that counts, a table that fails on demand, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.table = FaultyDriver(Local("local:table", clock=self.clock))
        self.client = Client(self.table, clock=self.clock)
        self.elsewhere = FaultyDriver(Local("local:elsewhere", clock=self.clock))
        self.elsewhere_client = Client(self.elsewhere, clock=self.clock)
        self.charges: list[Any] = []
        self.fails: Exception | None = None
        self.runs = 0

    def charging(self, *, before: Exception | None = None, **options: Any) -> Callable[..., Any]:
        """Return an idempotent function that charges, unless it fails `before`."""
        options = {"key": "order.id", "lease": 30.0, "name": "charge", **options}

        @idempotent(table="keys", client=self.client, clock=self.clock, **options)
        def charge(order: dict[str, Any]) -> dict[str, Any]:
            self.runs += 1
            if before is not None:
                raise before
            effect()
            self.charges.append(order["id"])
            if self.fails is not None:
                raise self.fails
            return {"charged": order["id"], "number": len(self.charges)}

        return charge

    def record(self, key: str = "42") -> dict[str, Any] | None:
        """Return the item that keeps a key."""
        found = self.client.load_data("keys", f"charge:{key}")
        return found.item if found else None

    def state(self, key: str = "42") -> str | None:
        """Return the state of a key."""
        found = self.record(key)
        return None if found is None else str(found["state"])


def context(clock: FakeClock, key: str = "", **options: Any) -> Context:
    """Make the context of a call."""
    made = Context("f", key, 1, clock.monotonic() + 20, clock)
    vars(made).update(options)
    return made


def refused(function: Callable[..., Any], *arguments: Any) -> tuple[str | None, float | None]:
    """Return why a repeat is refused, and when to ask again."""
    with pytest.raises(RepeatRefused) as caught:
        function(*arguments)
    assert caught.value.status == 409
    return caught.value.reason, caught.value.retry_after


def first_record(claim: Claim, now: float) -> KeyRecord:
    """Return the record with which the first call of a key begins."""
    start = start_run(None, claim, now)
    assert isinstance(start, Start)
    return start.record


def settled(
    shop: Shop,
    function: Any,
    *,
    age: float | None = 1.0,
    given: tuple[Any, ...] | None = (ORDER,),
    **options: Any,
) -> dict[str, Any]:
    """Settle the key of the order, as a handler does."""
    answer: dict[str, Any] = getattr(function, IDEMPOTENCY).settle(
        age, given, context(shop.clock, **options)
    )
    return answer
