"""Requests of Function URLs and of API Gateway, in its two forms, and their answers."""

from __future__ import annotations

from typing import Any

from leeward.app.kit import HttpAnswer, HttpRequest, headers_of


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
    if event.get("isBase64Encoded"):
        from binascii import a2b_base64

        data = a2b_base64(body)
    else:
        data = body.encode(errors="surrogatepass")
    return HttpRequest(str(method or "").upper(), path or "/", headers, data)


def answer_of(answer: HttpAnswer) -> dict[str, Any]:
    """Return an answer as both forms take it; form 1.0 needs all of its members."""
    return {
        "statusCode": answer.status,
        "headers": dict(answer.headers),
        "body": answer.body.decode(),
        "isBase64Encoded": False,
    }
