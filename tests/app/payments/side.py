"""Payments under one library: ``side.py LIBRARY PAYMENTS SEED``; prints JSON.

It runs where the library is installed. Each has the probe that it knows of, and a store of its own.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from schedule import Bank, Library, play  # type: ignore[import-not-found]


def leeward(bank: Bank, _folder: str) -> Library:
    """Guard by leeward; a caller who does not know settles."""
    from leeward import Client
    from leeward.app.context import Context
    from leeward.app.idempotency import Done, NotDone, effect, idempotent
    from leeward.app.signatures import IDEMPOTENCY
    from leeward.local import Local
    from leeward.testing import FakeClock

    clock = FakeClock()
    bank.announce = effect

    def look(key: str, _context: object, _notes: object) -> object:
        return Done(f"paid {key}") if bank.charges[key] else NotDone()

    guard = idempotent(
        table="keys", key="order", name="pay", lease=30, effects="marked", probe=look, clock=clock,
        client=Client(Local(clock=clock), clock=clock),
    )  # fmt: skip

    @guard
    def pay(order: str, context: Context) -> str:
        return str(bank.pay(order))

    def context(order: str) -> Context:
        return Context("pay", order, 1, clock.monotonic() + 20, clock)

    def find(order: str) -> str:
        answer = getattr(pay, IDEMPOTENCY).settle(1.0, (order,), context(order))
        known: str = {"ran": "result", "not_run": "proved not run"}.get(
            answer["verdict"], "unknown"
        )
        return known

    return Library(lambda order: pay(order, context(order)), find, lambda: clock.advance(31))


def agent_once(bank: Bank, folder: str) -> Library:
    """Guard by agent-once, with its `verify`."""
    from once import NOT_HAPPENED, Once, Status, make_key  # type: ignore[import-not-found]

    once = Once(f"{folder}/once.db")

    def verify(_key: str, arguments: dict[str, Any]) -> object:
        order = arguments["order"]
        return f"paid {order}" if bank.charges[order] else NOT_HAPPENED

    @once.tool(name="pay", verify=verify)  # type: ignore[untyped-decorator]
    def pay(order: str) -> str:
        return str(bank.pay(order))

    def find(order: str) -> str:
        record = once.get(make_key("pay", {"order": order}, None))
        return "result" if record is not None and record.status is Status.DONE else "unknown"

    return Library(pay, find, lambda: None)


def exactly_once(bank: Bank, folder: str) -> Library:
    """Guard by exactly-once, with its policy `check_then_decide`."""
    from exactly_once import (  # type: ignore[import-not-found]
        ProbeResult,
        State,
        Store,
        Verdict,
        check_then_decide,
        once,
    )

    def probe(key: str) -> object:
        order = key.rpartition(":")[2]
        if bank.charges[order]:
            return ProbeResult(Verdict.COMMITTED, f"paid {order}")
        return ProbeResult(Verdict.NOT_COMMITTED)

    store = Store.sqlite(f"{folder}/effects.db")
    guard = once(
        store,
        key=lambda order: f"pay:{order}",
        policy=check_then_decide(probe),
    )

    @guard  # type: ignore[untyped-decorator]
    def pay(order: str) -> str:
        return str(bank.pay(order))

    def find(order: str) -> str:
        record = store.get(f"pay:{order}")
        return "result" if record is not None and record.state is State.COMMITTED else "unknown"

    return Library(pay, find, lambda: None)


def powertools(bank: Bank, _folder: str) -> Library:
    """Guard by aws-lambda-powertools, over a store in memory with DynamoDB's conditions."""
    from aws_lambda_powertools.utilities.idempotency import (
        IdempotencyConfig,
        idempotent_function,
    )
    from aws_lambda_powertools.utilities.idempotency import exceptions as errors
    from aws_lambda_powertools.utilities.idempotency.persistence.base import (
        BasePersistenceLayer,
    )

    class LambdaContext:
        def get_remaining_time_in_millis(self) -> int:
            return 30_000

    config = IdempotencyConfig(event_key_jmespath="@")
    config.register_lambda_context(LambdaContext())
    memory = _memory(BasePersistenceLayer, errors)
    guard = idempotent_function(
        data_keyword_argument="order", persistence_store=memory, config=config
    )

    @guard  # type: ignore[untyped-decorator]
    def pay(order: str) -> str:
        return str(bank.pay(order))

    def find(order: str) -> str:
        try:
            record = memory.get_record(order)
        except errors.IdempotencyItemNotFoundError:
            return "unknown"
        return "result" if record.status == "COMPLETED" else "unknown"

    return Library(lambda order: pay(order=order), find, lambda: None)


def _memory(base: Any, errors: Any) -> Any:
    """Return a store of powertools in memory."""

    class Memory(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.items: dict[str, Any] = {}

        def _get_record(self, idempotency_key: str) -> Any:
            if idempotency_key not in self.items:
                raise errors.IdempotencyItemNotFoundError
            return self.items[idempotency_key]

        def _put_record(self, data_record: Any) -> None:
            there = self.items.get(data_record.idempotency_key)
            # An INPROGRESS one whose process has died is over by the time of the next attempt.
            if there is not None and there.status == "COMPLETED":
                raise errors.IdempotencyItemAlreadyExistsError
            self.items[data_record.idempotency_key] = data_record

        def _update_record(self, data_record: Any) -> None:
            self.items[data_record.idempotency_key] = data_record

        def _delete_record(self, data_record: Any) -> None:
            self.items.pop(data_record.idempotency_key, None)

    return Memory()


LIBRARIES = {
    "leeward": leeward,
    "agent-once": agent_once,
    "exactly-once": exactly_once,
    "powertools": powertools,
}


def main() -> None:
    """Play, and print the counts."""
    warnings.simplefilter("ignore")
    logging.disable()
    library, payments, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    bank = Bank()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(play(bank, LIBRARIES[library](bank, folder), payments, seed)))


if __name__ == "__main__":
    main()
