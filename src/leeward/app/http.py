"""Calls that come by HTTP, whatever platform takes the request in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from leeward.app.answers import Answer
from leeward.app.handlers import Handler
from leeward.app.host import FUNCTION, Host
from leeward.app.problem import Problem, refused
from leeward.app.triggers import Delivery
from leeward.envelope import UNBOUND, Sent, answer_headers, sent_in
from leeward.masking import mask

WARM_PATH: Final = "/_leeward/warm"
"""Who asks for it keeps an instance warm; no handler is run."""

HEALTH_PATH: Final = "/health"
"""Who asks for it learns whether an instance can take calls; no handler is run."""


HEALTH: Final = "leeward-health"
"""The name of a deployment that tells of its health, and runs no handler: anybody may call it."""


class HttpRequest(NamedTuple):
    """A request.

    Attributes:
        method: in upper case.
        path: without query.
        headers: names in lower case, one value for each.
        body: its bytes.
        principal: who has sent it, as the platform has checked; None where it has not.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    principal: str | None = None

    def __repr__(self) -> str:
        return mask(self, "method path")


class HttpAnswer(NamedTuple):
    """An answer, for the platform to send."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return mask(self, "status")


def headers_of(pairs: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Return the texts among headers, or attributes, by name in lower case.

    Of several with one name, all values.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(name, str) and isinstance(value, str):
            key = name.lower()
            found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def http_answer(answer: Answer, mark: str = UNBOUND) -> HttpAnswer:
    """Return an answer in the form of HTTP, with the mark that its request asks for."""
    return HttpAnswer(answer.status, answer.headers(mark), answer.body)


def upkeep(host: Host, request: HttpRequest) -> HttpAnswer | None:
    """Answer a request that asks for no handler: keep the instance warm, or tell of its health.

    Return None for any other request, unless the deployment is named `HEALTH`. It is healthy if
    what the app shares can be made.
    """
    path = request.path.rstrip("/")
    if request.method != "GET" or not path.endswith((WARM_PATH, HEALTH_PATH)):
        return http_answer(host.no_function()) if os.environ.get(FUNCTION) == HEALTH else None
    is_up = host.warm_up_early()
    if is_up and path.endswith(WARM_PATH):
        return HttpAnswer(204, answer_headers())
    headers = (
        *answer_headers(),
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
    )
    if is_up:
        return HttpAnswer(200, headers, b'{"status":"ok"}')
    return HttpAnswer(503, headers, b'{"status":"failing"}')


def serve(
    host: Host, handler: Handler | None, request: HttpRequest, call_id: str, seconds: float
) -> HttpAnswer:
    """Answer a call of a function.

    Args:
        host: with the app.
        handler: the function; None if the request names no function.
        request: with the payload as its body, in JSON.
        call_id: the platform's id of this run.
        seconds: until the platform stops waiting; the caller may wait less.
    """
    sent = sent_in(request.headers)
    if handler is None or not handler.is_call:
        return http_answer(host.no_function(), sent.mark)
    if request.method != "POST":
        problem = Problem("functions are called with POST", status=405, reason="method")
        found = http_answer(Answer(b"", refused(problem)), sent.mark)
        return found._replace(headers=(*found.headers, ("allow", "POST")), body=b"")
    delivery = delivery_of(request, call_id, seconds, sent)
    return http_answer(host.run(handler, delivery), sent.mark)


def delivery_of(
    request: HttpRequest, call_id: str, seconds: float, sent: Sent | None = None
) -> Delivery:
    """Return the delivery of a call; what came beside the payload can only shorten its time."""
    sent = sent or sent_in(request.headers)
    waits = seconds if sent.seconds is None else min(seconds, sent.seconds)
    return Delivery(
        request.body,
        call_id,
        sent.idempotency_key or "",
        waits,
        None,
        sent.traceparent,
        request.headers,
        request.principal,
    )
