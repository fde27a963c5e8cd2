"""Call the service `charge` for one order, in Europe or else in America."""

import os
import sys

from leeward import Client, Config, OutcomeUnknown

PLACES = {"http:europe": os.environ["EUROPE"], "http:america": os.environ["AMERICA"]}

cloud = Client(
    ",".join(PLACES),
    config=Config(options={name: {"url": f"{url}/{{function}}"} for name, url in PLACES.items()}),
)


def charge(order: dict) -> dict:
    """Charge the card of an order."""
    return cloud.invoke("charge", order, idempotency_key=order["id"]).value


with cloud:
    try:
        print(charge({"id": sys.argv[1], "cents": 990}))
    except OutcomeUnknown as error:
        print("look at the bank before you charge again:", error.idempotency_key)
