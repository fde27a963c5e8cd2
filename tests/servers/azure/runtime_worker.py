"""Runs the functions of an app on Microsoft's own worker library, without gRPC.

It is `worker.py` over again, with its interface, for Python 3.13 and later: the indexing of the
functions and their invocation are Microsoft's. The library takes any namespace for the messages of
the protocol, so plain bags of attributes stand for them.

    python runtime_worker.py PORT FOLDER [VARIABLES], the folder of function_app.py

With VARIABLES, a JSON object, it starts as a placeholder in a folder of its own, and is then given
the app, and these in place of its own variables.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from uuid import uuid4

_SECONDS = 60.0

_GROUPS = {"rpc_data": ("data",), "data": ("string", "bytes", "json", "http")}
"""Fields of which a message has one."""


class Bag:
    """A message of the protocol: what it is made with, and which of that is set."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - protobuf's name
        """Give the one field of a group that is set."""
        names = _GROUPS[group]
        return next((each for each in names if vars(self).get(each) is not None), None)


class Protos:
    """The namespace of the messages; each is made when it is first asked for."""

    BindingInfo = type("BindingInfo", (Bag,), {"in": 0, "out": 1, "inout": 2, "undefined": -1})
    StatusResult = type("StatusResult", (Bag,), {"Failure": 0, "Success": 1})

    def __getattr__(self, name: str) -> type[Bag]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Bag,), {})


class Worker:
    """Microsoft's worker, on an event loop of its own."""

    def __init__(self, folder: str, variables: Mapping[str, str] | None) -> None:
        self._library: Any = import_module("azure_functions_runtime")
        self._library.start_threadpool_executor()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._properties = {"host": "127.0.0.1", "protos": Protos()}
        begins_in = folder if variables is None else str(Path.cwd())
        begun = self._ask("worker_init_request", capabilities={}, function_app_directory=begins_in)
        _check(begun.result)
        if variables is not None:
            given = {"environment_variables": variables, "function_app_directory": folder}
            _check(self._ask("function_environment_reload_request", **given).result)
        found = self._ask("functions_metadata_request").function_metadata_results
        self.functions = {each.name: each for each in found}
        for each in found:
            self._ask("function_load_request", function_id=each.function_id, metadata=each)

    def call(self, name: str, given: Mapping[str, Any]) -> Any:
        """Call a function with what the host has sent; give its result.

        Raises:
            Failed: the function has failed; it holds what the host is told.
        """
        trigger = self.trigger(name)
        answer = self._ask(
            "invocation_request",
            invocation_id=str(uuid4()),
            function_id=self.functions[name].function_id,
            input_data=[Bag(name=trigger["name"], data=_data(given), rpc_shared_memory=None)],
            trigger_metadata={
                key: Bag(json=value) if key.endswith("Properties") else Bag(string=value)
                for key, value in given["metadata"].items()
            },
            trace_context=SimpleNamespace(
                trace_parent=given.get("trace", ""), trace_state="", attributes={}
            ),
            retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
        )
        _check(answer.result)
        return answer.return_value

    def trigger(self, name: str) -> dict[str, Any]:
        """Give the trigger of a function, in the form of a ``function.json``."""
        bindings = [json.loads(each) for each in self.functions[name].raw_bindings]
        found: dict[str, Any] = next(each for each in bindings if "Trigger" in each["type"])
        return found

    def _ask(self, kind: str, **fields: Any) -> Any:
        inner = SimpleNamespace(**{kind: SimpleNamespace(**fields)})
        request = SimpleNamespace(request=inner, properties=self._properties)
        asked = getattr(self._library, kind)(request)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(_SECONDS)


class Failed(Exception):
    """What the worker tells the host of an exception: its text, and its whole chain."""


def _check(result: Any) -> None:
    if result.status != Protos.StatusResult.Success:  # type: ignore[attr-defined]
        raise Failed(f"{result.exception.message}\n{result.exception.stack_trace}")


def _data(given: Mapping[str, Any]) -> Bag:
    """Give what a converter takes; bodies travel in base64."""
    value, kind = given["value"], given["datum"]
    if kind == "http":
        return Bag(
            http=SimpleNamespace(
                **{each: value[each] for each in ("method", "url", "headers", "query", "params")},
                body=Bag(bytes=b64decode(value["body"])),
            )
        )
    return Bag(**{kind: b64decode(value) if kind == "bytes" else value})


def _answer(returned: Any) -> dict[str, Any] | None:
    """Give what a function with an HTTP trigger has returned as an answer of HTTP."""
    http = getattr(returned, "http", None)
    if http is None:
        return None
    body = http.body.bytes
    return {
        "status": int(http.status_code),
        "headers": list(http.headers.items()),
        "body": b64encode(body).decode(),
    }


class Handler(BaseHTTPRequestHandler):
    """Answers the host."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    worker: ClassVar[Worker]

    def do_GET(self) -> None:
        """Tell what functions there are."""
        names = self.worker.functions
        self._say(200, [{"name": each, "trigger": self.worker.trigger(each)} for each in names])

    def do_POST(self) -> None:
        """Call a function; 500 when it failed, and what the host would log goes to the log."""
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            returned = self.worker.call(self.path.rpartition("/")[2], given)
        except Failed as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            self._say(500, None)
        else:
            self._say(200, _answer(returned))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base
        """Do nothing."""

    def _say(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Any number of calls at a time; the process ends when it is killed."""

    daemon_threads = True


if __name__ == "__main__":
    port, folder, *more = sys.argv[1:]
    if more:
        del sys.path[0]
    else:
        os.chdir(folder)
        sys.path[0] = folder
    Handler.worker = Worker(folder, json.loads(more[0]) if more else None)
    Server(("127.0.0.1", int(port)), Handler).serve_forever()
