"""Refuse what cannot be kept exactly, before it is sent, with the path to it and the remedy.

"Exactly what was stored" comes back, so only exact types are taken: an `IntEnum` would come back
as an int, an `OrderedDict` as a dict. JSON payloads pass a like walk with fewer types.

The walk over an item measures it too, for the narrowest of the providers' limits: an estimate from
above, type tree included, for to encode an item only to measure it would cost as much again.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final, TypeAlias

from leeward.clock import has_offset
from leeward.errors import InvalidRequest
from leeward.json_text import DEEPEST, INT_END, MOST_DIGITS, MOST_EXPONENT, has_many_zeros
from leeward.records import NamedTuple

_NATIVE_INTS: Final = range(1 - 10**38, 10**38)
"""Integers that need no mark in the type tree, wherever the limit on size is near."""

_RESERVED: Final = 200
"""Bytes of the reserved attribute without its tree, and of the native expiry."""

_VALUE: Final = 4
"""Bytes for each value besides its text; the narrowest provider counts 1 for each thing in a list
or map."""

_CONTAINER: Final = 16
"""Bytes for each list or dict; the narrowest provider counts 4, and another, whose limit is 1 MiB,
38 in the worst case."""

_CODE: Final = len('"f"')
_ENTRY: Final = len('"":,')
_BRACES: Final = len("{}")  # bytes of the type tree's JSON


class Size(NamedTuple):
    """The size of an item.

    Attributes:
        bytes: names, values and what leeward adds; no provider counts more of those whose limit
            is near.
        depth: 1 for a flat item, and 1 more for each list or dict inside another; a list directly
            inside a list counts twice, for where a map has to stand between them.
    """

    bytes: int
    depth: int


def checked_size(item: object, field: str = "item") -> Size:
    """Check that `item` is a dict that can be stored and comes back exactly; return its size.

    Raises:
        InvalidRequest: it cannot; `field` is the path to the value at fault, such as
            ``item['lines'][3]['price']``, and the message says what to do.
    """
    if type(item) is not dict:
        maker = "dataclasses.asdict" if hasattr(item, "__dataclass_fields__") else "dict"
        raise _refusal(field, f"is of type {_type_name(item)}, not a dict: use {maker}(...)")
    try:
        size, node, depth = _walk(item, 1, _ITEM)
        return Size(_RESERVED + size + node, depth)
    except _Flaw as error:
        flaw = error
    raise _refusal(field + "".join(reversed(flaw.steps)), flaw.fault)


def check_json_closely(value: object, field: str) -> None:
    """Check by a walk that `value` is JSON: for `check_json`, which knows most of it at sight."""
    flaw = json_flaw(value)
    if flaw is not None:
        raise _refusal(field + "".join(flaw.steps), flaw.fault)


class JsonFlaw(NamedTuple):
    """Where a value is not JSON.

    Attributes:
        steps: that lead there, such as ``['price']`` and ``[0]``, the outermost first.
        fault: what is wrong there, and what to do; it follows the place, and names types alone.
    """

    steps: list[str]
    fault: str


def json_flaw(value: object) -> JsonFlaw | None:
    """Return where `value` is not JSON; None if it is."""
    try:
        _walk([value], 0, _JSON)
    except _Flaw as flaw:
        # Without the step into the list that is around the value here.
        return JsonFlaw(flaw.steps[-2::-1], flaw.fault)
    return None


class _Flaw(Exception):
    """A value that is not kept, and the `steps` from it out to where the walk began."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault
        self.steps: list[str] = []


def _refusal(path: str, fault: str) -> InvalidRequest:
    shown = path if len(path) <= 200 else f"{path[:120]}...{path[-60:]}"
    return InvalidRequest(f"{shown} {fault}", field=path)


_Remedies: TypeAlias = tuple[tuple[type | tuple[type, ...], str], ...]
"""What to do about a value of a type that is not kept; the first that fits."""


