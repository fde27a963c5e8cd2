"""Attribute names that a provider, or leeward, gives a meaning of its own: escaped, reversibly.

The escape is one ``~`` before the name. A name that begins with ``~`` is escaped as well, so a
``~`` is taken away again exactly where the rest would have needed it, and every other name,
``~like this one`` that another program wrote included, stays as it is.
"""

from __future__ import annotations

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
    own = (len(name.encode("utf-8", "replace")) + (name[:1] in (ESCAPE, "_")) for name in value)
    return max([*own, *map(longest_name, value.values())], default=0)


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
