"""Where a function is called, and with what: a value, and what the configuration says of it.

A plan needs it as it needs a token: it holds one, and if it was looked up it goes stale.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from leeward.adapter.http_functions import Address
from leeward.errors import InvalidRequest
from leeward_google.settings.services import NAME, Functions

KEPT: Final = 3600.0
"""Seconds that an address which was looked up is good for, as long as a token is."""

_NAME: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
"""A function's name, of either generation."""


class FunctionUrl(NamedTuple):
    """Ask where a function is called, without the token that a `FunctionAddress` comes with."""

    function: str
    kind: str = "function url"


def check_name(function: str, configured: Functions) -> None:
    """Refuse a function that has no URL and whose name cannot be one.

    Raises:
        InvalidRequest: names the remedy.
    """
    if function not in configured.urls and _NAME.fullmatch(function) is None:
        raise InvalidRequest(
            "the function's name must begin with a letter and have at most 63 letters, digits, - "
            "and _; call it by another, and give that a URL in functions",
            field="function",
        )


def address_in(function: str, configured: Functions) -> Address | None:
    """Return the address that the configuration has for a function; None where it has none."""
    url = configured.urls.get(function)
    if url is None and configured.url is not None:
        url = configured.url.replace(NAME, function)
    return None if url is None else parse_address(url)


def parse_address(url: str) -> Address:
    """Return a checked URL as an address."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return Address(f"{scheme.lower()}://{host.lower()}", f"/{path}")


def audience_of(address: Address, configured: Functions) -> str:
    """Return what an ID token for a function is for.

    A Cloud Run service is known by its host. Under ``cloudfunctions.net``, where the host is that
    of a project, a function is known by the first part of its path ("Authenticate for invocation"
    in the documentation of Cloud Run functions).
    """
    if configured.audience is not None:
        return configured.audience
    if address.origin.endswith(".cloudfunctions.net"):
        return f"{address.origin}/{address.target.split('/')[1]}"
    return address.origin
