"""The process that the functions of an app run in, as the host talks to it."""

from __future__ import annotations

import http.client
import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.servers.answering import Answer, Executed
from tests.servers.installed import executable
from tests.servers.process import ServerProcess

DEPLOYED: Final = Path(__file__).with_name("deployed")
"""The apps: folders with a ``function_app.py``. They see nothing else of this repository."""

_WORKER: Final = Path(__file__).with_name("worker.py")
_RUNTIME: Final = Path(__file__).with_name("runtime_worker.py")


class Function(NamedTuple):
    """A function of an app, with its trigger in the form of a ``function.json``."""

    name: str
    trigger: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Give the type of the trigger."""
        kind: str = self.trigger["type"]
        return kind


class Route(NamedTuple):
    """What the path and the query of a request hold."""

    params: Mapping[str, str]
    query: Mapping[str, str]


class Raised(Exception):
    """A function raised, or returned what is no answer."""


class FunctionsWorker(ServerProcess):
    """Runs the functions of one app, any number at a time, on the azure-functions package.

    Args:
        app: the folder of its ``function_app.py``.
        environment: variables of its own.
        runtime: run them on Microsoft's own worker library, which needs Python 3.13.
        specialised: on that one: it starts as a placeholder, which is given the app, and these
            variables in place of its own.
    """

    HEALTH = "/functions"

    def __init__(
        self,
        app: Path,
        environment: Mapping[str, str],
        *,
        runtime: bool = False,
        specialised: Mapping[str, str] | None = None,
    ) -> None:
        self._app = app
        self._own = environment
        self._runtime = runtime
        self._specialised = specialised

    def functions(self) -> tuple[Function, ...]:
        """Give the functions of the app."""
        found = self._say("GET", "/functions")
        return tuple(Function(each["name"], each["trigger"]) for each in found)

    def by_http(self, function: Function, request: Executed, url: str, route: Route) -> Answer:
        """Call a function with a request; raises Raised."""
        value = {
            "method": request.method,
            "url": url,
            "headers": {name.lower(): each for name, each in request.headers},
            "query": route.query,
            "params": route.params,
            "body": b64encode(request.body).decode(),
        }
        said = self._call(function, "http", value)
        headers = tuple((name, each) for name, each in said["headers"])
        return Answer(said["status"], headers, b64decode(said["body"]))

    def by_queue(
        self, function: Function, body: bytes, metadata: Mapping[str, str], trace: str = ""
    ) -> None:
        """Call a function with a message, in a trace if the worker knows such; raises Raised."""
        self._call(function, "bytes", b64encode(body).decode(), metadata, trace)

    def by_event(self, function: Function, event: object) -> None:
        """Call a function with an event of Event Grid; raises Raised."""
        self._call(function, "json", json.dumps(event))

    def by_service_bus(self, function: Function, body: bytes, metadata: Mapping[str, str]) -> None:
        """Call a function with a message of Service Bus; raises Raised."""
        known = {"UserProperties": "{}", "ApplicationProperties": "{}", **metadata}
        self._call(function, "bytes", b64encode(body).decode(), known)

    def by_timer(self, function: Function) -> None:
        """Call a function because it is time; raises Raised."""
        status = {"Last": "2026-01-31T12:00:00Z", "Next": "2026-01-31T12:05:00Z"}
        document = {"IsPastDue": False, "ScheduleStatus": status, "Schedule": {}}
        self._call(function, "json", json.dumps(document))

    def by_warm_up(self, function: Function) -> None:
        """Call a function because its instance is new; raises Raised."""
        self._call(function, "json", "{}")

    def _call(
        self,
        function: Function,
        datum: str,
        value: object,
        metadata: Mapping[str, str] = {},
        trace: str = "",
    ) -> Any:
        given = {"datum": datum, "value": value, "metadata": dict(metadata), "trace": trace}
        return self._say("POST", f"/functions/{function.name}", json.dumps(given).encode())

    def _say(self, method: str, path: str, body: bytes = b"") -> Any:
        with closing(http.client.HTTPConnection(*self.address)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            document = answer.read()
        if answer.status != 200:
            raise Raised
        return json.loads(document)

    def _command(self, port: int) -> list[str]:
        if self._runtime:
            python = str(executable("azure-functions-runtime", "python"))
            given = [] if self._specialised is None else [json.dumps(self._specialised)]
            return [python, "-B", str(_RUNTIME), str(port), str(self._app), *given]
        return [sys.executable, str(_WORKER), str(port), str(self._app)]

    def _environment(self, port: int, folder: str) -> Mapping[str, str]:
        return {"FUNCTIONS_WORKER_RUNTIME": "python", **self._own}


def of_queue(worker: FunctionsWorker) -> Function:
    """Return the one function of a queue; others tell of its health, and warm up."""
    (found,) = (each for each in worker.functions() if each.kind == "queueTrigger")
    return found
