"""Values that only their provider has: kept as they are, where a backup would lose them else.

Another program may store what no item has: a set, a point, a reference, a vector, a number that is
not finite, a double without a fraction. `load_data` returns the nearest plain value of it. An exact
read has a `Native` in its place, of which `encode` writes the same value again.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from leeward.values import Json


class Native(NamedTuple):
    """A value that only one provider has.

    Attributes:
        model: the name of the provider's data model.
        raw: the value in the provider's own JSON.
        plain: what `load_data` returns of it; None for a number that is not finite.
    """

    model: str
    raw: Json
    plain: Any

    def __repr__(self) -> str:
        return f"Native({self.model!r})"

    @property
    def is_number(self) -> bool:
        """Whether it is a number whose plain value is equal: only its native type is its own."""
        return type(self.plain) in (int, Decimal)


def natives_in(value: Any, path: str = "") -> Iterator[tuple[str, Native]]:
    """Yield each `Native` of an item, and the path to it, as ``['tags']``."""
    kind = type(value)
    if kind is Native:
        yield path, value
    elif kind is dict or kind is list:
        members: Any = value.items() if kind is dict else enumerate(value)
        for key, inner in members:
            if type(inner) in (dict, list, Native):
                yield from natives_in(inner, f"{path}[{key!r}]")


def without_natives(value: Any) -> Any:
    """Return an item with the plain value of each `Native` in its place."""
    kind = type(value)
    if kind is Native:
        return value.plain
    if kind is dict:
        return {name: without_natives(inner) for name, inner in value.items()}
    return [*map(without_natives, value)] if kind is list else value
