"""The functions of the contract, as one deploys them on Azure.

A function has one trigger, so each that can be called by HTTP and by a queue stands here twice; the
queue has the function's name.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import azure.functions as func

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

app = func.FunctionApp()


@app.function_name("contract-remember")
@app.event_grid_trigger(arg_name="event")
def take_in(event: func.CloudEvent) -> None:
    """Take in what the bus delivers."""
    remember(_document(event))


def _document(event: func.CloudEvent) -> dict[str, Any]:
    """Give an event in the JSON of CloudEvents; `data_base64` is an extension to the package."""
    attributes = {
        "specversion": event.specversion,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time and event.time.isoformat().replace("+00:00", "Z"),
        "subject": event.subject,
        "datacontenttype": event.datacontenttype,
        "dataschema": event.dataschema,
    }
    data = event.get_json()
    if isinstance(data, bytes):
        data = b64encode(data).decode()
    present = {name: value for name, value in attributes.items() if value is not None}
    extensions: dict[str, Any] = event.extension_attrs
    return present | extensions | ({} if "data_base64" in extensions else {"data": data})


def _by_http(name: str, function: Callable[..., Any], *, with_headers: bool = False) -> None:
    @app.function_name(name)
    @app.route(name, methods=["POST"])
    def called(req: func.HttpRequest) -> func.HttpResponse:
        body = req.get_body()
        payload = json.loads(body) if body else None
        returned = function(payload, req.headers) if with_headers else function(payload)
        mark = {"x-leeward": req.headers.get("x-leeward-call", "1") + ";handler"}
        return func.HttpResponse(json.dumps(returned), headers=mark, mimetype="application/json")


def _by_queue(name: str, function: Callable[[Any], Any]) -> None:
    @app.function_name(f"{name}-queued")
    @app.queue_trigger(arg_name="message", queue_name=name, connection="AzureWebJobsStorage")
    def called(message: func.QueueMessage) -> None:
        function(message.get_json())


for each in (echo, fail, slow, count, seen):
    _by_http(f"contract-{each.__name__}", each)
_by_http("contract-settle", settle, with_headers=True)
for each in (echo, fail, slow, count):
    _by_queue(f"contract-{each.__name__}", each)
