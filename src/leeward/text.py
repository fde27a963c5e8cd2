"""What a text may hold: a name, a log line, a header, a URL, base64, a key; an exception's text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_FORBIDDEN = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"

BASE64 = r"(?=(?:.{4})+$)[A-Za-z0-9+/]+={0,2}"

UNRESERVED = "-._~"
"""Besides letters and digits; nowhere in a URL do they mean anything (RFC 3986, 2.3)."""

_UNQUOTED = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def is_printable(text: str) -> bool:
    """Return whether `text` has no control character, line separator or lone surrogate.

    `str.isprintable` is stricter (it also refuses a joiner between emoji), so its yes is enough
    and its no is looked into.
    """
    return text.isprintable() or re.search(_FORBIDDEN, text) is None


def is_token(text: object) -> bool:
    """Return whether `text` is text of visible ASCII, as a key or a token in a header must be.

    So the line break at the end of a mounted file has to be taken off first.
    """
    return isinstance(text, str) and re.fullmatch(r"[!-~]+", text) is not None


def is_base64(text: str) -> bool:
    """Return whether `text` is base64 in whole groups of four."""
    return re.fullmatch(BASE64, text) is not None


def percent_encode(text: str, unquoted: str = UNRESERVED) -> str:
    """Percent-encode everything but ASCII letters, digits and `unquoted`.

    By hand: `urllib.parse` takes longer to import than the plans that need it. Most texts need
    nothing, and no pattern is compiled for them.
    """
    if not text.encode().translate(None, _UNQUOTED + unquoted.encode()):
        return text
    return _others(unquoted).sub(
        lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), text
    )


@lru_cache(maxsize=8)
def _others(unquoted: str) -> re.Pattern[str]:
    return re.compile(f"[^A-Za-z0-9{re.escape(unquoted)}]")


def join_key(first: str, last: str) -> str:
    """Return ``FIRST#LAST``, a text that no other pair has.

    Where `first` has a ``#`` itself, or is empty, its length stands in front: ``#7#/shop#1#2``.
    """
    plain = f"{first}#{last}"
    return plain if first and "#" not in first else f"#{len(first)}#{plain}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return ``; did you mean 'NAME'?`` with the nearest of the known names; empty for none."""
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(names), n=1, cutoff=0.7)
    return f"; did you mean {near[0]!r}?" if near else ""


def message_of(error: BaseException) -> str | None:
    """Return the text of an exception; None where it has none: its ``__str__`` may do anything."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - somebody else's class
        return None


def text_behind(prefix: str) -> str | None:
    """Return the least text behind all that begin with `prefix`; None if nothing is."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    # Behind U+D7FF come the surrogates, which are not characters.
    return kept[:-1] + ("\ue000" if kept[-1] == "\ud7ff" else chr(ord(kept[-1]) + 1))
