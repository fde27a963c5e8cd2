"""Items as a provider's native documents, readable by other programs, and exactly back.

An item goes through two steps, and comes back through the same two:

1. `typetree` parts it into *plain* values, which the provider holds exactly, and a *type tree*,
   which marks only what those no longer tell: that a number was a float, a string bytes.
2. A wire form (`dynamodb`, `jsonform`, `firestore`) spells the plain values in the provider's
   own JSON.

One reserved attribute, `_leeward`, is a native map that holds what an item cannot say itself:

==== ============================================================================
`w`  the write id, a string
`e`  the expiry in Unix seconds, a number; absent where there is none
`t`  the type tree, compact JSON in a string; absent where nothing needs a mark
`d`  a digest of the other attributes and of `t`: 128 bits of SHA-256, in hex
==== ============================================================================

While the digest fits, `decode` gives exactly what was encoded. Once another program has changed
the document it no longer fits: the tree is not trusted, and values come back by themselves, a
number as int where it is integral and as Decimal where not.

What differs between providers is data: one `Profile` each. A new provider needs a profile, and a
wire form if it has a JSON of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leeward.items.checks import check_item, check_json
    from leeward.items.codec import Decoded, decode, encode
    from leeward.items.expiry import native_expiry
    from leeward.items.keys import escape_key, unescape_key
    from leeward.items.profiles import COSMOS, DYNAMODB, EMBEDDED, FIRESTORE, Profile
    from leeward.items.size import Size, measure

__all__ = [
    "COSMOS",
    "DYNAMODB",
    "EMBEDDED",
    "FIRESTORE",
    "Decoded",
    "Profile",
    "Size",
    "check_item",
    "check_json",
    "decode",
    "encode",
    "escape_key",
    "measure",
    "native_expiry",
    "unescape_key",
]

_HOMES = {
    "checks": ("check_item", "check_json"),
    "codec": ("Decoded", "decode", "encode"),
    "expiry": ("native_expiry",),
    "keys": ("escape_key", "unescape_key"),
    "profiles": ("COSMOS", "DYNAMODB", "EMBEDDED", "FIRESTORE", "Profile"),
    "size": ("Size", "measure"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # where it is, a misspelt name is still an error

    def __getattr__(name: str) -> object:
        """Load a public name's module when the name is first used, so that importing is light."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
