"""What sources of tokens are asked for, and what they are given back as."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from typing import Any, Final

from leeward.adapter.resolver import Credential, NoCredential, Source
from leeward.errors import Outcome
from leeward.http.messages import Response
from leeward.json_text import Undecodable, decode
from leeward_google.exchange import SCOPE
from leeward_google.identity.credentials import Bearer

AUDIENCE: Final = "audience:"
"""What the scope of an ID token begins with; the audience follows. The scope of an access token
is `leeward_google.exchange.SCOPE`."""

PROJECT: Final = "project"
"""The scope under which the project's id is given, as a text."""

LARGEST: Final = 64 * 1024
"""Bytes of an answer with a token in it; real ones have about 2 KiB."""


def access_token(token: Any, now: float, end: float | None, where: str) -> Credential:
    """Return an access token.

    Args:
        token: as it came.
        now: Unix seconds.
        end: of the token; None for never.
        where: who gave it, for messages.

    Raises:
        NoCredential: AUTH; it is no token, or has expired.
    """
    if not isinstance(token, str) or re.fullmatch(r"[!-~]+", token) is None:
        raise undecodable(where, "holds no token that a header can carry")
    if end is not None and end <= now:
        raise NoCredential(Outcome.AUTH, "expired_token", f"the token of {where} has expired")
    return Credential(Bearer(token), now, end)


def id_token(token: Any, now: float, where: str) -> Credential:
    """Return an ID token; its end stands in it. Arguments and errors as of `access_token`."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        raise undecodable(where, "holds no ID token")
    text = parts[1].translate(str.maketrans("-_", "+/"))
    try:
        claims = decode(a2b_base64(text + "=" * (-len(text) % 4)))
    except (Error, ValueError):
        raise undecodable(where, "holds no ID token") from None
    end = claims.get("exp") if isinstance(claims, dict) else None
    if not isinstance(end, int | float):
        raise undecodable(where, "holds an ID token without an end")
    return access_token(token, now, float(end), where)


def charged(source: Source, project: str | None) -> Source:
    """Return a source whose access tokens say which project is charged; None leaves them alone."""
    if project is None:
        return source

    def fetch(scope: str, timeout: float) -> Credential:
        found = source(scope, timeout)
        if scope != SCOPE:
            return found
        return found._replace(secret=found.secret._replace(quota_project=project))

    return fetch


def object_in(answer: Response, where: str) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        NoCredential: AUTH; there is none, or it is too large.
    """
    document: Any = None
    if len(answer.body) <= LARGEST:
        try:
            document = decode(answer.body)
        except Undecodable:
            document = None
    if isinstance(document, dict):
        return document
    raise undecodable(where, "is no JSON object of an acceptable size")


def refused_by(status: int, where: str) -> NoCredential:
    """Return what a status other than 200 means: NOT_SENT of somebody too busy, else AUTH."""
    busy = status in (408, 429) or status >= 500
    return NoCredential(
        Outcome.NOT_SENT if busy else Outcome.AUTH,
        f"http.{status}",
        f"{where} answered with status {status}",
    )


def undecodable(where: str, what: str) -> NoCredential:
    """Return that an answer is not what was asked for; nothing of it is repeated."""
    return NoCredential(Outcome.AUTH, "undecodable", f"what {where} answered {what}")
