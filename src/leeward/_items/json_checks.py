"""Recognise the usual JSON at sight; what is left is looked at closely, elsewhere.

Payloads are mostly a few ASCII texts and numbers. For them `leeward._items.checks` need not be
loaded, nor the modules for decimals and times behind it: a first call would wait for them.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from leeward.json_text import DEEPEST, INT_END


def check_json(value: object, field: str = "payload") -> None:
    """Check that `value` is JSON: None, bool, int, finite float, str, and lists and dicts of them.

    Raises:
        InvalidRequest: it is not; `field` is the path to the value at fault.
    """
    if not _is_plain([value], 0):
        load_checks().check_json_closely(value, field)


def load_checks() -> Any:
    """Return the module `checks`: only some answers need it, and only programs that store items."""
    from leeward._items import checks

    return checks


def _is_plain(container: Any, level: int) -> bool:  # noqa: C901, PLR0912 - as in `_walk`
    """Return whether all of a dict or list is JSON and ASCII. Nearly all is; the rest is walked."""
    if level > DEEPEST:
        return False
    members = container
    if type(container) is dict:
        members = container.values()
        for name in container:
            if type(name) is not str or not name.isascii():
                return False
    for value in members:
        kind = type(value)
        if kind is str:
            if not value.isascii():
                return False
        elif kind is int:
            if not -INT_END < value < INT_END:
                return False
        elif kind is float:
            if not isfinite(value):
                return False
        elif kind is dict or kind is list:
            if not _is_plain(value, level + 1):
                return False
        elif kind is not bool and value is not None:
            return False
    return True
