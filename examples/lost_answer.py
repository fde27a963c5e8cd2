"""A lost answer: the card was charged, and nobody heard of it.

The naive loop takes the silence for a failure and charges again on the next cloud. leeward says
that the outcome is unknown, and hands over the key by which to find out.
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward import Client, OutcomeUnknown
from leeward.local import Context, Local
from leeward.testing import Fault, FaultyDriver


def target(name: str, ledger: list[str]) -> FaultyDriver:
    """Deploy a function that charges a card, and notes each charge in `ledger`."""
    local = Local(name)

    @local.function("charge-card")
    def charge_card(order: str, context: Context) -> str:
        ledger.append(context.idempotency_key)
        return f"order {order} charged"

    return FaultyDriver(local)


def naive(clouds: Sequence[Client], order: str) -> str:
    """Try the next cloud on any exception: the loop that everybody writes first."""
    for cloud in clouds:
        try:
            return str(cloud.invoke("charge-card", order).value)
        except Exception as error:  # noqa: BLE001 - this is the mistake
            print(f"naive:   {type(error).__name__}, so try the next cloud")
    raise RuntimeError("every cloud failed")


def main() -> None:
    """Lose the answer of the first target, once for each way."""
    ledger: list[str] = []
    first, second = target("local:a", ledger), target("local:b", ledger)
    first.fail(Fault.LOSE_ANSWER, times=1)
    with Client(first) as a, Client(second) as b:
        print("naive:  ", naive([a, b], "42"))
    print("naive:  ", len(ledger), "charges")

    ledger.clear()
    first, second = target("local:a", ledger), target("local:b", ledger)
    first.fail(Fault.LOSE_ANSWER, times=1)
    with Client([first, second]) as cloud:
        try:
            cloud.invoke("charge-card", "42")
        except OutcomeUnknown as error:
            print("leeward: outcome unknown; in the ledger:", error.idempotency_key in ledger)
    print("leeward:", len(ledger), "charge")


if __name__ == "__main__":
    main()
