"""DynamoDB's data model: attribute values, ``{"S": "text"}``, ``{"N": "1.5"}``, ``{"M": {...}}``.

Source: DynamoDB API reference, data type `AttributeValue`. In JSON, binary is base64.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from decimal import Decimal
from operator import not_
from typing import Any, Final

from leeward.adapter.items import DecimalModel, Profile, TypedJson, by_value, decimal_text
from leeward.calls import UnreadableItem

_LARGEST: Final = 125
"""The exponent of the largest number. An answer with a larger one would be a bomb for int()."""


def _write_bytes(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode("ascii")


def _read_number(text: Any) -> int | Decimal:
    if type(text) is not str:
        raise UnreadableItem("a number of the document is not a string")
    if text.isdecimal() and len(text) <= _LARGEST:
        return int(text)
    number = Decimal(text)
    if not number.is_finite() or number.adjusted() > _LARGEST:
        raise UnreadableItem("the document has a number beyond those that DynamoDB documents")
    if "." in text and text[-1] in "123456789" and "E" not in text and "e" not in text:
        return number  # a fraction without trailing zeros, which is what `by_value` makes of it
    return by_value(number)


# A set comes in any order; sorted, the same set gives the same list and the same digest.


def _read_strings(elements: Any) -> list[str]:
    if not all(type(element) is str for element in elements):
        raise UnreadableItem("a set of strings of the document has something else in it")
    return sorted(elements)


def _keep_numbers(_: Any, elements: list[int | Decimal]) -> list[str]:
    return [
        decimal_text(element) if isinstance(element, Decimal) else str(element)
        for element in elements
    ]


DYNAMODB: Final = Profile(
    name="DynamoDB",
    # The service takes 38 digits and 1E-130 to 9.99E+125. But it answers with all digits written
    # out, and boto3 refuses to read more than 38, zeros included (its issues 2500 and 4693), or 38
    # below 1E-128: one such number would make the whole item unreadable to it.
    numbers=DecimalModel(integers=range(1 - 10**38, 10**38), digits=38, exponents=range(-128, 38)),
    typed_json=TypedJson(
        write={
            type(None): ("NULL", not_),  # None is written as true
            bool: ("BOOL", None),
            str: ("S", None),
            int: ("N", str),
            Decimal: ("N", decimal_text),
            bytes: ("B", _write_bytes),
            list: ("L", None),
            dict: ("M", None),
        },
        same={"BOOL": bool, "S": str, "L": list, "M": dict},
        read={
            "NULL": lambda _: None,
            "N": _read_number,
            "B": a2b_base64,
            "SS": _read_strings,
            "NS": lambda elements: sorted(map(_read_number, elements)),
            "BS": lambda elements: sorted(map(a2b_base64, elements)),
        },
        kept={
            "SS": lambda _, elements: elements,
            "NS": _keep_numbers,
            "BS": lambda _, elements: [*map(_write_bytes, elements)],
        },
    ),
    binary=True,
    expiry="epoch",
)
