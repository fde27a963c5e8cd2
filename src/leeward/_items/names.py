r"""Names and keys in what every provider takes, reversibly.

An attribute name that a provider, or leeward, gives a meaning of its own is escaped by one ``~``
before it. A name that begins with ``~`` is escaped as well, so a ``~`` is taken away again exactly
where the rest would have needed it, and every other name, ``~like this one`` that another program
wrote included, stays as it is.

Where a key is the id of a document, some providers take no ``/ \ ? #``, others no ``.`` or ``..``
alone and no ``__x__``; ``%`` is read twice on the way through URL paths. So a key is spelled in
``[A-Za-z0-9_.~:-]``: any other character becomes ``~`` and two hex digits for each of its UTF-8
bytes, and ``:`` stands between the parts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from leeward._items.profile import Profile

RESERVED: Final = "_leeward"
"""The attribute beside an item's own; every top-level name that begins so is leeward's."""

EXPIRES: Final = "_leeward_expires"
"""The attribute that a provider's garbage collection looks at."""

ESCAPE: Final = "~"


def longest_name(value: Any) -> int:
    """Return the bytes of the longest name in an item, escaped wherever it may have to be."""
    if type(value) is list:
        return max(map(longest_name, value), default=0)
    if type(value) is not dict:
        return 0
    lengths = (len(name.encode("utf-8", "replace")) + (name[:1] in (ESCAPE, "_")) for name in value)
    return max([*lengths, *map(longest_name, value.values())], default=0)


def escape_name(name: str, profile: Profile, *, top: bool) -> str:
    """Return the native name of an attribute; `top` says that it is the item's own."""
    return ESCAPE + name if _is_special(name, profile, top=top) else name


def unescape_name(native: str, profile: Profile, *, top: bool) -> str:
    """Return the name whose native name this is."""
    if native.startswith(ESCAPE) and _is_special(native[1:], profile, top=top):
        return native[1:]
    return native


def _is_special(name: str, profile: Profile, *, top: bool) -> bool:
    return (
        not name
        or name.startswith(ESCAPE)
        or (top and (name.startswith(RESERVED) or name in profile.system_names))
        or (profile.dunder_names_reserved and name.startswith("__") and name.endswith("__"))
    )


LONGEST: Final = 512  # characters; of the providers, none takes ids of less than 1,023 bytes.
_EMPTY: Final = "~"  # an empty part; no escape is shorter than three characters.

_CUT: Final = "~~"
"""Between the beginning of a long key and its hash; no other escape contains it."""

_UNSAFE: Final = r"^\.|^_(?=_)|[^A-Za-z0-9_.-]"
_ESCAPED: Final = rb"~([0-9a-f]{2})"


def escape_key(*parts: str) -> str:
    """Spell the parts of a key as one text, different for different keys.

    At most 512 characters: of a longer one, the beginning and the SHA-256 of the whole.
    """
    text = ":".join(re.sub(_UNSAFE, _escape, part) or _EMPTY for part in parts)
    if len(text) <= LONGEST:
        return text
    from hashlib import sha256

    tail = _CUT + sha256(text.encode()).hexdigest()
    return text[: LONGEST - len(tail)] + tail


def unescape_key(text: str) -> tuple[str, ...] | None:
    """Return the parts that `escape_key` made `text` of.

    None where it is a long key, whose parts only the item itself holds, or not one of leeward's.
    """
    try:
        parts = tuple(_unescape(part) for part in text.split(":"))
    except UnicodeDecodeError:
        return None
    return parts if escape_key(*parts) == text else None


def _escape(match: re.Match[str]) -> str:
    return "".join(f"~{byte:02x}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _unescape(part: str) -> str:
    if part == _EMPTY:
        return ""
    raw = part.encode("utf-8", "surrogatepass")
    return re.sub(_ESCAPED, lambda match: bytes.fromhex(match[1].decode()), raw).decode(
        "utf-8", "surrogatepass"
    )
