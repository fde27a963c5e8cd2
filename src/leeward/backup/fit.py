"""Whether the items of a backup can be stored in a table: limits, values and keys."""

from __future__ import annotations

from typing import Final

from leeward.adapter import Limits
from leeward.backup.lines import Kept, kept_in
from leeward.errors import InvalidRequest
from leeward.items import checked_size
from leeward.operations.upkeep import Home

MOST_TIMES: Final = 16
"""How many times as large as its line an item is, at most, by the measure of `checked_size`: a list
of lists that are empty. A test looks for more."""

_SURROGATE: Final = b"\\ud"
"""How half of a pair of surrogates is written."""


def surely_fits(line: bytes, limits: Limits) -> bool:
    """Return whether an item can be stored for sure; only those that may not be are decoded.

    By far most items are so small that their line says so.
    """
    small = len(line) * MOST_TIMES < limits.item_bytes
    tags = line.count(b'{"$') - line.count(b'{"$$')
    # A list in a list counts twice; all brackets together are at least as many as the levels.
    flat = 2 * line.count(b"[") + line.count(b"{") - tags <= limits.nesting
    key = line.find(b'],"v":')  # as JSON, in which no text is shorter
    return small and flat and 0 <= key <= limits.key_bytes and _SURROGATE not in line


def misfit(kept: Kept, home: Home) -> str:
    """Return why an item cannot be stored; empty if it can."""
    limits = home.limits
    if any(len(value.encode("utf-8", "replace")) > limits.key_bytes for value in kept.key):
        return f"its key has more than {limits.key_bytes} bytes"
    if kept.expires_at is not None and not home.keeps_expiry:
        return "it expires, and items cannot there"
    try:
        size = checked_size(kept.item)
    except InvalidRequest as error:
        return str(error)
    if size.bytes > limits.item_bytes:
        return f"it has {size.bytes} bytes, and at most {limits.item_bytes} are possible there"
    if size.depth > limits.nesting:
        return f"it is nested {size.depth} deep, and at most {limits.nesting} are possible there"
    return ""


def finding(line: bytes, home: Home) -> str:
    """Return the key of the item of a line, and why it cannot be stored; empty if it can."""
    if surely_fits(line, home.limits) and (home.keeps_expiry or b',"x":' not in line):
        return ""
    kept = kept_in(line)
    why = misfit(kept, home)
    return f"{' / '.join(kept.key)}: {why}" if why else ""
