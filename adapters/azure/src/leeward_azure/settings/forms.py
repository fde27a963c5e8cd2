"""The forms of some of Azure's settings: account keys, and paths of functions."""

from __future__ import annotations

import re
from typing import Final

from leeward.adapter.options import Found, secret
from leeward.errors import ConfigError

_STEP: Final = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+"

ROUTE: Final = re.compile(rf"{_STEP}(?:/{_STEP})*")
"""A path without escapes, and without the steps ``.`` and ``..``."""


def base64_key(found: Found | None) -> str | None:
    """Return an account's key, as it is written; None for none.

    Raises:
        ConfigError: it is not the base64 that the portal shows.
    """
    key = secret(found)
    if found is not None and key is not None and not is_base64(key):
        raise ConfigError(f"{found.where} is no account key: copy it whole, it is base64")
    return key


def is_base64(key: str) -> bool:
    """Return whether `key` is base64 in whole groups of four."""
    return re.fullmatch(r"(?=(?:.{4})+$)[A-Za-z0-9+/]+={0,2}", key) is not None
