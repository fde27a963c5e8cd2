"""One library's cost, run by the interpreter that has it: ``cost_side.py LIBRARY STORE CALLS``.

For each line that it reads it makes the calls once more, each with a key of its own, and prints the
CPU seconds of one. The store is ``null``, which keeps nothing and leaves the library's own work, or
``dynamodb``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from time import process_time
from typing import Any

ORDER = {"customer": "c-7", "lines": [{"sku": "a-1", "count": 2}], "total": 9.5}


def handle(order: dict[str, Any]) -> dict[str, Any]:
    """Do as little as a handler can."""
    return {"receipt": order["id"]}


def leeward(store: str) -> Callable[[dict[str, Any]], Any]:
    """Guard by leeward, an effect being possible anywhere."""
    from leeward import Client, Promise, StoreReceipt
    from leeward.app import idempotent

    class Nothing:
        receipt = StoreReceipt(Promise.COMMITTED, "null", "1")

        def store_data(self, *_arguments: Any, **_options: Any) -> Any:
            return self.receipt

        def load_data(self, *_arguments: Any) -> Any:
            return None

    client: Any = Client("aws") if store == "dynamodb" else Nothing()
    return idempotent(table="leeward", key="order.id", lease=60, client=client)(handle)


def powertools(store: str) -> Callable[[dict[str, Any]], Any]:
    """Guard by aws-lambda-powertools, comparing payloads, as leeward does."""
    from aws_lambda_powertools.utilities.idempotency import (
        BasePersistenceLayer,
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )

    class Nothing(BasePersistenceLayer):  # type: ignore[misc]
        def _get_record(self, *_arguments: Any, **_named: Any) -> None:
            """Have nothing, and keep nothing."""

        _put_record = _update_record = _delete_record = _get_record

    class LambdaContext:
        def get_remaining_time_in_millis(self) -> int:
            return 60_000

    config = IdempotencyConfig(event_key_jmespath="id", payload_validation_jmespath="@")
    config.register_lambda_context(LambdaContext())
    layer = DynamoDBPersistenceLayer("powertools") if store == "dynamodb" else Nothing()
    guarded = idempotent_function(
        data_keyword_argument="order", persistence_store=layer, config=config
    )(handle)
    return lambda order: guarded(order=order)


def main() -> None:
    """Answer each line with the CPU of one call."""
    library, store, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
    guarded = {"leeward": leeward, "powertools": powertools}[library](store)
    numbers = count()
    for _ in sys.stdin:
        begun = process_time()
        for _ in range(calls):
            guarded({**ORDER, "id": f"order-{next(numbers)}"})
        print((process_time() - begun) / calls, flush=True)


if __name__ == "__main__":
    main()
