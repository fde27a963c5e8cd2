"""What Google's APIs and functions take for a credential, as values, and what is asked for it."""

from __future__ import annotations

from binascii import Error, a2b_base64
from typing import Any, Final

from leeward.adapter.resolver import Resolved, Source, Token
from leeward.adapter.tokens import good_until, sound, undecodable
from leeward.json_text import decode
from leeward.masking import show_only
from leeward.records import NamedTuple

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
"""What an access token for Firestore, Pub/Sub and their kin is good for."""

ACCESS_TOKEN: Final = Token(SCOPE)
"""Ask for that token; the answer is a `Bearer`."""


class IdToken(NamedTuple):
    """Ask for a token that says who calls a function; the answer is a `Bearer`.

    Attributes:
        audience: the function that it is for.
    """

    audience: str
    kind: str = "id token"


class Project(NamedTuple):
    """Ask for the id of the project that the credentials belong to; the answer is a text."""

    kind: str = "project"


@show_only("quota_project")
class Bearer(NamedTuple):
    """A token that says who asks.

    Attributes:
        token: an OAuth access token, a self-signed JWT, or an ID token.
        quota_project: the project that is charged for a request, where that is not the one of the
            identity; user credentials need one.
    """

    token: str
    quota_project: str | None = None


def access_token(token: Any, now: float, end: float | None, where: str) -> Resolved:
    """Return an access token.

    Args:
        token: as it came.
        now: Unix seconds.
        end: of the token; None for never.
        where: who gave it, for messages.

    Raises:
        Unresolved: AUTH; it is not a token, or has expired.
    """
    return good_until(end, Bearer(sound(token, "token", where)), now, where)


def id_token(token: Any, now: float, where: str) -> Resolved:
    """Return an ID token; its end stands in it. Arguments and errors as of `access_token`."""
    parts = token.split(".") if isinstance(token, str) else []
    try:
        text = parts[1].translate(str.maketrans("-_", "+/"))
        claims: Any = decode(a2b_base64(text + "=" * (-len(text) % 4)))
    except (Error, IndexError, ValueError):
        claims = None
    end = claims.get("exp") if isinstance(claims, dict) and len(parts) == 3 else None
    if not isinstance(end, int | float):
        raise undecodable(where, "has no ID token with an end")
    return access_token(token, now, float(end), where)


def with_project(source: Source, project: str | None) -> Source:
    """Return a source whose access tokens say which project is charged; None leaves them alone."""
    if project is None:
        return source

    def fetch(what: Any, timeout: float) -> Resolved:
        credential = source(what, timeout)
        if what != ACCESS_TOKEN:
            return credential
        return credential._replace(value=credential.value._replace(quota_project=project))

    return fetch
