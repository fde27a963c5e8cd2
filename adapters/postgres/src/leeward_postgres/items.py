"""Items as rows: `jsonb` that other programs can read and query, and beside it what that lacks.

`jsonb` holds no character NUL. An item that has one is kept as text beside a likeness of it, in
which each NUL is a replacement character; once another program has changed the likeness, that
counts.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final, TypeVar

from leeward import json_text
from leeward.adapter.items import RESERVED, DoubleModel, Profile, by_value, decode, encode
from leeward.calls import Key, Store, Stored
from leeward.json_text import INT_END, MOST_DIGITS

T = TypeVar("T", str, "str | None")


class JsonbNumbers(DoubleModel):
    """Numbers of `jsonb`, which has decimals, as Python writes and reads them in JSON.

    What has a fraction is read as a double, so a Decimal that no double tells exactly is text. What
    has none is an integer, for `jsonb` writes out all digits of 1e22.
    """

    __slots__ = ()

    def hold(self, value: float | Decimal) -> float | None:
        """Return the int or float, if it loses nothing."""
        if type(value) is Decimal and value and abs(value.adjusted()) > MOST_DIGITS:
            return None  # before anything else: written out, it might fill the memory
        number = by_value(value)
        if isinstance(number, int):
            return number if -INT_END < number < INT_END else None
        double = float(number)
        return double if Decimal(repr(double)) == number else None

    def spell(self, number: float | Decimal) -> str:
        """Spell a number by its value."""
        plain = by_value(number)
        return str(plain) if isinstance(plain, int) else repr(float(plain))


PROFILE: Final = Profile("postgres", JsonbNumbers(integers=None, decimals=True))

DEEPEST: Final = 2 * json_text.DEEPEST
"""Of a document: leeward writes at most half of that, another program may have gone deeper."""

_EXACT: Final = "x"
"""The text of an item, among what is leeward's, where `jsonb` cannot hold it."""

_NUL: Final = "\\u0000"
_LIKENESS: Final = "\\ufffd"


def row_of(call: Store) -> tuple[str, str]:
    """Return what is kept of the item of a store: `item` and `leeward`, as JSON texts."""
    document = encode(call.item, PROFILE, write_id=call.write_id, expires_at=call.expires_at)
    ours = document.pop(RESERVED)
    text = json_text.encode(document).decode()
    if _NUL in text:
        ours[_EXACT] = text
        text = text.replace(_NUL, _LIKENESS)
    return text, json_text.encode(ours).decode()


def stored_of(
    item: str, leeward: str, revision: str, expires_at: float | None, *, exact: bool
) -> Stored:
    """Return the item of a row.

    Raises:
        ValueError: another program has made it unreadable.
    """
    native, ours = _object(item), _object(leeward)
    text = ours.pop(_EXACT, None)
    if type(text) is str:
        kept = _object(text)
        # In the likeness two names may be one, of which `json` takes the last, as `jsonb` does.
        if json.loads(text.replace(_NUL, _LIKENESS)) == native:
            native = kept
    decoded = decode(native | {RESERVED: ours}, PROFILE, exact=exact)
    stored = Stored(decoded.item, revision, decoded.write_id, expires_at, decoded.foreign)
    return stored._replace(lost=decoded.lost) if exact else stored


def _object(text: str) -> dict[str, Any]:
    value = json_text.decode(text, deepest=DEEPEST)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def key_values(key: Key) -> list[str]:
    """Return the values of a key as `text` holds them: without NUL, and in the same order."""
    return [text_of(value) for value in key.values]


def text_of(value: T) -> T:
    """Return a text without NUL, different for different texts, and in the same order."""
    if value and ("\x00" in value or "\x01" in value):
        return value.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01")
    return value


def original_of(text: T) -> T:
    """Return what `text_of` was given."""
    if text and "\x01" in text:
        return text.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01")
    return text
