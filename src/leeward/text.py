"""Text that may stand in a name, a header or a log line, and the text of somebody's exception."""

from __future__ import annotations

import re

_FORBIDDEN = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"


def is_printable(text: str) -> bool:
    """Return whether `text` has no control character, line separator or lone surrogate.

    `str.isprintable` is stricter (it also refuses a joiner between emoji), so its yes is enough
    and its no is looked into.
    """
    return text.isprintable() or re.search(_FORBIDDEN, text) is None


def message_of(error: BaseException) -> str | None:
    """Return the text of an exception; None where it has none: its ``__str__`` may do anything."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - somebody else's class
        return None
