"""Encode an item as a provider's native document.

One walk makes the native values, the type tree (see `typetree`) and the spelling for the digest.

The digest is of a document's meaning: the same however a provider spells it. Providers re-order
names, drop trailing zeros, print 1.0 as 1 and times with more or fewer digits. So what is hashed is
not their JSON but the plain values, each in one spelling:

=============  =============================================================================
None           ``z;``
True, False    ``y;``, ``x;``
a number       ``n1.5;`` as the profile's `numbers` spell it
a string       ``s1:x``, with its length in code points
bytes          ``bAAE=;`` in base64
a datetime     ``t2024-01-01T12:00:00+00:00;``
a list         ``l2;`` with the number of elements, and these
a dict         ``m1;1:an1;`` with the number of members, and these in the order of their names
=============  =============================================================================

A document is spelled as a list of two: its attributes, and the text of its type tree or None.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from math import ceil
from typing import Any, Final, TypeAlias

from leeward import json_text
from leeward._items.names import EXPIRES, RESERVED, escape_name
from leeward._items.profile import DoubleModel, Profile, decimal_text
from leeward._items.typetree import WRAP, WRAPPED, Node, list_node, offset_of, to_utc
from leeward.records import NamedTuple
from leeward.values import Item, Json

_YEAR_10000: Final = 253_402_300_800
"""Unix seconds; no `datetime` is later, nor is any provider's timestamp."""

_LONGEST_TTL: Final = 2**31 - 1  # seconds; a `ttl` is a 32-bit number.

_MARGIN: Final = 3600.0
"""Seconds by which a provider's expiry is later than leeward's, which counts: as far as the clocks
of two readers may differ. Some providers count from the whole second before a write."""


def encode(
    item: Item, profile: Profile, *, write_id: str, expires_at: float | None
) -> dict[str, Any]:
    """Return the native document of an item that `checked_size` has passed.

    Args:
        item: left as it is; the document shares nothing with it that can change.
        profile: whose document.
        write_id: unique for the write.
        expires_at: Unix seconds, or None for never.

    Returns:
        The provider's JSON, name to native value, without what the provider itself adds, such as
        the document's id.
    """
    document: dict[str, Any]
    document, tree, spelling = _encode(item, profile, top=True)
    types = None if tree is None else json_text.encode(tree).decode()
    expiry = None if expires_at is None else profile.numbers.hold(expires_at)
    ours = {"w": encode_value(write_id, profile)}
    if expiry is not None:
        ours["e"] = encode_value(expiry, profile)
    if types is not None:
        ours["t"] = encode_value(types, profile)
    ours["d"] = encode_value(digest(spelling, types), profile)
    document[RESERVED] = encode_value(ours, profile)
    return document


def encode_value(plain: Any, profile: Profile) -> Any:
    """Return the native value of a plain one; a list or dict has native values inside already."""
    if profile.typed_json is None:
        return plain
    label, change = profile.typed_json.write[type(plain)]
    return {label: plain if change is None else change(plain)}


def native_expiry(profile: Profile, expires_at: float | None, now: float) -> tuple[str, Any] | None:
    """Return the attribute that tells the provider when it may collect an item, with its value.

    Set it on the document that `encode` returned; `decode` ignores it. It is for collecting
    garbage and no more: the expiry that counts is in the reserved attribute, and some hide an
    item at once. So it is an hour later, rounded up to the second, and None where
    the provider cannot be told a time so late, where `expires_at` is None, and where the profile
    knows no expiry. Both times are Unix seconds.
    """
    if expires_at is None or profile.expiry is None:
        return None
    expires_at += _MARGIN
    if expires_at >= _YEAR_10000 - 1:
        return None
    if profile.expiry == "ttl":
        ttl = max(1, ceil(expires_at - now))
        return ("ttl", encode_value(ttl, profile)) if ttl <= _LONGEST_TTL else None
    due = ceil(expires_at)
    moment = datetime.fromtimestamp(due, UTC) if profile.expiry == "timestamp" else due
    return EXPIRES, encode_value(moment, profile)


def _encode(  # noqa: C901, PLR0912, PLR0915 - leaves stand inline: each call costs as much again
    value: dict[str, Any] | list[Any], profile: Profile, *, top: bool = False
) -> tuple[Any, Node | None, str]:
    """Encode all of a container in one walk.

    Returns:
        A dict or list of native values, its node, and its spelling for the digest.
    """
    is_dict = type(value) is dict
    write = None if profile.typed_json is None else profile.typed_json.write
    system_names = profile.system_names if top else ()
    integers = profile.numbers.integers
    has_doubles = type(profile.numbers) is DoubleModel
    natives: dict[Any, Any] = {}  # by name or index, as are the next two
    nodes: dict[Any, Node] = {}
    spellings: dict[Any, str] = {}
    members: Any = value.items() if type(value) is dict else enumerate(value)
    for key, inner in members:
        kind, native, node = type(inner), inner, None
        if kind is str:
            spelling = f"s{len(inner)}:{inner}"
        elif kind is int and (integers is None or inner in integers):
            spelling = f"n{inner};"
        elif kind is bool or inner is None:
            spelling = CONSTANTS[inner]
        elif kind is dict:
            native, node, spelling = _encode(inner, profile)
        elif kind is list:
            native, node, spelling = _encode(inner, profile)
            if not is_dict and not profile.nested_lists:
                # The dict of one around a list of native values that stands in a list.
                kind, node = dict, WRAPPED if node is None else [WRAPPED, node]
                native = {WRAP: encode_value(native, profile)}
                spelling = f"m1;{len(WRAP)}:{WRAP}{spelling}"
        elif kind is float and has_doubles and not inner.is_integer():
            node, spelling = "f", f"n{inner!r};"
        else:
            kind, native, node, spelling = LEAVES[kind](inner, profile)
        if write is not None and kind is not NativeValue:
            label, change = write[kind]
            native = {label: native if change is None else change(native)}
        name = key
        if is_dict:
            if key[:1] in _ESCAPED or key in system_names:
                name = escape_name(key, profile, top=top)
            spelling = f"{len(name)}:{name}{spelling}"
        natives[name] = native
        spellings[name] = spelling
        if node is not None:
            nodes[name] = node
    if is_dict:
        ordered = map(spellings.__getitem__, sorted(spellings))
        return natives, nodes or None, f"m{len(natives)};{''.join(ordered)}"
    node = list_node(nodes, len(natives)) if nodes else None
    return list(natives.values()), node, f"l{len(natives)};{''.join(spellings.values())}"


