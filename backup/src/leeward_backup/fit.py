"""Whether the items of a backup can be stored in a table: limits, values and keys."""

from __future__ import annotations

from typing import Final

from leeward._items import checked_size
from leeward._items.encoding import NativeValue, natives_in, without_natives
from leeward._items.names import longest_name
from leeward.adapter import Limits
from leeward.errors import InvalidRequest
from leeward.operations.upkeep import Home
from leeward_backup.lines import NATIVE_BEGIN, Kept

MOST_TIMES: Final = 16
"""How many times as large as its line an item is, at most, by the measure of `checked_size`: a list
of lists that are empty. A test looks for more."""

_SURROGATE: Final = b"\\ud"
"""How half of a pair of surrogates is written."""

ANY_MODEL: Final = "*"
"""In place of a data model: the values of all are kept."""

MOST_NAMED: Final = 3
"""Values of an item that are named."""


def surely_fits(line: bytes, limits: Limits) -> bool:
    """Return whether an item can be stored for sure; only those that may not be are measured.

    By far most items are so small that their line says so.
    """
    small = len(line) * MOST_TIMES < limits.item_bytes
    tags = line.count(b'{"$') - line.count(b'{"$$')
    # A list in a list counts twice; all brackets together are at least as many as the levels.
    flat = 2 * line.count(b"[") + line.count(b"{") - tags <= limits.nesting
    key = line.find(b'],"v":')  # as JSON, in which no text is shorter
    named = len(line) < limits.name_bytes and NATIVE_BEGIN not in line
    return small and flat and named and 0 <= key <= limits.key_bytes and _SURROGATE not in line


def keeps(limits: Limits, native: NativeValue) -> bool:
    """Return whether a target keeps a value that only one provider has."""
    return limits.model in (ANY_MODEL, native.model)


def misfit(kept: Kept, home: Home, *, plain: bool = False) -> str:
    """Return why an item cannot be stored; empty if it can.

    Args:
        kept: the item.
        home: where it would go.
        plain: whether values that only another provider has may become plain ones.
    """
    limits = home.limits
    if any(len(value.encode("utf-8", "replace")) > limits.key_bytes for value in kept.key):
        return f"its key has more than {limits.key_bytes} bytes"
    if kept.expires_at is not None and not home.keeps_expiry:
        return "it expires, and items cannot there"
    foreign = [
        path
        for path, native in natives_in(kept.item)
        if not (plain or native.is_number or keeps(limits, native))
    ]
    if foreign:
        more = f", and {len(foreign) - MOST_NAMED} more" if len(foreign) > MOST_NAMED else ""
        return (
            f"{', '.join(foreign[:MOST_NAMED])}{more}: only {_models(kept)} has values like these; "
            "restore them as what load_data returns of them with --plain"
        )
    item = without_natives(kept.item)
    longest = longest_name(item)
    if longest > limits.name_bytes:
        return f"a name in it has {longest} bytes, and at most {limits.name_bytes} can be there"
    try:
        size = checked_size(item)
    except InvalidRequest as error:
        return str(error)
    if size.bytes > limits.item_bytes:
        return f"it has {size.bytes} bytes, and at most {limits.item_bytes} are possible there"
    if size.depth > limits.nesting:
        return f"it is nested {size.depth} deep, and at most {limits.nesting} are possible there"
    return ""


def finding(line: bytes, kept: Kept, home: Home, *, plain: bool = False) -> str:
    """Return the key of the item of a line, and why it cannot be stored; empty if it can."""
    if surely_fits(line, home.limits) and (home.keeps_expiry or kept.expires_at is None):
        return ""
    why = misfit(kept, home, plain=plain)
    return f"{' / '.join(kept.key)}: {why}" if why else ""


def _models(kept: Kept) -> str:
    return " and ".join(sorted({native.model for _, native in natives_in(kept.item)}))
