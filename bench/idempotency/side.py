"""One library and one mishap: ``side.py LIBRARY MISHAP``; prints JSON.

It runs where the library is installed. The handler is the same for all: it moves money, which is a
line in a file, and something happens. The table is in the DynamoDB that the variable
``AWS_ENDPOINT_URL_DYNAMODB`` names; a library without such a store has a file in ``FOLDER``.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

LEASE = 2.0
"""Seconds; idemkit renews its own while a handler runs."""

LARGE = 500_000
"""Bytes of a result that DynamoDB does not take."""

Charge = Callable[..., Any]

FOLDER = Path(os.environ.get("FOLDER", "."))
LEDGER = FOLDER / "ledger"


PLANNED: list[str] = []
"""What happens to the next runs of the handler; its arguments say nothing of it."""


def handle(order: dict[str, Any]) -> dict[str, Any]:
    """Move money, and meet the next mishap that is planned."""
    how = PLANNED.pop(0) if PLANNED else ""
    if how == "sleeps before":
        time.sleep(LEASE + 1.5)
    if how == "dies before":
        os._exit(1)
    effect()
    with LEDGER.open("a") as ledger:
        ledger.write(f"{order['id']}\n")
    if how == "loses the answer":
        raise ConnectionError("no answer")
    if how == "dies":
        os._exit(1)
    if how == "sleeps after":
        time.sleep(LEASE + 1.5)
    if how == "takes a moment":
        time.sleep(0.5)
    return {"id": order["id"], "receipt": "x" * (LARGE if how == "returns much" else 1)}


def effect() -> None:
    """Announce the effect, where the library has a way to; the others have none."""


def leeward() -> Charge:
    """Guard by leeward as it is by default: an effect may be anywhere."""
    from leeward import Client
    from leeward.app import idempotent

    guard = idempotent(table="leeward", key="order.id", lease=LEASE, client=Client("aws"))
    return guard(handle)


def leeward_marked() -> Charge:
    """Guard by leeward, where the handler announces its effect."""
    from leeward import Client
    from leeward.app import idempotency

    globals()["effect"] = idempotency.effect
    guard = idempotency.idempotent(
        table="leeward", key="order.id", lease=LEASE, effects="marked", client=Client("aws")
    )
    return guard(handle)


def powertools() -> Charge:
    """Guard by aws-lambda-powertools, as its documentation shows first."""
    from aws_lambda_powertools.utilities.idempotency import (
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )

    class LambdaContext:
        def get_remaining_time_in_millis(self) -> int:
            return int(LEASE * 1000)

    config = IdempotencyConfig(event_key_jmespath="id")
    config.register_lambda_context(LambdaContext())
    guard = idempotent_function(
        data_keyword_argument="order",
        persistence_store=DynamoDBPersistenceLayer(table_name="powertools"),
        config=config,
    )
    guarded = guard(handle)
    return lambda order: guarded(order=order)


def idemkit() -> Charge:
    """Guard by idemkit."""
    from idemkit import MethodConfig, idempotent_sync  # type: ignore[import-not-found]
    from idemkit.backends.dynamodb import DynamoBackend  # type: ignore[import-not-found]

    backend = DynamoBackend(
        table="idemkit", endpoint_url=os.environ["AWS_ENDPOINT_URL_DYNAMODB"], create_table=False
    )
    config = MethodConfig(key_fields=["order.id"], lease_ttl_seconds=LEASE)
    guarded = idempotent_sync(backend=backend, config=config)(handle)
    return lambda order: guarded(order=order)


def justonce() -> Charge:
    """Guard by justonce."""
    from justonce import Idempotent, idempotent, operation_key  # type: ignore[import-not-found]
    from justonce.stores import SqliteStore  # type: ignore[import-not-found]

    engine = Idempotent(SqliteStore(str(FOLDER / "justonce.db")), ttl_seconds=LEASE)

    def key(order: dict[str, Any]) -> Any:
        return operation_key("charge", order["id"])

    def payload(order: dict[str, Any]) -> Any:
        return order

    guarded: Charge = idempotent(key=key, payload=payload, engine=engine)(handle)
    return guarded


LIBRARIES: dict[str, Callable[[], Charge]] = {
    "leeward": leeward,
    "leeward, marked": leeward_marked,
    "powertools": powertools,
    "idemkit": idemkit,
    "justonce": justonce,
}


class Deliveries:
    """Deliveries of one key, and what each was told."""

    def __init__(self, charge: Charge) -> None:
        self._charge = charge
        self.told: list[str] = []

    def deliver(self, how: str = "", **order: Any) -> str:
        """Deliver it once; return ``result``, or the class of the exception."""
        if how:
            PLANNED.append(how)
        try:
            self._charge({"id": "42", **order})
            found = "result"
        except Exception as error:  # noqa: BLE001 - whatever a library raises is what it tells
            found = type(error).__name__
        self.told.append(found)
        return found

    def in_a_process(self, how: str) -> None:
        """Deliver it in a process of its own, which may die."""
        subprocess.run([sys.executable, __file__, sys.argv[1], f"one: {how}"], check=False)


def lost_answer(deliveries: Deliveries) -> None:
    """Lose the bank's answer; deliver the key twice more."""
    deliveries.deliver("loses the answer")
    deliveries.deliver()
    deliveries.deliver()


