"""What the value of an OK result is, for the calls of objects."""

from __future__ import annotations

from typing import Any, Final

from leeward.calls import (
    Call,
    FoundObject,
    GetObject,
    HeadObject,
    Listing,
    ListObjects,
    Piece,
    PutObject,
)

_VALUES: Final[dict[type, type | tuple[type, ...]]] = {
    PutObject: str,
    GetObject: (Piece, type(None)),
    HeadObject: (FoundObject, type(None)),
    ListObjects: Listing,
}


def is_sound(call: Call, value: Any) -> bool:
    """Return whether `value` is of the kind that `call` gives."""
    return isinstance(value, _VALUES.get(type(call), object))
