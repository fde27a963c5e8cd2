"""Requests of Function URLs and of API Gateway, in its two forms, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.app.kit import HttpAnswer, HttpRequest, InvalidInput, headers_of
from leeward.text import join_key


def request_of(event: dict[str, Any]) -> HttpRequest:
    """Return the request in an event.

    In form 1.0 names of headers keep the caller's case, and maps may be null; in form 2.0 the path
    begins with the stage, of which the name of the function, its last part, knows nothing.

    Raises:
        InvalidInput: the body is not in base64, and the request says that it is.
    """
    http = event["requestContext"].get("http")
    method, path = (
        (http.get("method"), event.get("rawPath"))
        if isinstance(http, dict)
        else (event["httpMethod"], event.get("path"))
    )
    all_headers = (event["multiValueHeaders"] if tells_all(event) else event.get("headers")) or {}
    pairs = all_headers.items()
    if list in map(type, all_headers.values()):
        pairs = [(name, item) for name, x in pairs for item in (x if type(x) is list else [x])]
    headers = headers_of(pairs)
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        from base64 import b64decode

        try:
            data = b64decode(body, validate=True)
        except (TypeError, ValueError):
            data = None
        if data is None:
            raise InvalidInput("$", "base64, as the request says")
    else:
        data = body.encode(errors="surrogatepass")
    method = str(method or "").upper()
    return HttpRequest(method, path or "/", headers, data, principal_of(event["requestContext"]))


def principal_of(context: Mapping[str, Any]) -> str | None:
    """Return who has sent a request, as an authorizer, or IAM, has found out; None for nobody.

    What a request brings with it, its headers above all, says nothing here. Source: the pages of
    API Gateway and of Function URLs on the input of a proxy integration.
    """
    if "authorizer" not in context and "identity" not in context:
        return None
    authorizer = context.get("authorizer")
    fields = authorizer if isinstance(authorizer, dict) else {}
    jwt, iam = fields.get("jwt"), fields.get("iam")
    claims = jwt.get("claims") if isinstance(jwt, dict) else fields.get("claims")
    if isinstance(claims, dict) and isinstance(claims.get("sub"), str) and claims["sub"]:
        return join_key(str(claims.get("iss") or ""), claims["sub"])
    caller = iam if isinstance(iam, dict) else context.get("identity")
    caller = caller if isinstance(caller, dict) else {}
    pool = caller.get("cognitoIdentity")  # whose members share one role, and so one ARN
    member = pool.get("identityId") if isinstance(pool, dict) else caller.get("cognitoIdentityId")
    for principal in (member, caller.get("userArn")):
        if isinstance(principal, str) and principal:
            return principal
    name = fields.get("principalId")  # of an authorizer's own making: it may look like the others
    return join_key("authorizer", name) if isinstance(name, str) and name else None


def tells_all(event: dict[str, Any]) -> bool:
    """Return whether a request tells all values of headers, and nothing else: a balancer may."""
    return event.get("headers") is None and isinstance(event.get("multiValueHeaders"), dict)


def answer_of(answer: HttpAnswer, *, tells_all: bool) -> dict[str, Any]:
    """Return an answer as both forms take it; form 1.0 needs all of its members.

    Args:
        answer: to be sent.
        tells_all: whoever has told all values of headers looks for all values of the answer's.
    """
    response = {
        "statusCode": answer.status,
        "headers": dict(answer.headers),
        "body": answer.body.decode(),
        "isBase64Encoded": False,
    }
    if tells_all:
        response["multiValueHeaders"] = {name: [value] for name, value in answer.headers}
    return response