_ESCAPED: Final = "~_"
"""What a name begins with that may be escaped; the empty name, which is, passes as well."""

_Encoded: TypeAlias = tuple[type, Any, Node | None, str]
"""The type of a plain value, the value itself, its node and its spelling."""


def _encode_number(value: float, profile: Profile) -> _Encoded:
    """Encode a float, or an int that is not held."""
    held = profile.numbers.hold(value) if value or repr(value) != "-0.0" else None
    if held is None:
        return _encode_text(str(value), "I" if type(value) is int else "F")
    return type(held), held, "f", f"n{profile.numbers.spell(held)};"


def _encode_decimal(value: Decimal, profile: Profile) -> _Encoded:
    text = decimal_text(value)
    held = profile.numbers.hold(value) if value or not value.is_signed() else None
    if held is None:
        return _encode_text(text, "D")
    digits, scientific, _ = text.partition("E")
    exponent = value.as_tuple().exponent if scientific else -len(digits.partition(".")[2])
    reads_alike = int(exponent) < 0 and digits[-1] != "0"
    node = None if reads_alike else f"d{exponent}"
    return type(held), held, node, f"n{profile.numbers.spell(held)};"


def _encode_bytes(value: bytes, profile: Profile) -> _Encoded:
    text = b2a_base64(value, newline=False).decode("ascii")
    return (bytes, value, None, f"b{text};") if profile.binary else _encode_text(text, "B")


def _encode_datetime(value: datetime, profile: Profile) -> _Encoded:
    moment = to_utc(value) if profile.timestamps else None
    if moment is None:
        return _encode_text(value.isoformat(), "T")
    offset = offset_of(value)
    return datetime, moment, f"t{offset}" if offset else None, f"t{moment.isoformat()};"


def _encode_text(text: str, code: str) -> _Encoded:
    """Encode a value of a type that the provider does not have."""
    return str, text, code, f"s{len(text)}:{text}"


def _encode_native(value: NativeValue, profile: Profile) -> _Encoded:
    """Encode what only this provider has.

    No document is spelled so: its digest does not fit, and who reads the document finds it written
    by another program, as it was.
    """
    if value.model != profile.name:
        raise TypeError(f"{profile.name} does not hold a value of {value.model}")
    return NativeValue, value.raw, None, "?;"


HEX_DIGITS: Final = 32  # 128 bits: this notices changes; it does not prove who made them.

CONSTANTS: Final = {None: "z;", True: "y;", False: "x;"}

_UNFED: Final = sha256()  # OpenSSL looks its algorithm up for each new hash, and not for a copy


def digest(attributes: str, types: str | None) -> str:
    """Return the digest of a document, in hex."""
    tree = CONSTANTS[None] if types is None else f"s{len(types)}:{types}"
    hashed = _UNFED.copy()
    # Another program may have stored half a surrogate pair, which strict UTF-8 refuses.
    hashed.update(f"l2;{attributes}{tree}".encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()[:HEX_DIGITS]


class NativeValue(NamedTuple):
    """A value that only one provider has, kept as it is where a backup would lose it else.

    Another program may store what no item has: a set, a point, a reference, a vector, a number that
    is not finite, a double without a fraction. `load_data` returns the nearest plain value of it.
    An exact read has a `NativeValue` in its place, of which `encode` writes the same value again.

    Attributes:
        model: the name of the provider's data model.
        raw: the value in the provider's own JSON.
        plain: what `load_data` returns of it; None for a number that is not finite.
    """

    model: str
    raw: Json
    plain: Any

    def __repr__(self) -> str:
        return f"NativeValue({self.model!r})"

    @property
    def is_number(self) -> bool:
        """Whether it is a number whose plain value is equal: only its native type is its own."""
        return type(self.plain) in (int, Decimal)


def natives_in(value: Any, path: str = "") -> Iterator[tuple[str, NativeValue]]:
    """Yield each `NativeValue` of an item, and the path to it, as ``['tags']``."""
    kind = type(value)
    if kind is NativeValue:
        yield path, value
    elif kind is dict or kind is list:
        members: Any = value.items() if kind is dict else enumerate(value)
        for key, inner in members:
            if type(inner) in (dict, list, NativeValue):
                yield from natives_in(inner, f"{path}[{key!r}]")


def without_natives(value: Any) -> Any:
    """Return an item with the plain value of each `NativeValue` in its place."""
    kind = type(value)
    if kind is NativeValue:
        return value.plain
    if kind is dict:
        return {name: without_natives(inner) for name, inner in value.items()}
    return [*map(without_natives, value)] if kind is list else value


LEAVES: Final[dict[type, Callable[[Any, Profile], _Encoded]]] = {
    int: _encode_number,
    float: _encode_number,
    Decimal: _encode_decimal,
    bytes: _encode_bytes,
    datetime: _encode_datetime,
    NativeValue: _encode_native,
}
"""What encodes a value that stands in no JSON as it is, by its type."""
