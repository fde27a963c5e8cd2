"""Items as native documents, for those whose cloud keeps them: a profile, `encode` and `decode`."""

from __future__ import annotations

from leeward.items.checks import Size, checked_size
from leeward.items.decoding import Decoded, decode, digest_of
from leeward.items.encoding import encode, encode_value, native_expiry
from leeward.items.keys import escape_key, unescape_key
from leeward.items.names import RESERVED, escape_name
from leeward.items.profile import (
    EMBEDDED,
    DecimalModel,
    DoubleModel,
    Profile,
    TypedJson,
    UnreadableItem,
    by_value,
    decimal_text,
)

__all__ = [
    "EMBEDDED",
    "RESERVED",
    "DecimalModel",
    "Decoded",
    "DoubleModel",
    "Profile",
    "Size",
    "TypedJson",
    "UnreadableItem",
    "by_value",
    "checked_size",
    "decimal_text",
    "decode",
    "digest_of",
    "encode",
    "encode_value",
    "escape_key",
    "escape_name",
    "native_expiry",
    "unescape_key",
]
