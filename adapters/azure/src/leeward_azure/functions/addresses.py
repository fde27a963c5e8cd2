"""Where a function is called, and with what: a value, and what the configuration says of it.

A plan needs it as it needs a token: it holds keys, and one that was looked up goes stale.
"""

from __future__ import annotations

import re
from typing import Final

from leeward.adapter.http_functions import Address
from leeward.errors import InvalidRequest
from leeward_azure.settings.services import Functions

KEPT: Final = 3600.0
"""Seconds that an address which was looked up is good for, about as long as a token is: an app may
get another host name, and the old one then leads nowhere that could refuse a call."""

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,126}")
"""A function's name, as the Functions host takes it."""


def check_name(function: str, configured: Functions) -> None:
    """Refuse a function that has no route and whose name cannot be one.

    Raises:
        InvalidRequest: names the remedy.
    """
    if function not in configured.routes and NAME.fullmatch(function) is None:
        raise InvalidRequest(
            "the function's name must begin with a letter and have only letters, digits, - and _; "
            "call it by another, and give that a path in routes",
            field="function",
        )


def address_in(function: str, configured: Functions) -> Address:
    """Return the address of a function as far as the configuration has it."""
    return Address(
        configured.origin or "", path_to(function, configured), key=key_of(function, configured)
    )


def path_to(function: str, configured: Functions) -> str:
    """Return the path of a function by its configured route, or by its name."""
    route = configured.routes.get(function, function)
    return f"/{configured.prefix}/{route}" if configured.prefix else f"/{route}"


def key_of(function: str, configured: Functions) -> str | None:
    """Return the key that is configured for a function; None for none."""
    return configured.keys.get(function, configured.key)
