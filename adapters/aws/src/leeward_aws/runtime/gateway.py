"""Requests of Function URLs and of API Gateway, in its two forms, and their answers."""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any

from leeward.app.kit import HttpAnswer, HttpRequest, headers_of


def is_request(event: Any) -> bool:
    """Return whether an event is a request: in form 2.0, or in form 1.0."""
    if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
        return False
    return isinstance(event["requestContext"].get("http"), dict) or "httpMethod" in event


def request_of(event: dict[str, Any]) -> HttpRequest:
    """Return the request in an event.

    In form 1.0 names of headers keep the caller's case, and maps may be null; in form 2.0 the path
    begins with the stage, of which the name of the function, its last part, knows nothing.
    """
    http = event["requestContext"].get("http")
    method, path = (
        (http.get("method"), event.get("rawPath"))
        if isinstance(http, dict)
        else (event["httpMethod"], event.get("path"))
    )
    headers = headers_of((event.get("headers") or {}).items())
    body = event.get("body") or ""
    data = a2b_base64(body) if event.get("isBase64Encoded") else body.encode(errors="surrogatepass")
    return HttpRequest(str(method or "").upper(), path or "/", headers, data)


def answer_of(answer: HttpAnswer) -> dict[str, Any]:
    """Return an answer as both forms take it; form 1.0 needs all of its members."""
    return {
        "statusCode": answer.status,
        "headers": dict(answer.headers),
        "body": answer.body.decode(),
        "isBase64Encoded": False,
    }
