"""Encode an item as a provider's native document, and decode the document again."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from leeward.items.digest import digest
from leeward.items.names import RESERVED, is_system
from leeward.items.typetree import join, part, read_tree, tree_text

if TYPE_CHECKING:
    from leeward.items.profiles import Profile
    from leeward.values import Item

_WRITE_ID: Final = "w"
_EXPIRES: Final = "e"
_TYPES: Final = "t"
_DIGEST: Final = "d"


class Decoded(NamedTuple):
    """What a native document holds.

    Attributes:
        item: exactly what was encoded, unless `foreign`.
        write_id: of the write that leeward made last; None where it made none.
        expires_at: Unix seconds, as of that write; None for never.
        foreign: True where another program has written since, or alone: numbers are then int where
            integral, else Decimal, and other values as the provider holds them.
    """

    item: Item
    write_id: str | None
    expires_at: float | None
    foreign: bool


def encode(
    item: Item, profile: Profile, *, write_id: str, expires_at: float | None
) -> dict[str, Any]:
    """Return the native document of an item that `check_item` has passed.

    Args:
        item: left as it is; the document shares nothing with it that can change.
        profile: whose document.
        write_id: unique for the write.
        expires_at: Unix seconds, or None for never.

    Returns:
        The provider's JSON, name to native value: a DynamoDB item, a Cosmos document without its
        `id`, the `fields` of a Firestore document.
    """
    plain, tree = part(item, profile)
    types = tree_text(tree)
    ours = {
        _WRITE_ID: write_id,
        _EXPIRES: None if expires_at is None else profile.numbers.hold(expires_at),
        _TYPES: types,
        _DIGEST: digest(plain, types, profile.numbers),
    }
    plain[RESERVED] = {name: value for name, value in ours.items() if value is not None}
    return {name: profile.wire.write(value) for name, value in plain.items()}


def decode(native: dict[str, Any], profile: Profile) -> Decoded:
    """Return what a native document holds; the provider's own attributes of it are ignored.

    Raises:
        ValueError: it holds a type that the provider does not document.
    """
    read = profile.wire.read
    ours = _mapping(read(native[RESERVED])) if RESERVED in native else {}
    plain = {name: read(value) for name, value in native.items() if not is_system(name, profile)}
    types = _text(ours.get(_TYPES))
    known = ours.get(_DIGEST) == digest(plain, types, profile.numbers)
    return Decoded(
        item=join(plain, read_tree(types) if known else None, profile),
        write_id=_text(ours.get(_WRITE_ID)),
        expires_at=_seconds(ours.get(_EXPIRES)),
        foreign=not known,
    )


# Another program may have written anything at all in our attribute.


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(value: Any) -> float | None:
    return float(value) if type(value) in (int, float, Decimal) else None
