"""What "exactly what was stored" means, as a function."""

from datetime import datetime
from decimal import Decimal
from typing import Any


def difference(actual: Any, expected: Any, path: str = "item") -> str | None:
    """Return where `actual` is not exactly `expected`; None where it is, types included.

    Names of dicts may come in any order.
    """
    if type(actual) is not type(expected):
        return f"{path}: {type(actual).__name__} instead of {type(expected).__name__}"
    if isinstance(expected, dict):
        return _dict_difference(actual, expected, path)
    if isinstance(expected, list):
        return _list_difference(actual, expected, path)
    if _fingerprint(actual) != _fingerprint(expected):
        return f"{path}: {actual!r} instead of {expected!r}"
    return None


def assert_exact(actual: Any, expected: Any) -> None:
    """Fail where `actual` is not exactly `expected`."""
    assert difference(actual, expected) is None


def _dict_difference(actual: dict[str, Any], expected: dict[str, Any], path: str) -> str | None:
    if actual.keys() != expected.keys():
        return f"{path}: names {sorted(actual)!r} instead of {sorted(expected)!r}"
    found = (difference(actual[name], expected[name], f"{path}[{name!r}]") for name in expected)
    return next(filter(None, found), None)


def _list_difference(actual: list[Any], expected: list[Any], path: str) -> str | None:
    if len(actual) != len(expected):
        return f"{path}: {len(actual)} elements instead of {len(expected)}"
    found = (
        difference(mine, theirs, f"{path}[{index}]")
        for index, (mine, theirs) in enumerate(zip(actual, expected, strict=True))
    )
    return next(filter(None, found), None)


def _fingerprint(value: Any) -> Any:
    if isinstance(value, float):
        return repr(value)  # tells -0.0 from 0.0
    if isinstance(value, Decimal):
        return value.as_tuple()
    if isinstance(value, datetime):
        return value.replace(tzinfo=None), value.utcoffset()
    return value
