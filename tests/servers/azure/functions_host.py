"""The Functions host: what stands between a request and a function, and who may pass.

Source: the HTTP trigger's page in the reference of Azure Functions, and the source of the host.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.azure import durable, tokens
from tests.servers.azure.durable import DurableExtension
from tests.servers.azure.worker_process import Function, FunctionsWorker, Raised, Route
from tests.servers.framing import Message

MASTER_KEY: Final = "master-key-of-the-tests"
HOST_KEY: Final = "host-key-of-the-tests"
EVENT_GRID_KEY: Final = "event-grid-key-of-the-tests"

BODY_BYTES: Final = 104_857_600
"""The limit of a request's body, unless a setting of the app changes it."""

EVENTS_PATH: Final = "/runtime/webhooks/eventgrid"

_KEPT: Final = 1024
"""Bytes of a payload that are remembered."""

_HTML: Final = (("Content-Type", "text/html"),)


class State(Enum):
    """How the app is; the value is what all requests are answered unless it runs."""

    RUNNING = None
    NOT_RUNNING = Answer(503, (("Content-Type", "text/plain"),), b"Function host is not running.")
    OFFLINE = Answer(503, _HTML, b"<html><head><title>Host Offline</title></head></html>")
    STOPPED = Answer(403, _HTML, b"<html><body>This web app is stopped.</body></html>")


class Begun(NamedTuple):
    """A call of a function; of its payload, the first KiB."""

    function: str
    payload: bytes


class _Refused(Exception):
    """A request that no function gets; its answer, which has no body."""

    def __init__(self, status: int, *headers: tuple[str, str]) -> None:
        super().__init__(status)
        self.answer = Answer(status, headers)


