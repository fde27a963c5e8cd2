"""Cloud Run: what stands between a request and a function, and who may pass.

Sources: "Authenticating service-to-service", "Troubleshoot Cloud Run" and "Quotas and limits" in
Cloud Run's documentation. Who shows no token is told 403, and who shows a bad one 401.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from contextlib import closing
from enum import Enum
from typing import Final, NamedTuple

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.framing import Headers
from tests.servers.google import tokens
from tests.servers.google.api import header
from tests.servers.google.framework import FunctionsFramework

BODY_BYTES: Final = 32 * 1024 * 1024
"""The limit of a request and of an answer, over HTTP/1."""

_HTML: Final = ("Content-Type", "text/html; charset=UTF-8")
_TEXT: Final = ("Content-Type", "text/plain")

_KEPT: Final = 1024
"""Bytes of a payload that are remembered."""

_FIRST: Final = re.compile(r"/([^/?]*)")
"""The first part of a path."""

_HOP_BY_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})


def _page(status: int, title: str, text: str, *headers: tuple[str, str]) -> Answer:
    body = f"<html><head><title>{status} {title}</title></head><body><h1>Error: {title}</h1>"
    return Answer(status, (_HTML, *headers), f"{body}<h2>{text}</h2></body></html>".encode())


_NO_INSTANCE: Final = b"The request was aborted because there was no available instance."


class State(Enum):
    """How a service is."""

    RUNNING = "running"
    NO_INSTANCE = "no instance"
    NO_INSTANCE_500 = "no instance, as 500"
    RATE_EXCEEDED = "rate exceeded"
    BAD_GATEWAY = "bad gateway"
    UNAVAILABLE = "unavailable"


ANSWERS: Final[Mapping[State, Answer]] = {
    State.NO_INSTANCE: Answer(429, (_TEXT,), _NO_INSTANCE),
    State.NO_INSTANCE_500: Answer(500, (_TEXT,), _NO_INSTANCE),
    State.RATE_EXCEEDED: Answer(429, (_TEXT,), b"Rate exceeded."),
    State.BAD_GATEWAY: _page(502, "Server Error", "The server encountered a temporary error."),
    State.UNAVAILABLE: Answer(503, (_TEXT,), b"Service Unavailable"),
}
"""What all requests are answered in a state."""

_UNAUTHENTICATED: Final = _page(
    401,
    "Unauthorized",
    "Your client does not have permission to the requested URL.",
    (
        "WWW-Authenticate",
        'Bearer error="invalid_token" error_description="The access token could not be verified"',
    ),
)
_FORBIDDEN: Final = _page(
    403, "Forbidden", "Your client does not have permission to get the URL from this server."
)
_NOT_FOUND: Final = _page(404, "Page not found", "The requested URL was not found on this server.")
_TOO_LARGE: Final = _page(413, "Request Entity Too Large", "Your client's request was too large.")
_TIMED_OUT: Final = Answer(504, (_TEXT,), b"upstream request timeout")
_DIED: Final = Answer(
    503,
    (_TEXT,),
    b"The request failed because either the HTTP response was malformed or connection to the "
    b"instance had an error.",
)
_ANSWER_TOO_LARGE: Final = Answer(
    500, (_TEXT,), b"Response size was too large. Please consider reducing response size."
)


class Service(NamedTuple):
    """A function, by the process that runs it.

    Attributes:
        runtime: has been started.
        path: that it gets in front of the request's own, where one process runs several.
        timeout: seconds until Cloud Run stops waiting, which stops nothing else.
    """

    runtime: FunctionsFramework
    path: str = ""
    timeout: float = 60.0


class Begun(NamedTuple):
    """A request that was given to a function; of its payload, the first KiB."""

    function: str
    payload: bytes


class CloudRun(AnsweringServer):
    """Serves functions at ``{url}/{name}``, as the host ``cloudfunctions.net`` does.

    What Google does and this does not: it starts and stops instances.

    Attributes:
        services: by name; may change at any time, as may the others.
        bases: URLs under which clients see this server. A token's audience is one of them, or
            that of a function below it.
        invokers: emails of those who may call; None for everyone with a good token.
        state: of all services.
        instances: how many requests may run at a time; None for as many as come.
    """

    def __init__(self) -> None:
        super().__init__()
        self.services: dict[str, Service] = {}
        self.bases: set[str] = set()
        self.invokers: set[str] | None = None
        self.state = State.RUNNING
        self.instances: int | None = None
        self._running = 0
        self._begun: list[Begun] = []
        self._answer = self._answered

    @property
    def begun(self) -> tuple[Begun, ...]:
        """Give the requests that functions were given, in that order."""
        with self._changed:
            return tuple(self._begun)

    @property
    def running(self) -> int:
        """Give how many requests are with functions right now."""
        with self._changed:
            return self._running

    def url_of(self, function: str) -> str:
        """Give the URL of a function at this server, which is an audience too."""
        return f"{self.url}/{function}"

    def _answered(self, request: Executed) -> Answer:
        match = _FIRST.match(request.target)
        name = match[1] if match else ""
        service = self.services.get(name)
        if service is None:
            return _NOT_FOUND
        refusal = self._refusal(request, name)
        if refusal is not None:
            return refusal
        if not self._begin(Begun(name, request.body[:_KEPT])):
            return ANSWERS[State.NO_INSTANCE]
        try:
            return _passed_on(request, service, request.target.removeprefix(f"/{name}"))
        finally:
            self._end()

    def _begin(self, begun: Begun) -> bool:
        """Note a request that a function gets; tell whether there is an instance for it."""
        with self._changed:
            if self.instances is not None and self._running >= self.instances:
                return False
            self._running += 1
            self._begun.append(begun)
            self._changed.notify_all()
        return True

    def _end(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def _refusal(self, request: Executed, name: str) -> Answer | None:
        """Give why a request does not reach the function."""
        given = header(request, "x-serverless-authorization") or header(request, "authorization")
        if not given:
            return _FORBIDDEN
        bases = {self.url, *self.bases}
        try:
            caller = tokens.read_id_token(
                given.removeprefix("Bearer "), bases | {f"{each}/{name}" for each in bases}
            )
        except tokens.Untrusted:
            return _UNAUTHENTICATED
        if self.invokers is not None and caller not in self.invokers:
            return _FORBIDDEN
        if len(request.body) > BODY_BYTES:
            return _TOO_LARGE
        return ANSWERS.get(self.state)


def _passed_on(request: Executed, service: Service, rest: str) -> Answer:
    target = f"{service.path}{rest}"
    headers = _passed_on_headers(request)
    host, port = service.runtime.address
    connection = http.client.HTTPConnection(host, port, timeout=service.timeout)
    with closing(connection):
        try:
            connection.request(
                request.method,
                target if target.startswith("/") else f"/{target}",
                request.body,
                dict(headers),
            )
            answer = connection.getresponse()
            body = answer.read()
        except TimeoutError:
            return _TIMED_OUT
        except (OSError, http.client.HTTPException):
            return _DIED
    if len(body) > BODY_BYTES:
        return _ANSWER_TOO_LARGE
    headers = _without(tuple(answer.getheaders()), "server")
    return Answer(answer.status, (("Server", "Google Frontend"), *headers), body)


def _passed_on_headers(request: Executed) -> Headers:
    """Give what a function sees of the headers: of the token it was let in with, no signature."""
    if header(request, "x-serverless-authorization"):
        return _without(request.headers, "x-serverless-authorization")
    unsigned = header(request, "authorization").rpartition(".")[0]
    token = ("Authorization", f"{unsigned}.SIGNATURE_REMOVED_BY_GOOGLE")
    return (*_without(request.headers, "authorization"), token)


def _without(headers: Headers, *names: str) -> Headers:
    """Give the headers that go beyond one connection, but for some."""
    return tuple(
        (name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP | {*names}
    )
