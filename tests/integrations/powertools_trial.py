"""What powertools does with its keys over leeward's records; run where it is installed.

python -m tests.integrations.powertools_trial
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Event
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyValidationError,
)

from leeward import Client
from leeward.app.idempotency import Done, LeaseLost, NotDone
from leeward.errors import TargetUnavailable
from leeward.local import Local
from leeward_integrations.powertools import LeewardPersistenceLayer, OutcomeUnknownError

CONFIG: Any = IdempotencyConfig(event_key_jmespath="id", payload_validation_jmespath="total")


class Shop:
    """A function that charges an order, and then ends as it is told.

    Attributes:
        charged: the orders.
        ends: what the next run raises; before the effect if it proves that nothing ran.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.charged: list[str] = []
        self.ends: list[Exception] = []

    def guard(self, function: Any, **options: Any) -> Any:
        """Return a function that runs once for each key."""
        store = LeewardPersistenceLayer("keys", client=self.client, **options)
        guarded = idempotent_function(
            data_keyword_argument="order", persistence_store=store, config=CONFIG
        )
        return guarded(function)

    def look(self) -> None:
        """Read, which is no effect."""
        self.client.load_data("orders", "1")

    def charge(self, order: dict[str, Any]) -> dict[str, Any]:
        """Have the effect, and end."""
        if self.ends and isinstance(self.ends[-1], TargetUnavailable):
            raise self.ends.pop()
        self.charged.append(order["id"])
        if self.ends:
            raise self.ends.pop()
        return {"charged": order["id"]}


def try_repeats(shop: Shop) -> None:
    """A repeat gets the first result; another payload is refused."""
    charge = shop.guard(shop.charge)
    assert charge(order={"id": "1", "total": 9}) == charge(order={"id": "1", "total": 9})
    assert shop.charged == ["1"]
    assert raised(charge, {"id": "1", "total": 10}) is IdempotencyValidationError


def try_failures(shop: Shop) -> None:
    """A failure behind the effect keeps the key; one that proves that nothing ran frees it."""
    charge = shop.guard(shop.charge)
    shop.ends.append(ZeroDivisionError())
    assert raised(charge, {"id": "2", "total": 9}) is ZeroDivisionError
    assert raised(charge, {"id": "2", "total": 9}) is OutcomeUnknownError
    assert shop.charged.count("2") == 1
    shop.ends.append(TargetUnavailable("the bank is away"))
    assert raised(charge, {"id": "3", "total": 9}) is TargetUnavailable
    assert charge(order={"id": "3", "total": 9}) == {"charged": "3"}


def try_probe(shop: Shop) -> None:
    """A probe finds out, and the repeat gets the result."""

    def probe(*_: object) -> object:
        return Done({"charged": "4"}) if "4" in shop.charged else NotDone()

    charge = shop.guard(shop.charge, probe=probe)
    shop.ends.append(ZeroDivisionError())
    assert raised(charge, {"id": "4", "total": 9}) is ZeroDivisionError
    assert charge(order={"id": "4", "total": 9}) == {"charged": "4"}
    assert shop.charged.count("4") == 1


def try_other_effects(shop: Shop) -> None:
    """A proof about the last call frees no key where a client has had an effect before it."""

    def publish() -> None:
        shop.client.publish_event("orders", "paid")

    def in_pool() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(publish).result()

    def in_fork() -> None:
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)

    for number, (act, is_free) in enumerate(
        ((publish, False), (in_pool, False), (in_fork, False), (shop.look, True))
    ):

        def work(order: dict[str, Any], act: Callable[[], object] = act) -> str:
            act()
            raise TargetUnavailable("the second service is away")

        guarded = shop.guard(work)
        order = {"id": f"6-{number}", "total": 9}
        assert raised(guarded, order) is TargetUnavailable
        expected = TargetUnavailable if is_free else OutcomeUnknownError
        assert raised(guarded, order) is expected, act
    with ThreadPoolExecutor(1) as pool:
        late, ends = Event(), list[Future[Any]]()

        def publish_late() -> None:
            late.wait(9)
            publish()

        def leave(order: dict[str, Any]) -> str:
            ends.append(pool.submit(copy_context().run, publish_late))
            raise TargetUnavailable("the second service is away")

        assert raised(shop.guard(leave), {"id": "7", "total": 9}) is TargetUnavailable
        late.set()
        assert isinstance(ends[0].exception(9), LeaseLost), "its key is free"


def try_two_at_once(shop: Shop) -> None:
    """A repeat while the first runs is told so."""
    found: list[type] = []

    def call_again(order: dict[str, Any]) -> str:
        found.append(raised(guarded, order))
        return "done"

    guarded = shop.guard(call_again)
    assert guarded(order={"id": "5", "total": 9}) == "done"
    assert found == [IdempotencyAlreadyInProgressError]


def main() -> int:
    """Try each end of a run, and return the exit status."""
    warnings.simplefilter("ignore")
    for try_it in (try_repeats, try_failures, try_probe, try_other_effects, try_two_at_once):
        with Client(Local()) as client:
            try_it(Shop(client))
    print("every end of a run is kept")
    return 0


def raised(call: Any, order: dict[str, Any]) -> type:
    """Return the class of what a call raises."""
    try:
        call(order=order)
    except Exception as error:
        return type(error)
    return type(None)


if __name__ == "__main__":
    sys.exit(main())
