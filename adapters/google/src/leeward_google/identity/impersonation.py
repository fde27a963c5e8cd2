"""Tokens of a service account that another identity may act as: IAM credentials.

It is also the way to ID tokens for whoever has none of their own: people, and workloads that are
known to Google through an identity provider.

Source: `projects.serviceAccounts.generateAccessToken` and `.generateIdToken` in the REST reference
of IAM credentials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from leeward import json_text
from leeward.adapter.resolver import Credential, NoCredential, Source
from leeward.errors import LeewardError, Outcome
from leeward.http.messages import Failure, Request, Response
from leeward.http.transport import Transport
from leeward_google.exchange import JSON, SCOPE, authorised
from leeward_google.identity.tokens import (
    AUDIENCE,
    PROJECT,
    access_token,
    id_token,
    object_in,
    refused_by,
    undecodable,
)

LIFETIME: Final = 3600
"""Seconds that an access token is asked for; the longest that needs no permission of its own."""

_WHERE: Final = "IAM credentials"


class Principal(NamedTuple):
    """A service account to act as.

    Attributes:
        email: its address.
        delegates: service accounts in between, each of which may act as the next.
    """

    email: str
    delegates: tuple[str, ...] = ()


def acting_as(
    principal: Principal,
    source: Source,
    origin: str,
    transport: Transport,
    now: Callable[[], float],
) -> Source:
    """Make a source of a service account's tokens; the project stays that of `source`.

    Args:
        principal: whose tokens they are.
        source: gives an access token of somebody who has the role "Service Account Token Creator"
            on `principal`.
        origin: of IAM credentials.
        transport: carries the request.
        now: gives Unix seconds.
    """

    def fetch(scope: str, timeout: float) -> Credential:
        own = source(PROJECT if scope == PROJECT else SCOPE, timeout)
        if scope == PROJECT:
            return own
        request = authorised(_request(origin, principal, scope), own.secret)
        return _read(_sent(request, transport, timeout), scope, now())

    return fetch


def _request(origin: str, principal: Principal, scope: str) -> Request:
    body: dict[str, Any] = {"delegates": [_name(each) for each in principal.delegates]}
    if scope == SCOPE:
        method = "generateAccessToken"
        body |= {"scope": [SCOPE], "lifetime": f"{LIFETIME}s"}
    else:
        method = "generateIdToken"
        body |= {"audience": scope.removeprefix(AUDIENCE), "includeEmail": True}
    target = f"/v1/{_name(principal.email)}:{method}"
    return Request("POST", origin, target, JSON, json_text.encode(body))


def _name(account: str) -> str:
    start = "projects/-/serviceAccounts/"
    return account if account.startswith(start) else start + account


def _sent(request: Request, transport: Transport, timeout: float) -> Response:
    try:
        answer = transport.send(request, timeout)
    except LeewardError as error:
        raise NoCredential(Outcome.AUTH, "misconfigured", str(error)) from error
    if isinstance(answer, Failure):
        raise NoCredential(
            Outcome.NOT_SENT, answer.code, f"{_WHERE} cannot be reached ({answer.code})"
        ) from answer.cause
    if answer.status != 200:
        raise refused_by(answer.status, _WHERE)
    return answer


def _read(answer: Response, scope: str, now: float) -> Credential:
    document = object_in(answer, _WHERE)
    if scope != SCOPE:
        return id_token(document.get("token"), now, _WHERE)
    end = _moment(document.get("expireTime"))
    return access_token(document.get("accessToken"), now, end, _WHERE)


def _moment(text: Any) -> float:
    from datetime import datetime

    try:
        there = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise undecodable(_WHERE, "has no expireTime") from None
    if there.tzinfo is None:
        raise undecodable(_WHERE, "has no expireTime with a zone")
    return there.timestamp()
