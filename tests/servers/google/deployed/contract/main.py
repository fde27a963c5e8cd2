"""The functions of the contract, as one deploys them on Google Cloud.

A deployment serves one function, so `main` gets every call by HTTP and finds the function by the
path, and `events` gets every message of Pub/Sub and finds it by the topic.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import functions_framework  # type: ignore[import-not-found]  # of the environment it runs in

sys.path.append(str(Path(__file__).parents[3] / "deployed"))

from contract_functions import (  # type: ignore[import-not-found]
    count,
    echo,
    fail,
    remember,
    seen,
    settle,
    slow,
)

_STRUCTURED = "application/cloudevents"

_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    f"contract-{each.__name__}": each for each in (echo, fail, slow, count, seen)
}


@functions_framework.http  # type: ignore[untyped-decorator]
def main(request: Any) -> Any:
    """Answer a call by HTTP."""
    body = request.get_data()
    name, payload = request.path.strip("/"), json.loads(body) if body else None
    is_settle = name == "contract-settle"
    returned = settle(payload, request.headers) if is_settle else _FUNCTIONS[name](payload)
    mark = request.headers.get("x-leeward-call", "1") + ";handler"
    return json.dumps(returned), 200, {"Content-Type": "application/json", "x-leeward": mark}


@functions_framework.cloud_event  # type: ignore[untyped-decorator]
def events(event: Any) -> None:
    """Take a message of Pub/Sub: an event of the bus, or a call."""
    message = event.data["message"]
    topic = event["source"].rpartition("/")[2]
    data = b64decode(message.get("data", ""))
    if topic == "contract-events":
        remember(_document(message.get("attributes", {}), message.get("data", ""), data))
    else:
        _FUNCTIONS[topic](json.loads(data) if data else None)


def _document(attributes: dict[str, str], encoded: str, data: bytes) -> dict[str, Any]:
    """Give the inner event, in either mode, in the JSON of CloudEvents."""
    kind = attributes.get("content-type", "")
    if kind.startswith(_STRUCTURED):
        structured: dict[str, Any] = json.loads(data)
        return structured
    document: dict[str, Any] = {
        name.removeprefix("ce-"): value
        for name, value in attributes.items()
        if name.startswith("ce-")
    }
    if not kind:
        return document
    document["datacontenttype"] = kind
    if kind.partition(";")[0] == "application/json":
        return document | {"data": json.loads(data)}
    return document | {"data_base64": encoded}
