"""Call the function `charge` for one order."""

import sys

from leeward import Client, OutcomeUnknown

cloud = Client("aws")


def charge(order: dict) -> dict:
    """Charge the card of an order."""
    return cloud.invoke("charge", order, idempotency_key=order["id"]).value


with cloud:
    try:
        print(charge({"id": sys.argv[1], "cents": 990}))
    except OutcomeUnknown as error:
        print("look at the bank before you charge again:", error.idempotency_key)
