"""Items as native documents, for those whose cloud keeps them: a profile, `encode` and `decode`."""

from __future__ import annotations

from leeward._items.decoding import Decoded, decode, digest_of
from leeward._items.encoding import encode, encode_value, native_expiry
from leeward._items.names import RESERVED, escape_key, escape_name, unescape_key
from leeward._items.profile import (
    EMBEDDED,
    DecimalModel,
    DoubleModel,
    Profile,
    TypedJson,
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
    "TypedJson",
    "by_value",
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
