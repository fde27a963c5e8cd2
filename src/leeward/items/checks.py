"""Refuse what cannot be kept exactly, before it is sent, with the path to it and the remedy.

"Exactly what was stored" comes back, so only exact types are taken: an `IntEnum` would come back
as an int, an `OrderedDict` as a dict. JSON payloads pass the same walk with fewer types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.clock import has_offset
from leeward.errors import InvalidRequest

DEEPEST: Final = 64
"""Levels; far beyond the portable 20, and as many as an answer's JSON is read of
(`leeward.json_text`), so that what goes out can come back. In Firestore's JSON, lists in lists
nest six times as deep, and Python's recursion limit is 1,000."""

LONGEST_INT: Final = 4300
"""Digits that CPython converts between int and str (`sys.int_info.default_max_str_digits`)."""

_INT_END: Final = 10**LONGEST_INT


def check_item(item: object, field: str = "item") -> None:
    """Check that `item` is a dict that can be stored and comes back exactly.

    Raises:
        InvalidRequest: it cannot; `field` is the path to the value at fault, such as
            ``item['lines'][3]['price']``, and the message says what to do.
    """
    if type(item) is not dict:
        _refuse(field, f"is a {_type_name(item)}, and an item is a dict: use dict(...)")
    _check(item, field, _ITEM)


def check_json(value: object, field: str = "payload") -> None:
    """Check that `value` is JSON: None, bool, int, finite float, str, and lists and dicts of them.

    Raises:
        InvalidRequest: it is not; `field` is the path to the value at fault.
    """
    _check(value, field, _JSON)


_Flaw: TypeAlias = tuple[str, str]
"""The path from the value looked at to the one at fault, and what is wrong with that."""

_Faults: TypeAlias = Mapping[type, Callable[[Any], str | None]]
"""Of each exact type that may be kept, what is wrong with a value of it, or None."""


class _Vocabulary(NamedTuple):
    """What may be kept.

    Attributes:
        faults: the types that may, and what could still be wrong with their values.
        remedies: what to do about a value of another type; the first that fits.
    """

    faults: _Faults
    remedies: tuple[tuple[type | tuple[type, ...], str], ...]

    def remedy(self, value: object) -> str:
        for kinds, remedy in self.remedies:
            if isinstance(value, kinds):
                return remedy
        kept = ", ".join(sorted(kind.__name__ for kind in self.faults if kind is not type(None)))
        return f"turn it into None, {kept}, list or dict"


def _check(value: object, field: str, vocabulary: _Vocabulary) -> None:
    flaw = _find_flaw(value, vocabulary, 1)
    if flaw:
        _refuse(field + flaw[0], flaw[1])


def _refuse(path: str, fault: str) -> None:
    shown = path if len(path) <= 200 else f"{path[:120]}...{path[-60:]}"
    raise InvalidRequest(f"{shown} {fault}", field=path)


def _find_flaw(value: Any, vocabulary: _Vocabulary, depth: int) -> _Flaw | None:
    kind = type(value)
    look = vocabulary.faults.get(kind)
    if look is not None:
        fault = look(value)
        return ("", fault) if fault else None
    if kind is not dict and kind is not list:
        return "", f"is a {_type_name(value)}, which is not kept: {vocabulary.remedy(value)}"
    if depth > DEEPEST:
        return "", f"is more than {DEEPEST} levels deep, or contains itself: store it flatter"
    find = _find_in_dict if kind is dict else _find_in_list
    return find(value, vocabulary, depth + 1)


def _find_in_dict(value: dict[Any, Any], vocabulary: _Vocabulary, depth: int) -> _Flaw | None:
    for name, inner in value.items():
        if type(name) is not str:
            remedy = "its .value" if isinstance(name, Enum) else "str(...)"
            return "", f"has a name of type {_type_name(name)}, and names are str: use {remedy}"
        fault = _str_fault(name)
        flaw = ("", f"has a name that {fault}") if fault else _find_flaw(inner, vocabulary, depth)
        if flaw:
            return f"[{name!r}]{flaw[0]}", flaw[1]
    return None


def _find_in_list(value: list[Any], vocabulary: _Vocabulary, depth: int) -> _Flaw | None:
    for index, inner in enumerate(value):
        flaw = _find_flaw(inner, vocabulary, depth)
        if flaw:
            return f"[{index}]{flaw[0]}", flaw[1]
    return None


def _type_name(value: object) -> str:
    return type(value).__name__


def _no_fault(_: object) -> None:
    return None


def _str_fault(value: str) -> str | None:
    if value.isascii():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return (
            "holds a lone surrogate, which UTF-8 cannot spell: "
            "use .encode('utf-8', 'replace').decode(), or bytes"
        )
    return None


def _int_fault(value: int) -> str | None:
    if -_INT_END < value < _INT_END:
        return None
    return f"is an int of more than {LONGEST_INT} digits, which Python does not print: use hex(...)"


def _float_fault(value: float) -> str | None:
    if isfinite(value):
        return None
    return "is a float that is not finite, which not every store holds: use None or str(...)"


def _decimal_fault(value: Decimal) -> str | None:
    if value.is_finite():
        return None
    return "is a Decimal that is not finite, which no store holds: use None or str(...)"


def _datetime_fault(value: datetime) -> str | None:
    if has_offset(value):
        return None
    return "is a datetime without a timezone, so no moment: use .replace(tzinfo=...)"


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

_SCALARS: Final[_Faults] = {
    type(None): _no_fault,
    bool: _no_fault,
    int: _int_fault,
    float: _float_fault,
    str: _str_fault,
}

_JSON: Final = _Vocabulary(
    _SCALARS,
    (
        *_KIN,
        (Decimal, "JSON has no Decimal, use str(...)"),
        (bytes, "JSON has no bytes, use base64.b64encode(...).decode()"),
        ((date, time), "JSON has no times, use .isoformat()"),
    ),
)

_ITEM: Final = _Vocabulary(
    {
        **_SCALARS,
        bytes: _no_fault,
        datetime: _datetime_fault,
        Decimal: _decimal_fault,
    },
    (
        *_KIN,
        (Decimal, "use Decimal(...)"),
        (bytes, "use bytes(...)"),
        (datetime, "use datetime.fromisoformat(x.isoformat())"),
        ((date, time), "use .isoformat()"),
    ),
)
