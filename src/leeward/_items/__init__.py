"""Items as a provider's native documents, readable by other programs, and exactly back.

`checked_size` refuses what cannot be kept, `encode` writes a document, `decode` reads it. Between
an item and its document stand *plain* values, which the provider holds exactly, and a *type tree*,
which marks only what those no longer tell: that a number was a float, a string bytes.

One reserved attribute, `_leeward`, is a native map that holds what an item cannot say itself:

==== ============================================================================
`w`  the write id, a string
`e`  the expiry in Unix seconds, a number; absent where there is none
`t`  the type tree, compact JSON in a string; absent where nothing needs a mark
`d`  a digest of the other attributes and of `t`: 128 bits of SHA-256, in hex
==== ============================================================================

While the digest fits, `decode` returns exactly what was encoded. Once another program has changed
the document it no longer fits: the tree is not trusted, and values come back by themselves, a
number as int where it is integral and as Decimal where not.

What differs between providers is data: one `Profile` each, which lives in the provider's adapter.
Adapters import all this from `leeward.adapter.items`. Here are the names that the core uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leeward._items.checks import checked_size, json_flaw
    from leeward._items.decoding import decode
    from leeward._items.encoding import encode
    from leeward._items.json_checks import check_json
    from leeward._items.profile import EMBEDDED

__all__ = ["EMBEDDED", "check_json", "checked_size", "decode", "encode", "json_flaw"]

_MODULES = {
    "EMBEDDED": "profile",
    "check_json": "json_checks",
    "checked_size": "checks",
    "decode": "decoding",
    "encode": "encoding",
    "json_flaw": "checks",
}


if not TYPE_CHECKING:  # where it is, a misspelt name is still an error

    def __getattr__(name: str) -> object:
        """Load a name's module when the name is first used, so that importing is light."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
