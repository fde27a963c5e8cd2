r"""Keys in the characters that every provider takes, reversibly.

Where a key is the id of a document, some providers take no ``/ \ ? #``, others no ``.`` or ``..``
alone and no ``__x__``; ``%`` is read twice on the way through URL paths. So a key is spelled in
``[A-Za-z0-9_.~:-]``: any other character becomes ``~`` and two hex digits for each of its UTF-8
bytes, and ``:`` stands between the parts.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 512
"""Characters; of the providers, none takes ids of less than 1,023 bytes."""

_EMPTY: Final = "~"
"""An empty part; no escape is shorter than three characters."""

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
