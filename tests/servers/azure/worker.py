"""Runs the functions of an app of Azure Functions: the part of a host that is written in Python.

The functions are found, called and answered for by the azure-functions package: its `get_functions`
and its converters. Around them is what Microsoft's own worker does.

    python worker.py PORT FOLDER, the folder of function_app.py

    GET  /functions         the functions with their triggers
    POST /functions/NAME    call one: {"datum": type, "value": ..., "metadata": {...}}
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import traceback
from base64 import b64decode, b64encode
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

functions: Any = import_module("azure.functions")
Datum: Any = import_module("azure.functions.meta").Datum

_JSON = "application/json"


class Context:
    """What a function gets that asks for its `context`."""

    def __init__(self, function: str) -> None:
        self.invocation_id = str(uuid4())
        self.function_name = function
        self.function_directory = str(Path.cwd())


def described(function: Any) -> dict[str, Any]:
    """Give the name and the trigger of a function, as the host wants them."""
    trigger: dict[str, Any] = json.loads(
        next(each for each in function.get_raw_bindings() if "Trigger" in json.loads(each)["type"])
    )
    return {"name": function.get_function_name(), "trigger": trigger}


def call(function: Any, trigger: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Call a function with what the host has sent; give what it returned."""
    converter = functions.get_binding_registry().get(trigger["type"])
    metadata = {
        name: Datum(value, "json" if name.endswith("Properties") else "string")
        for name, value in given["metadata"].items()
    }
    argument = converter.decode(_datum(given), trigger_metadata=metadata)
    user_function = function.get_user_function()
    arguments = {trigger["name"]: argument}
    if "context" in inspect.signature(user_function).parameters:
        arguments["context"] = Context(function.get_function_name())
    returned = user_function(**arguments)
    return asyncio.run(returned) if inspect.iscoroutine(returned) else returned


def answer(returned: Any) -> dict[str, Any]:
    """Give what a function with an HTTP trigger has returned as an answer of HTTP."""
    if returned is None:
        return {"status": 204, "headers": [], "body": ""}
    datum = functions.get_binding_registry().get("http").encode(returned, expected_type=None)
    if datum.type == "string":
        text = ["content-type", "text/plain; charset=utf-8"]
        return {"status": 200, "headers": [text], "body": _text(datum.value.encode())}
    parts = datum.value
    return {
        "status": int(parts["status_code"].value),
        "headers": [[name, each.value] for name, each in parts["headers"].items()],
        "body": _text(parts["body"].value),
    }


def _datum(given: Mapping[str, Any]) -> Any:
    """Give what a converter takes; bodies travel in base64."""
    value = given["value"]
    if given["datum"] == "bytes":
        value = b64decode(value)
    elif given["datum"] == "http":
        value = {
            "method": Datum(value["method"], "string"),
            "url": Datum(value["url"], "string"),
            **{each: _strings(value[each]) for each in ("headers", "query", "params")},
            "body": Datum(b64decode(value["body"]), "bytes"),
        }
    return Datum(value, given["datum"])


def _strings(values: Mapping[str, str]) -> dict[str, Any]:
    return {name: Datum(value, "string") for name, value in values.items()}


def _text(data: bytes) -> str:
    return b64encode(data).decode()


class Handler(BaseHTTPRequestHandler):
    """Answers the host."""

    protocol_version = "HTTP/1.1"
    # One write for an answer: else the second one waits for the acknowledgement of the first.
    wbufsize = -1
    app: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        """Tell what functions there are."""
        self._say(200, [described(each) for each in self.app.values()])

    def do_POST(self) -> None:
        """Call a function; 500 when it raised."""
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        function = self.app[self.path.rpartition("/")[2]]
        trigger = described(function)["trigger"]
        try:
            returned = call(function, trigger, given)
            said = answer(returned) if trigger["type"] == "httpTrigger" else None
        except Exception:  # noqa: BLE001 - whatever a function raises is its failure
            traceback.print_exc()
            self._say(500, None)
        else:
            self._say(200, said)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base
        """Do nothing."""

    def _say(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", _JSON)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Any number of calls at a time; the process ends when it is killed."""

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    # Not the folder of this file, but that of the app.
    sys.path[0] = sys.argv[2]
    module = import_module("function_app")
    # Whatever its name: there has to be one, and not more.
    (app,) = (each for each in vars(module).values() if isinstance(each, functions.FunctionApp))
    Handler.app = {each.get_function_name(): each for each in app.get_functions()}
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
