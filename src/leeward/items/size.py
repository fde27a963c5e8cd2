"""How large and how deep an item is at most, for the narrowest of the providers' limits.

On size that is DynamoDB's 400 KB, so its way of counting is the one to stay above, the type tree
included; Firestore takes 1 MiB, Cosmos 2 MB. On depth it is Firestore's 20, where a list that
stands in a list needs a map between them. This is one walk and an estimate from above: to encode
an item only to measure it would cost as much again.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from leeward.values import Item

_RESERVED: Final = 200
"""Bytes of the reserved attribute without its tree, and of the native expiry."""

_VALUE: Final = 4
"""Bytes for each value besides its text; DynamoDB counts 1 for each thing in a list or map."""

_CONTAINER: Final = 16
"""Bytes for each list or dict; DynamoDB counts 4, and Firestore 38 of 1 MiB in the worst case."""

_CODE: Final = len('"f"')
_ENTRY: Final = len('"":,')
_BRACES: Final = len("{}")
"""Bytes of the type tree's JSON."""

_NATIVE_INTS: Final = range(1 - 10**38, 10**38)
"""Integers that need no mark on DynamoDB, so on no provider whose limit is near."""

_Weight: TypeAlias = tuple[int, int, int]
"""Bytes of a value itself, bytes of its node in the type tree (0 for none), and its depth."""


class Size(NamedTuple):
    """The size of an item.

    Attributes:
        bytes: names, values and what leeward adds; DynamoDB counts no more.
        depth: 1 for a flat item, and 1 more for each list or dict inside another; a list directly
            inside a list counts twice.
    """

    bytes: int
    depth: int


def measure(item: Item) -> Size:
    """Return the size of an item that `check_item` has passed."""
    size, node, depth = _weigh(item)
    return Size(_RESERVED + size + node, depth)


def _weigh(value: Any) -> _Weight:
    kind = type(value)
    if kind is str:
        return _VALUE + _utf8(value), 0, 0
    if kind is dict:
        return _weigh_dict(value)
    if kind is list:
        return _weigh_list(value)
    if kind is bytes:
        return _VALUE + (len(value) + 2) // 3 * 4, 0, 0  # as base64
    return _weigh_leaf(value)


def _weigh_leaf(value: object) -> _Weight:
    text = len(str(value))
    if isinstance(value, Decimal):
        return _VALUE + text, _CODE + text, 0  # an exponent is no longer than its number
    marked = isinstance(value, float | datetime) or (
        isinstance(value, int) and value not in _NATIVE_INTS
    )
    return _VALUE + text, _CODE if marked else 0, 0


def _weigh_dict(value: dict[str, Any]) -> _Weight:
    size, nodes, deepest = _CONTAINER, 0, 0
    for name, inner in value.items():
        inner_size, node, depth = _weigh(inner)
        size += _utf8(name) + inner_size
        if node:
            nodes += _ENTRY + _as_json(name) + node
        deepest = max(deepest, depth)
    return size, nodes and nodes + _BRACES, deepest + 1


def _weigh_list(value: list[Any]) -> _Weight:
    size, nodes, deepest = _CONTAINER, 0, 0
    entry = _ENTRY + len(str(len(value)))
    for inner in value:
        inner_size, node, depth = _weigh(inner)
        size += inner_size
        if node:
            nodes += entry + node
        deepest = max(deepest, depth + 1 if type(inner) is list else depth)
    return size, nodes and nodes + _BRACES, deepest + 1


def _utf8(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _as_json(name: str) -> int:
    # A control character takes six bytes in JSON, and no character takes more.
    return len(name) if name.isascii() and name.isidentifier() else 6 * len(name)
