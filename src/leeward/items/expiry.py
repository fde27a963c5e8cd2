"""Tell a provider what it may collect.

This is garbage collection and no more: providers collect late, by days even, and Cosmos alone
hides what is due. The expiry that counts is in the reserved attribute.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from leeward.items.names import EXPIRES

if TYPE_CHECKING:
    from leeward.items.profiles import Profile

_YEAR_10000: Final = 253_402_300_800
"""Unix seconds; Firestore has no later timestamp."""

_LONGEST_TTL: Final = 2**31 - 1
"""Seconds; Cosmos takes no longer `ttl`."""


def native_expiry(profile: Profile, expires_at: float | None, now: float) -> tuple[str, Any] | None:
    """Return the attribute that tells the provider when it may collect an item, with its value.

    Never early: rounded up to the second, and None where the provider cannot be told a time so
    late, where `expires_at` is None, and where the profile knows no expiry. Both times are Unix
    seconds. Set it on the document that `encode` gave; `decode` ignores it.
    """
    if expires_at is None or profile.expiry is None or expires_at >= _YEAR_10000 - 1:
        return None
    if profile.expiry == "ttl":
        ttl = max(1, ceil(expires_at - now))
        return ("ttl", profile.wire.write(ttl)) if ttl <= _LONGEST_TTL else None
    due = ceil(expires_at)
    moment = datetime.fromtimestamp(due, UTC) if profile.expiry == "timestamp" else due
    return EXPIRES, profile.wire.write(moment)
