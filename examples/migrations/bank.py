"""The bank: a service of somebody else, which moves money for each request that it gets."""

import json
import os
from urllib.request import Request, urlopen


def pay(order: dict) -> dict:
    """Move the money of an order, and return the bank's receipt."""
    body = json.dumps({"order": order["id"], "cents": order["cents"]}).encode()
    with urlopen(Request(os.environ["BANK"], body), timeout=5) as answer:  # noqa: S310 - our bank
        return json.load(answer)