class FunctionsHost(AnsweringServer):
    """Serves the functions of one app.

    What Azure does and this does not: it cuts off a request after 230 seconds, and stops functions
    that have become idle.

    Args:
        app: the folder of its ``function_app.py``.
        environment: settings of the app, which its functions see as variables.
        prefix: of all routes.
        audience: if it is given, App Service authentication is on: every request for a function
            needs a token of Entra ID for it.
        runtime: run the functions on Microsoft's own worker library, which needs Python 3.13.

    Attributes:
        state: of the app; may change at any time.
        disabled: names of functions that are switched off; likewise.
        keys: keys of functions, by the function's name; the host's own open all but the master's.
        outstanding: how many requests may run at a time; None for as many as come.
        body_bytes: the limit of a request's body.
        durable: the Durable extension, where the app has it.
    """

    def __init__(
        self,
        app: Path,
        environment: Mapping[str, str] = {},
        *,
        prefix: str = "api",
        audience: str | None = None,
        runtime: bool = False,
    ) -> None:
        super().__init__()
        self.state = State.RUNNING
        self.disabled: set[str] = set()
        self.keys: dict[str, str] = {}
        self.outstanding: int | None = None
        self.body_bytes = BODY_BYTES
        self.durable: DurableExtension | None = None
        self._prefix = prefix
        self._audience = audience
        self._worker = FunctionsWorker(app, environment, runtime=runtime)
        self._functions: tuple[Function, ...] = ()
        self._running = 0
        self._begun: list[Begun] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._worker)
            self._functions = self._worker.functions()
            super().__enter__()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            super().__exit__(kind, error, trace)

    @property
    def functions(self) -> tuple[Function, ...]:
        """Give the functions of the app, those that are disabled too."""
        return self._functions

    @property
    def begun(self) -> tuple[Begun, ...]:
        """Give the calls so far, whatever triggered them, in the order of their beginning."""
        with self._changed:
            return tuple(self._begun)

    def url_of(self, function: str) -> str:
        """Give the template of the URL of a function that HTTP triggers."""
        (found,) = (each for each in self._functions if each.name == function)
        return f"{self.url}/{self._prefix}/{found.trigger['route']}"

    def take_message(self, function: Function, body: bytes, metadata: Mapping[str, str]) -> None:
        """Call a function with a message of its queue; raises Raised."""
        self._note(function, body)
        self._worker.by_queue(function, body, metadata)

    def _execute(self, request: Message) -> Answer:
        """Answer without noting the request: payloads are large."""
        stopped: Answer | None = self.state.value
        if stopped is not None:
            return stopped
        executed = Executed(request.method, request.target, request.headers, request.payload)
        path, query = _parts(request.target)
        try:
            if path.lower() == EVENTS_PATH:
                return self._take_events(executed, query)
            if self.durable is not None and path.startswith(durable.PATH):
                key = _header(executed, "x-functions-key") or query.get("code", "")
                return self.durable.answer(request.method, path, request.payload, key, query)
            self._authenticate(executed)
            function, route = self._found(request.method, path, query)
            self._authorize(function, executed, query)
            if len(request.payload) > self.body_bytes:
                raise _Refused(413)
            return self._called(function, executed, route)
        except _Refused as refused:
            return refused.answer

    def _called(self, function: Function, request: Executed, route: Route) -> Answer:
        with self._counted():
            self._note(function, request.body)
            host = _header(request, "host")
            try:
                url = f"http://{host}{request.target}"
                return self._worker.by_http(function, request, url, route)
            except Raised:
                raise _Refused(500) from None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._changed:
            if self.outstanding is not None and self._running >= self.outstanding:
                raise _Refused(429, ("X-FUNCTION-SCALEOUT", "1"))
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1

    def _authenticate(self, request: Executed) -> None:
        """Do what App Service authentication does, if it is on."""
        if self._audience is None:
            return
        scheme, _, token = _header(request, "authorization").partition(" ")
        try:
            if scheme != "Bearer":
                raise tokens.Untrusted("there is none")
            tokens.check(token, {self._audience}, time.time())
        except tokens.Untrusted:
            raise _Refused(401, ("WWW-Authenticate", "Bearer")) from None

    def _authorize(self, function: Function, request: Executed, query: Mapping[str, str]) -> None:
        level = function.trigger.get("authLevel", "FUNCTION").upper()
        if level == "ANONYMOUS":
            return
        good = [MASTER_KEY]
        if level == "FUNCTION":
            good += [HOST_KEY, self.keys.get(function.name, HOST_KEY)]
        given = _header(request, "x-functions-key") or query.get("code", "")
        if not any(hmac.compare_digest(given.encode(), each.encode()) for each in good):
            raise _Refused(401)

    def _found(self, method: str, path: str, query: Mapping[str, str]) -> tuple[Function, Route]:
        for each in self._functions:
            if each.kind != "httpTrigger" or each.name in self.disabled:
                continue
            if method not in [verb.upper() for verb in each.trigger.get("methods", [method])]:
                continue
            pattern = _pattern(f"/{self._prefix}/{each.trigger['route']}")
            if match := pattern.fullmatch(path):
                params = {name: unquote(value) for name, value in match.groupdict("").items()}
                return each, Route(params, query)
        raise _Refused(404)

    def _take_events(self, request: Executed, query: Mapping[str, str]) -> Answer:
        """Do what the Event Grid extension of the host does with a delivery."""
        if query.get("code") != EVENT_GRID_KEY:
            raise _Refused(401)
        if request.method == "OPTIONS":
            origin = _header(request, "webhook-request-origin")
            return Answer(200, (("WebHook-Allowed-Origin", origin),))
        named = [
            each
            for each in self._functions
            if each.kind == "eventGridTrigger"
            and each.name == query.get("functionName")
            and each.name not in self.disabled
        ]
        if not named:
            raise _Refused(404)
        document = json.loads(request.body)
        try:
            for event in document if isinstance(document, list) else [document]:
                self._note(named[0], json.dumps(event).encode())
                self._worker.by_event(named[0], event)
        except Raised:
            raise _Refused(500) from None
        return Answer(202)

    def _note(self, function: Function, payload: bytes) -> None:
        with self._changed:
            self._begun.append(Begun(function.name, payload[:_KEPT]))
            self._changed.notify_all()


def _parts(target: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(target)
    return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))


def _header(request: Executed, name: str) -> str:
    return next((value for each, value in request.headers if each.lower() == name), "")


def _pattern(route: str) -> re.Pattern[str]:
    """Give what a route matches: `{name}` is a segment, `{name?}` one that may be missing."""
    pattern = ""
    for segment in route.strip("/").split("/"):
        parameter = re.fullmatch(r"\{(\w+)(?::\w+)?(\?)?\}", segment)
        if parameter is None:
            pattern += "/" + re.escape(segment)
        elif parameter[2]:
            pattern += f"(?:/(?P<{parameter[1]}>[^/]+))?"
        else:
            pattern += f"/(?P<{parameter[1]}>[^/]+)"
    return re.compile(pattern + "/?", re.IGNORECASE)
