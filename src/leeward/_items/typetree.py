"""The type tree: what the plain values of an item no longer tell.

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

`encoding` makes the nodes. Here an item is made of plain values and nodes again, with distrust:
whoever may write a document can write a digest that fits. So a node counts only where it suits its
value, only what `checked_size` lets pass comes out, and what a tree adds to a number is bounded.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache, partial
from math import isfinite
from typing import Any, Final, TypeAlias

from leeward import json_text
from leeward._items.names import ESCAPE, unescape_name
from leeward._items.profile import Number, Profile, by_value, quantized
from leeward.calls import UnreadableItem

Node: TypeAlias = str | list[Any] | dict[str, Any]

WRAPPED: Final = "L"
WRAP: Final = "list"  # the one name of the dict around a list that stands in a list

MOST_DIGITS: Final = 2**21
"""Digits that exponents may give to the numbers of one item: `d-2` makes three of the 9 in 9.00. An
item with more is larger than any provider takes."""

_LONGEST_NUMBER: Final = 20
"""Characters of an index or exponent; no number that `decimal` knows has more in its exponent."""


def list_node(nodes: dict[int, Node], length: int) -> Node:
    """Return the node of a list of this length, of which these elements have nodes."""
    marks = list(nodes.values())
    if len(marks) == length and marks.count(marks[0]) == length:
        return [marks[0]]
    codes = Counter(node for node in marks if isinstance(node, str))
    code, count = codes.most_common(1)[0] if codes else ("", 0)
    if 2 * count <= length:
        return {str(index): node for index, node in nodes.items()}
    others = {str(index): nodes.get(index) for index in range(length) if nodes.get(index) != code}
    return [code, others]


class Merge:
    """Makes an item of plain values and a type tree.

    Args:
        known: whether the digest says that leeward has written them; then they have no types but
            those that leeward writes.
    """

    def __init__(self, profile: Profile, known: bool) -> None:
        self._profile = profile
        self._known = known
        self._digits = MOST_DIGITS

    def container(
        self, plain: dict[str, Any] | list[Any], node: Node | None, *, top: bool = False
    ) -> Any:
        """Return the dict or list that a plain one and its node stand for."""
        is_dict, escaped = type(plain) is dict, False
        nodes, common = (_NO_NODES, None) if node is None else _nodes_in(node, plain)
        values: dict[Any, Any] = {}  # by name or index
        members: Any = plain.items() if type(plain) is dict else enumerate(plain)
        for key, inner in members:
            value, mark, kind = inner, nodes.get(key, common), type(inner)
            if kind is list or (kind is dict and (mark is None or type(mark) is dict)):
                value = self.container(inner, mark)
            elif mark is not None:
                if mark != "f" or kind is not float or not isfinite(inner):
                    value = self._apply_mark(inner, mark)
            elif kind is float or kind is Decimal:
                if self._known and not isfinite(inner):
                    raise UnreadableItem("a number of the document is not finite")
                value = by_value(inner) if kind is float else inner
            values[key] = value
            escaped = escaped or (is_dict and key[:1] == ESCAPE)
        if not is_dict:
            return list(values.values())
        if not escaped:
            return values
        unescaped = {unescape_name(name, self._profile, top=top): values[name] for name in values}
        # Only another program writes a special name beside its own escape; none may be lost.
        return unescaped if len(unescaped) == len(values) else values

    def _apply_mark(self, plain: Any, node: Node) -> Any:
        """Return what a leaf and its code stand for, or a dict around a list and its node."""
        kind, value = type(plain), None
        if kind is dict:
            value = self._unwrap(plain, node)
        elif type(node) is not str:
            value = None
        elif kind is str and node in _READERS:
            value = _READERS[node](plain)
        elif kind in NUMBERS and node[:1] == "d":
            value = self._decimal(plain, node[1:])
        elif kind in NUMBERS and node == "f":
            value = float(plain)
            value = value if isfinite(value) else None
        elif kind is datetime and node[:1] == "t":
            moment = at_offset(plain, node[1:])
            value = moment if offset_of(moment) == node[1:] else None
        if value is None:
            raise UnreadableItem(_MISFIT)
        return value

    def _unwrap(self, plain: dict[str, Any], node: Node) -> Any:
        inner = None
        if type(node) is list and len(node) == 2 and node[0] == WRAPPED:
            inner = node[1]
        elif node != WRAPPED:
            return None
        fits = plain.keys() == {WRAP} and type(plain[WRAP]) is list
        return self.container(plain[WRAP], inner) if fits else None

    def _decimal(self, plain: Number, exponent: str) -> Decimal | None:
        number = Decimal(repr(plain)) if isinstance(plain, float) else Decimal(plain)
        unit = Decimal((0, (1,), _number_from(exponent)))  # a power of ten
        if number:
            self._digits -= max(0, number.adjusted() - unit.adjusted())
            if self._digits < 0:
                return None
        value = quantized(number, unit)
        return value if value.is_finite() and not json_text.has_many_zeros(value) else None


_MISFIT: Final = "the type tree of the document does not suit its values"

NUMBERS: Final = (int, float, Decimal)

_NO_NODES: Final[dict[Any, Any]] = {}


def _nodes_in(
    node: Node, plain: dict[str, Any] | list[Any]
) -> tuple[dict[Any, Node | None], Node | None]:
    """Return the nodes of single members, by name or index, and the node of all others.

    There are no more of the former than members: looking through them costs no more either.
    """
    if type(plain) is dict:
        if type(node) is dict and node.keys() <= plain.keys():
            return node, None
        raise UnreadableItem(_MISFIT)
    common, listed = None, node
    if type(node) is list and len(node) == 1:
        return _NO_NODES, node[0]
    if type(node) is list and len(node) == 2:
        common, listed = node
    if type(listed) is not dict:
        raise UnreadableItem(_MISFIT)
    nodes: dict[Any, Node | None] = {}
    for text, inner in listed.items():
        index = _number_from(text)
        if not 0 <= index < len(plain):
            raise UnreadableItem(_MISFIT)
        nodes[index] = inner
    return nodes, common


@lru_cache(256)
def _number_from(text: str) -> int:
    number = int(text[:_LONGEST_NUMBER])
    if str(number) != text:
        raise UnreadableItem(_MISFIT)
    return number


def _int_from(text: str) -> int | None:
    if len(text.removeprefix("-")) > json_text.MOST_DIGITS:
        return None
    number = int(text)
    return number if str(number) == text else None


def _float_from(text: str) -> float | None:
    number = float(text)
    return number if isfinite(number) and repr(number) == text else None


def _decimal_from(text: str) -> Decimal | None:
    number = Decimal(text)
    return number if number.is_finite() and not json_text.has_many_zeros(number) else None


def _datetime_from(text: str) -> datetime | None:
    moment = from_text(text)
    return moment if moment.isoformat() == text else None


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "I": _int_from,
    "F": _float_from,
    "D": _decimal_from,
    "B": partial(a2b_base64, strict_mode=True),
    "T": _datetime_from,
}
"""By the codes of values that are held as strings; None for a string that such a value never is."""


def to_utc(moment: datetime) -> datetime | None:
    """Return the same moment in UTC; None where that is before year 1 or after 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def offset_of(moment: datetime) -> str:
    """Return the offset from UTC, as `isoformat` writes it: ``+02:00``; empty for UTC itself."""
    return str(timezone(moment.utcoffset() or timedelta()))[len("UTC") :]


def at_offset(moment: datetime, offset: str) -> datetime:
    """Return the same moment with this offset from UTC."""
    return moment.astimezone(_zone(offset))


def from_text(text: str) -> datetime:
    """Read what `isoformat` wrote of an aware datetime, the offset fixed.

    `datetime.fromisoformat` alone drops an offset of less than a second.
    """
    end = len("2000-01-01T00:00:00.000000" if "." in text[:20] else "2000-01-01T00:00:00")
    return datetime.fromisoformat(text[:end]).replace(tzinfo=_zone(text[end:]))


def _zone(offset: str) -> timezone:
    if offset[:1] not in {"+", "-"}:
        raise ValueError("an offset without a sign")
    clock = time.fromisoformat(offset[1:])
    span = timedelta(
        hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond
    )
    return timezone(-span if offset[0] == "-" else span)
