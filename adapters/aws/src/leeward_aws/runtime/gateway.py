"""Requests of Function URLs and of API Gateway, in its two forms, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.adapter.text import join_key
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
    method = str(method or "").upper()
    return HttpRequest(method, path or "/", headers, data, principal_of(event["requestContext"]))


def principal_of(context: Mapping[str, Any]) -> str | None:
    """Return who has sent a request, as an authorizer, or IAM, has found out; None for nobody.

    What a request brings with it, its headers above all, says nothing here. Source: the pages of
    API Gateway and of Function URLs on the input of a proxy integration.
    """
    authorizer = context.get("authorizer")
    known = authorizer if isinstance(authorizer, dict) else {}
    jwt, iam = known.get("jwt"), known.get("iam")
    claims = jwt.get("claims") if isinstance(jwt, dict) else known.get("claims")
    if isinstance(claims, dict) and isinstance(claims.get("sub"), str) and claims["sub"]:
        return join_key(str(claims.get("iss") or ""), claims["sub"])
    caller = iam if isinstance(iam, dict) else context.get("identity")
    caller = caller if isinstance(caller, dict) else {}
    pool = caller.get("cognitoIdentity")  # whose members share one role, and so one ARN
    member = pool.get("identityId") if isinstance(pool, dict) else caller.get("cognitoIdentityId")
    for found in (member, caller.get("userArn"), known.get("principalId")):
        if isinstance(found, str) and found:
            return found
    return None


def answer_of(answer: HttpAnswer) -> dict[str, Any]:
    """Return an answer as both forms take it; form 1.0 needs all of its members."""
    return {
        "statusCode": answer.status,
        "headers": dict(answer.headers),
        "body": answer.body.decode(),
        "isBase64Encoded": False,
    }
