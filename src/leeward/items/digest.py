"""A digest of a document's meaning: the same however a provider spells it.

Providers re-order names, drop trailing zeros, print 1.0 as 1 and times with more or fewer digits.
So what is hashed is not their JSON but the plain values, each in one spelling: a letter for the
type, then a length and a colon before text, a semicolon after anything else. ``{"a": [1, "x"]}``
is ``m1;1:al2;n1;s1:x``. Lengths count code points, and names come in their order.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from leeward.items.numbers import NumberModel

HEX_DIGITS: Final = 32
"""128 bits: this notices changes; it does not prove who made them."""

_UNFED: Final = sha256()
"""OpenSSL looks its algorithm up for each new hash, and not for a copy."""


def digest(plain: dict[str, Any], types: str | None, numbers: NumberModel) -> str:
    """Return the digest of an item's plain attributes and of its type tree's text, in hex."""
    spelled: list[str] = []
    _spell([plain, types], numbers, spelled)
    # Another program may have stored half a surrogate pair, which strict UTF-8 refuses.
    hashed = _UNFED.copy()
    hashed.update("".join(spelled).encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()[:HEX_DIGITS]


def _spell(value: Any, numbers: NumberModel, spelled: list[str]) -> None:
    kind = type(value)
    if kind is str:
        spelled.append(f"s{len(value)}:{value}")
    elif kind is dict:
        spelled.append(f"m{len(value)};")
        for name in sorted(value):
            spelled.append(f"{len(name)}:{name}")
            _spell(value[name], numbers, spelled)
    elif kind is list:
        spelled.append(f"l{len(value)};")
        for inner in value:
            _spell(inner, numbers, spelled)
    elif kind in _SPELLERS:
        spelled.append(_SPELLERS[kind](value))
    else:
        spelled.append(f"n{numbers.spell(value)};")


_SPELLERS: Final[dict[type, Callable[[Any], str]]] = {
    type(None): lambda _: "z;",
    bool: lambda value: "y;" if value else "x;",
    bytes: lambda value: f"b{b2a_base64(value, newline=False).decode('ascii')};",
    datetime: lambda value: f"t{value.isoformat()};",
}