def _walk(  # noqa: C901, PLR0912, PLR0915 - leaves stand inline: each call costs as much again
    container: Any, level: int, remedies: _Remedies
) -> tuple[int, int, int]:
    """Check all of a dict or list, and measure it if it is of an item.

    Returns:
        Bytes of the container, bytes of its node in the type tree (0 for none), and its depth.
    """
    if level > DEEPEST:
        raise _Flaw(f"is more than {DEEPEST} levels deep, or contains itself: store it flatter")
    is_dict, is_item = type(container) is dict, remedies is _ITEM
    size, nodes, deepest, has_plain_names = _CONTAINER, 0, 0, not is_dict
    if is_dict and {*map(type, container)} <= {str} and (names := "".join(container)).isascii():
        size, has_plain_names = size + len(names), True  # most are counted at once
    digits = len(str(len(container)))  # of an index, at most
    members: Any = container.items() if is_dict else enumerate(container)
    for key, value in members:
        if not has_plain_names and type(key) is not str:
            remedy = "its .value" if isinstance(key, Enum) else "str(...)"
            raise _Flaw(f"has a name of type {_type_name(key)}, and names are str: use {remedy}")
        try:
            if not has_plain_names:
                size += len(key) if key.isascii() else _utf8(key, "has a name that ")
            kind, node = type(value), 0
            if kind is str:
                size += _VALUE + (len(value) if value.isascii() else _utf8(value))
            elif kind is int:
                if not -INT_END < value < INT_END:
                    raise _Flaw(_TOO_LONG)
                if is_item:
                    size += _VALUE + len(str(value))
                    node = 0 if value in _NATIVE_INTS else _CODE
            elif kind is bool or value is None:
                size += _VALUE + len(str(value))
            elif kind is dict or kind is list:
                inner, node, depth = _walk(value, level + 1, remedies)
                size += inner
                depth += kind is list and not is_dict
                deepest = max(deepest, depth)
            elif kind is float:
                if not isfinite(value):
                    raise _Flaw(_NOT_FINITE)
                if is_item:
                    size += _VALUE + len(repr(value))
                    node = _CODE
            else:
                inner, node = _leaf(value, remedies)
                size += inner
            if node:
                nodes += _ENTRY + node + (_as_json(key) if is_dict else digits)
        except _Flaw as flaw:
            flaw.steps.append(f"[{key!r}]")
            raise
    return size, nodes and nodes + _BRACES, deepest + 1


def _leaf(value: Any, remedies: _Remedies) -> tuple[int, int]:
    """Check and measure a value of a type that JSON has not."""
    kind = type(value)
    if remedies is _JSON or kind not in {bytes, Decimal, datetime}:
        remedy = next(remedy for kinds, remedy in remedies if isinstance(value, kinds))
        raise _Flaw(f"is a {_type_name(value)}, which is not kept: {remedy}")
    if kind is bytes:
        return _VALUE + (len(value) + 2) // 3 * 4, 0  # as base64
    if kind is datetime:
        if not has_offset(value):
            raise _Flaw("is a datetime without a timezone, so no moment: use .replace(tzinfo=...)")
        return _VALUE + len(str(value)), _CODE
    if not value.is_finite():
        raise _Flaw("is a Decimal that is not finite, which no store holds: use None or str(...)")
    if abs(value.adjusted()) > MOST_EXPONENT and has_many_zeros(value):
        raise _Flaw(
            f"is a Decimal with an exponent beyond {MOST_EXPONENT}, whose zeros fill the memory of "
            "who writes it out: use str(...)"
        )
    text = len(str(value))
    return _VALUE + text, _CODE + text  # an exponent is no longer than its number


def _as_json(name: str) -> int:
    # A control character takes six bytes in JSON, and no character takes more.
    return len(name) if name.isascii() and name.isidentifier() else 6 * len(name)


def _utf8(text: str, where: str = "") -> int:
    """Return the bytes of `text`."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        pass
    raise _Flaw(
        f"{where}holds a lone surrogate, which UTF-8 cannot spell: "
        "use .encode('utf-8', 'replace').decode(), or bytes"
    )


def _type_name(value: object) -> str:
    return type(value).__name__


_TOO_LONG: Final = (
    f"is an int of more than {MOST_DIGITS} digits, which Python does not print: use hex(...)"
)
_NOT_FINITE: Final = (
    "is a float that is not finite, which not every store holds: use None or str(...)"
)

_KIN: Final = (
    (Enum, "use its .value"),  # first: an IntEnum is an int too, and int(...) is not its name
    ((tuple, set, frozenset), "use list(...)"),
    ((bytearray, memoryview), "use bytes(...)"),
    (int, "use int(...)"),
    (float, "use float(...)"),
    (str, "use str(...)"),
    (list, "use list(...)"),
    (dict, "use dict(...)"),
    (timedelta, "use .total_seconds()"),
)
"""Relatives of types that are kept, and what to do about them."""

_JSON: Final[_Remedies] = (
    *_KIN,
    (Decimal, "JSON has no Decimal, use str(...)"),
    (bytes, "JSON has no bytes, use base64.b64encode(...).decode()"),
    ((date, time), "JSON has no times, use .isoformat()"),
    (object, "turn it into None, bool, float, int, str, list or dict"),
)

_ITEM: Final[_Remedies] = (
    *_KIN,
    (Decimal, "use Decimal(...)"),
    (bytes, "use bytes(...)"),
    (datetime, "use datetime.fromisoformat(x.isoformat())"),
    ((date, time), "use .isoformat()"),
    (object, "turn it into None, Decimal, bool, bytes, datetime, float, int, str, list or dict"),
)
