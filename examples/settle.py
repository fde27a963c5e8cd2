"""A call without an answer: it is settled, and then a late request does nothing any more."""

from __future__ import annotations

from leeward import App, Client, OutcomeUnknown, Settled
from leeward.app import idempotent
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver

app = App("shop")
paid: list[str] = []


@app.function(effect="keyed")
@idempotent(table="keys", principal=None, lease=70)
def take_payment(order: dict[str, str]) -> dict[str, str]:
    """Take a payment, once for each key."""
    paid.append(order["id"])
    return {"paid": order["id"]}


def call(client: Client, cloud: FaultyDriver, order: str, fault: Fault) -> Settled:
    """Make a call that gets no answer, and settle it."""
    cloud.fail(fault, verb="invoke")
    key = f"order-{order}"
    try:
        client.invoke(
            "take-payment", {"id": order}, idempotency_key=key, timeout=1, on_unknown="raise"
        )
    except OutcomeUnknown as error:
        print(f"{order}: no answer")
        cloud.heal()
        return client.settle(error)
    raise RuntimeError("there was an answer")


def main() -> None:
    """Lose an answer, then a request, which arrives late."""
    cloud = FaultyDriver(Local())
    with Client(cloud, app=app) as client:
        settled = call(client, cloud, "42", Fault.LOSE_ANSWER)
        print(f"    settled: {settled.verdict.value}, {settled.result}")
        settled = call(client, cloud, "43", Fault.LOSE_REQUEST)
        print(f"    settled: {settled.verdict.value}")
        late = next(
            made for made in cloud.calls if getattr(made, "idempotency_key", "") == "order-43"
        )
        print(f"    the request arrives late: refused, {cloud.perform(late, 5.0).reason}")
        again = client.invoke("take-payment", {"id": "43"}, idempotency_key="order-43")
        print(f"    called again: {again.value}")
    print(f"paid: {', '.join(paid)}")


if __name__ == "__main__":
    main()
