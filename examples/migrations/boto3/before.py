"""Call the function `charge` for one order."""

import json
import sys

import boto3

functions = boto3.client("lambda")


def charge(order: dict) -> dict:
    """Charge the card of an order."""
    answer = functions.invoke(FunctionName="charge", Payload=json.dumps(order))
    if "FunctionError" in answer:
        raise RuntimeError(answer["Payload"].read().decode())
    return json.load(answer["Payload"])


print(charge({"id": sys.argv[1], "cents": 990}))
