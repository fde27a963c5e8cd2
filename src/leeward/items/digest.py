"""A digest of a document's meaning: the same however a provider spells it.

Providers re-order names, drop trailing zeros, print 1.0 as 1 and times with more or fewer digits.
So what is hashed is not their JSON but the plain values, each in one spelling:

=============  =============================================================================
None           ``z;``
True, False    ``y;``, ``x;``
a number       ``n1.5;`` as the profile's `numbers` spell it
a string       ``s1:x``, with its length in code points
bytes          ``bAAE=;`` in base64
a datetime     ``t2024-01-01T12:00:00+00:00;``
a list         ``l2;`` with the number of elements, and these
a dict         ``m1;1:an1;`` with the number of members, and these in the order of their names
=============  =============================================================================

A document is spelled as a list of two: its attributes, and the text of its type tree or None.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

HEX_DIGITS: Final = 32
"""128 bits: this notices changes; it does not prove who made them."""

CONSTANTS: Final = {None: "z;", True: "y;", False: "x;"}

_UNFED: Final = sha256()
"""OpenSSL looks its algorithm up for each new hash, and not for a copy."""


def digest(attributes: str, types: str | None) -> str:
    """Return the digest of a document, in hex.

    Args:
        attributes: the spelling of its attributes.
        types: the text of its type tree.
    """
    tree = CONSTANTS[None] if types is None else f"s{len(types)}:{types}"
    hashed = _UNFED.copy()
    # Another program may have stored half a surrogate pair, which strict UTF-8 refuses.
    hashed.update(f"l2;{attributes}{tree}".encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()[:HEX_DIGITS]
