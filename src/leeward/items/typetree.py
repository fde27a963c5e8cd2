"""Part a value into what a provider holds and the types that this no longer tells, and join them.

A *plain* value has only types that the profile holds: None, bool, str, native numbers, lists and
dicts with native names, and, where the profile has them, bytes and datetimes in UTC. The *type
tree* marks what reading a plain value by itself would not give back:

- a leaf's node is its code. Lower case: held as a native value of another type. `f` a float;
  `d-2` a Decimal with exponent -2; `t+02:00` a datetime with that offset. Upper case: held as a
  string. `I` an int, `F` a float, `D` a Decimal, `B` bytes in base64, `T` a datetime in ISO 8601.
- a dict's node is ``{name: node}``.
- a list's node is ``{"index": node}``; or ``[node]`` where every element has the same one, so
  that a vector of floats costs five characters; or ``[code, {"index": node}]`` where most do.
- `L`, or ``["L", node]``, is a list that is held as a dict of one, since it stands in a list.

A value that reads back as itself has no node: None.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from math import copysign
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward.items import moments
from leeward.items.names import escape_name, unescape_name
from leeward.items.numbers import Number, by_value, with_exponent
from leeward.json_text import encode

if TYPE_CHECKING:
    from leeward.items.profiles import Profile

Node: TypeAlias = str | list[Any] | dict[str, Any]

_WRAPPED: Final = "L"
_WRAP: Final = "list"
"""The one name of the dict around a list that stands in a list."""


def part(item: dict[str, Any], profile: Profile) -> tuple[dict[str, Any], Node | None]:
    """Return the plain form of an item, and its type tree."""
    return _part_dict(item, profile, top=True)


def join(plain: dict[str, Any], tree: Node | None, profile: Profile) -> dict[str, Any]:
    """Return the item back; without its tree, every value as its plain form reads by itself."""
    return _join_dict(plain, tree, profile, top=True)


def tree_text(tree: Node | None) -> str | None:
    """Return a type tree as compact JSON; None for none."""
    return None if tree is None else encode(tree).decode()


def read_tree(text: str | None) -> Node | None:
    """Read what `tree_text` gave."""
    if text is None:
        return None
    import json

    tree: Node = json.loads(text)
    return tree


def _part(value: Any, profile: Profile) -> tuple[Any, Node | None]:
    kind = type(value)
    if kind is dict:
        return _part_dict(value, profile, top=False)
    if kind is list:
        return _part_list(value, profile)
    part_leaf = _PARTS.get(kind)
    return (value, None) if part_leaf is None else part_leaf(value, profile)


def _part_dict(
    value: dict[str, Any], profile: Profile, *, top: bool
) -> tuple[dict[str, Any], Node | None]:
    plain, nodes = {}, {}
    for name, inner in value.items():
        native = escape_name(name, profile, top=top)
        plain[native], node = _part(inner, profile)
        if node is not None:
            nodes[native] = node
    return plain, nodes or None


def _part_list(value: list[Any], profile: Profile) -> tuple[list[Any], Node | None]:
    parts = [_part_element(inner, profile) for inner in value]
    nodes = [node for _, node in parts]
    return [plain for plain, _ in parts], _list_node(nodes)


def _part_element(value: Any, profile: Profile) -> tuple[Any, Node | None]:
    plain, node = _part(value, profile)
    if type(value) is not list or profile.nested_lists:
        return plain, node
    return {_WRAP: plain}, _WRAPPED if node is None else [_WRAPPED, node]


def _list_node(nodes: list[Node | None]) -> Node | None:
    common = _common_node(nodes)
    others = {str(index): node for index, node in enumerate(nodes) if node != common}
    if common is None:
        return others or None
    return [common, others] if others else [common]


def _common_node(nodes: list[Node | None]) -> Node | None:
    if not nodes or nodes.count(nodes[0]) == len(nodes):
        return nodes[0] if nodes else None
    codes = Counter(node for node in nodes if isinstance(node, str))
    code, count = codes.most_common(1)[0] if codes else (None, 0)
    return code if 2 * count > len(nodes) else None


def _part_int(value: int, profile: Profile) -> tuple[Any, Node | None]:
    native = profile.numbers.hold(value)
    return (str(value), "I") if native is None else (native, None)


def _part_float(value: float, profile: Profile) -> tuple[Any, Node | None]:
    native = None if _is_negative_zero(value) else profile.numbers.hold(value)
    return (repr(value), "F") if native is None else (native, "f")


def _part_decimal(value: Decimal, profile: Profile) -> tuple[Any, Node | None]:
    native = None if _is_negative_zero(value) else profile.numbers.hold(value)
    if native is None:
        return str(value), "D"
    _, digits, exponent = value.as_tuple()
    reads_alike = int(exponent) < 0 and digits[-1] != 0
    return native, None if reads_alike else f"d{exponent}"


def _is_negative_zero(value: float | Decimal) -> bool:
    return not value and copysign(1, value) < 0


def _part_bytes(value: bytes, profile: Profile) -> tuple[Any, Node | None]:
    if profile.binary:
        return value, None
    return b2a_base64(value, newline=False).decode("ascii"), "B"


def _part_datetime(value: datetime, profile: Profile) -> tuple[Any, Node | None]:
    native = moments.to_utc(value) if profile.timestamps else None
    if native is None:
        return value.isoformat(), "T"
    offset = moments.offset_of(value)
    return native, f"t{offset}" if offset else None


_PARTS: Final[dict[type, Callable[[Any, Profile], tuple[Any, Node | None]]]] = {
    int: _part_int,
    float: _part_float,
    Decimal: _part_decimal,
    bytes: _part_bytes,
    datetime: _part_datetime,
}


def _join(plain: Any, node: Node | None, profile: Profile) -> Any:
    kind = type(plain)
    if kind is dict and (node is None or type(node) is dict):
        return _join_dict(plain, node, profile, top=False)
    if kind is dict:
        inner = node[1] if type(node) is list else None
        return _join_list(plain[_WRAP], inner, profile)
    if kind is list:
        return _join_list(plain, node, profile)
    if isinstance(node, str):
        return _JOINS[node[0]](plain, node[1:])
    return by_value(plain) if kind is float else plain


def _join_dict(
    plain: dict[str, Any], node: Node | None, profile: Profile, *, top: bool
) -> dict[str, Any]:
    nodes = node if isinstance(node, dict) else {}
    value = {
        unescape_name(native, profile, top=top): _join(inner, nodes.get(native), profile)
        for native, inner in plain.items()
    }
    if len(value) == len(plain):
        return value
    # Only another program writes a special name beside its own escape; none may be lost.
    return {native: _join(inner, nodes.get(native), profile) for native, inner in plain.items()}


def _join_list(plain: list[Any], node: Node | None, profile: Profile) -> list[Any]:
    common, others = _split_list_node(node)
    if not others:
        return [_join(inner, common, profile) for inner in plain]
    return [
        _join(inner, others.get(str(index), common), profile) for index, inner in enumerate(plain)
    ]


def _split_list_node(node: Node | None) -> tuple[Node | None, dict[str, Node | None]]:
    if isinstance(node, list):
        return node[0], node[1] if len(node) > 1 else {}
    return None, node if isinstance(node, dict) else {}


def _join_decimal(native: Number, exponent: str) -> Decimal:
    return with_exponent(native, int(exponent))


_JOINS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "f": lambda native, _: float(native),
    "d": _join_decimal,
    "t": moments.at_offset,
    "I": lambda text, _: int(text),
    "F": lambda text, _: float(text),
    "D": lambda text, _: Decimal(text),
    "B": lambda text, _: a2b_base64(text),
    "T": lambda text, _: moments.from_text(text),
}
