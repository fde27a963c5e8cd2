"""Reprs that say what a value is and not what it carries, so that none spills into a log.

Each class lists what it shows: names, ids, outcomes. Whatever it does not list, a field that is
added later as well, is shown by its type and size alone::

    @show_only("method origin")
    class Request(NamedTuple): ...
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=type)

_SIZED = (str, bytes, list, tuple, dict, MappingProxyType)


def mask(value: Any, shown: str = "") -> str:
    """Write a named tuple like ``Invoke(function='f', payload=<bytes: 12>, ...)``."""
    names = shown.split()
    fields = (
        f"{name}={field!r}" if name in names else f"{name}={outline(field)}"
        for name, field in zip(value._fields, value, strict=True)
    )
    return f"{type(value).__name__}({', '.join(fields)})"


TESTING = "PYTEST_CURRENT_TEST"
"""The variable that pytest sets while a test runs. A plugin would rewrite every module of leeward.
https://docs.pytest.org/en/stable/example/simple.html#pytest-current-test-environment-variable
"""


def mask_data(value: Any, shown: str) -> str:
    """Write a named tuple of a user's own data like `mask`; in a test of pytest, with its data.

    There a failed assertion has to show what differs, and a test's data is not a secret. Defaults
    are left out.
    """
    if TESTING not in os.environ:
        return mask(value, shown)
    fields = (
        f"{name}={field!r}"
        for name, field in zip(value._fields, value, strict=True)
        if name not in value._field_defaults or field is not value._field_defaults[name]
    )
    return f"{type(value).__name__}({', '.join(fields)})"


def show_only(shown: str = "", write: Callable[[Any, str], str] = mask) -> Callable[[Kind], Kind]:
    """Add the repr that `mask` writes to a class."""

    def add_repr(kind: Any) -> Any:
        kind.__repr__ = lambda value: write(value, shown)
        return kind

    return add_repr


def show_data(shown: str) -> Callable[[Kind], Kind]:
    """Add the repr that `mask_data` writes to a class of a user's own data."""
    return show_only(shown, mask_data)


def outline(value: object) -> str:
    """Return the type of `value`, and its length if it has one; of None, that it is None."""
    if value is None:
        return "None"
    kind = type(value).__name__
    if isinstance(value, _SIZED) and not hasattr(value, "_fields"):
        return f"<{kind}: {len(value)}>"
    return f"<{kind}>"
