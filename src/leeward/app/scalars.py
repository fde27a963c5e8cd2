"""Values that JSON has no type for, and that stand in it as text: numbers, times, ids, bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.app.mismatch import Mismatch
from leeward.json_text import has_many_zeros
from leeward.values import Json


def scalar_reader(kind: Any) -> Callable[[Json], Any] | None:
    """Return what reads `kind` from JSON; None if it is not such a type.

    Modules are looked at by name: what an annotation names is loaded already, and the others need
    not be loaded to see that it is not theirs.
    """
    from enum import Enum

    name = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', '')}"
    if name == "decimal.Decimal":
        return _read(kind, _decimal, "decimal")
    if name in ("datetime.datetime", "datetime.date"):
        return _read(kind, _from_iso_format, name.partition(".")[2])
    if name == "uuid.UUID":
        return _read(kind, _from_text, "uuid")
    if kind is bytes:
        return _read(kind, _base64, "base64")
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _read(kind, _enum, " or ".join(repr(each.value) for each in kind))
    return None


def _read(kind: Any, make: Callable[[Any, Json], Any], name: str) -> Callable[[Json], Any]:
    def read(value: Json) -> Any:
        try:
            return make(kind, value)
        except (ArithmeticError, TypeError, ValueError):
            flaw = Mismatch(name)
        raise flaw  # out here, so that nothing of the input goes along as the context

    return read


def _decimal(kind: Any, value: Json) -> Any:
    """Read a number, or its text. A float is taken by the shortest text that means it."""
    if type(value) is float:
        value = repr(value)
    if type(value) not in (int, str):
        raise TypeError
    found = kind(value)
    if not found.is_finite() or has_many_zeros(found):
        raise ValueError
    return found


def _from_iso_format(kind: Any, value: Json) -> Any:
    if type(value) is not str:
        raise TypeError
    return kind.fromisoformat(value)


def _from_text(kind: Any, value: Json) -> Any:
    if type(value) is not str:
        raise TypeError
    return kind(value)


def _base64(_: Any, value: Json) -> bytes:
    from base64 import b64decode

    if type(value) is not str:
        raise TypeError
    return b64decode(value, validate=True)


def _enum(kind: Any, value: Json) -> Any:
    """Read a member by its value; ``True`` does not stand for 1."""
    found = kind(value)
    if type(found.value) is not type(value):
        raise ValueError
    return found
