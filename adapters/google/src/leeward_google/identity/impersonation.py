"""Tokens of a service account that another identity may act as: IAM credentials.

It is also the way to ID tokens for whoever has none of their own: people, and workloads that are
known to Google through an identity provider.

Source: `projects.serviceAccounts.generateAccessToken` and `.generateIdToken` in the REST reference
of IAM credentials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from leeward import json_text
from leeward.adapter.resolver import Resolved, Source
from leeward.adapter.service import JSON
from leeward.adapter.tokens import TokenEndpoint, time_in
from leeward.adapter.wire import Request, Transport
from leeward.records import NamedTuple
from leeward_google.identity.credentials import (
    ACCESS_TOKEN,
    SCOPE,
    Bearer,
    IdToken,
    Project,
    access_token,
    id_token,
)
from leeward_google.service import authorise

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
    endpoint = TokenEndpoint(_WHERE, transport)

    def fetch(what: Any, timeout: float) -> Resolved:
        if isinstance(what, Project):
            return source(what, timeout)
        token: Bearer = source(ACCESS_TOKEN, timeout).value
        body: dict[str, Any] = {"delegates": [_name(delegate) for delegate in principal.delegates]}
        if isinstance(what, IdToken):
            method = "generateIdToken"
            body |= {"audience": what.audience, "includeEmail": True}
        else:
            method = "generateAccessToken"
            body |= {"scope": [SCOPE], "lifetime": f"{LIFETIME}s"}
        target = f"/v1/{_name(principal.email)}:{method}"
        request = authorise(Request("POST", origin, target, JSON, json_text.encode(body)), token)
        document = endpoint.document(lambda: request, timeout)
        if isinstance(what, IdToken):
            return id_token(document.get("token"), now(), _WHERE)
        end = time_in(document, "expireTime", _WHERE)
        return access_token(document.get("accessToken"), now(), end, _WHERE)

    return fetch


def _name(account: str) -> str:
    start = "projects/-/serviceAccounts/"
    return account if account.startswith(start) else start + account