def five_at_once(deliveries: Deliveries) -> None:
    """Deliver five times at one moment."""
    together = Barrier(5)

    def deliver(_number: int) -> None:
        together.wait(30)
        deliveries.deliver("takes a moment")

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(deliver, range(5)))
    deliveries.told.sort()


def killed_after(deliveries: Deliveries) -> None:
    """Kill the process after the money has moved; deliver again after its lease."""
    deliveries.in_a_process("dies")
    time.sleep(LEASE + 0.5)
    deliveries.deliver()


def killed_before(deliveries: Deliveries) -> None:
    """Kill the process before money moves; deliver again after its lease."""
    deliveries.in_a_process("dies before")
    time.sleep(LEASE + 0.5)
    deliveries.deliver()


def _overtaken(deliveries: Deliveries, how: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(deliveries.deliver, how)
        time.sleep(LEASE + 0.5)
        deliveries.deliver()
        slow.result()


def slow_after(deliveries: Deliveries) -> None:
    """Be slower than the lease after money has moved; deliver again meanwhile."""
    _overtaken(deliveries, "sleeps after")


def slow_before(deliveries: Deliveries) -> None:
    """Be slower than the lease before money moves; deliver again meanwhile."""
    _overtaken(deliveries, "sleeps before")


def too_large(deliveries: Deliveries) -> None:
    """Return more than an item of the table holds; deliver again after the lease."""
    deliveries.deliver("returns much")
    time.sleep(LEASE + 0.5)
    deliveries.deliver()


def other_payload(deliveries: Deliveries) -> None:
    """Deliver the same key with another amount."""
    deliveries.deliver(amount=1)
    deliveries.deliver(amount=2)


def no_key(deliveries: Deliveries) -> None:
    """Deliver twice without a key."""
    deliveries.deliver(id=None)
    deliveries.deliver(id=None)


MISHAPS: dict[str, Callable[[Deliveries], None]] = {
    each.__name__: each
    for each in (
        lost_answer,
        five_at_once,
        killed_after,
        killed_before,
        slow_after,
        slow_before,
        too_large,
        other_payload,
        no_key,
    )
}


def main() -> None:
    """Play the mishap, and tell what happened."""
    warnings.simplefilter("ignore")
    logging.disable()
    library, mishap = sys.argv[1:3]
    deliveries = Deliveries(LIBRARIES[library]())
    if mishap.startswith("one: "):
        deliveries.deliver(mishap.removeprefix("one: "))
        return
    MISHAPS[mishap](deliveries)
    effects = LEDGER.read_text().count("\n") if LEDGER.exists() else 0
    print(json.dumps({"effects": effects, "told": deliveries.told}))


if __name__ == "__main__":
    main()
