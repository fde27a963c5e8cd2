"""Credentials in memory: renewed early, fetched once however many calls wait, never on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

EARLY = 300.0
"""Seconds before its end at which a credential is renewed, at most: what the vendors' own libraries
do, give or take a minute."""

EARLY_SHARE = 0.2
"""The same, as a share of a short credential's life."""

JITTER_SHARE = 0.2
"""By how much of that time the moment varies, so that instances do not renew together."""


class Credential(NamedTuple):
    """What a source gives.

    Attributes:
        secret: whatever the plans of this adapter understand; it is in no repr.
        fetched_at: Unix seconds.
        expires_at: Unix seconds; None for never.
    """

    secret: Any
    fetched_at: float
    expires_at: float | None = None

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Credential(fetched_at={self.fetched_at}, expires_at={self.expires_at})"


Source: TypeAlias = Callable[[], Credential]
"""Fetches a credential; what it raises reaches the caller."""


class Age(Enum):
    """How a credential stands."""

    GOOD = "good"
    DUE = "due"
    """It still holds, and one caller should renew it now."""
    OVER = "over"


def age_of(credential: Credential, now: float, chance: float) -> Age:
    """Say how `credential` stands. `chance`, in [0, 1), is fixed for one credential."""
    if credential.expires_at is None:
        return Age.GOOD
    if now >= credential.expires_at:
        return Age.OVER
    life = credential.expires_at - credential.fetched_at
    early = min(EARLY, EARLY_SHARE * life) * (1 - JITTER_SHARE * chance)
    return Age.DUE if now >= credential.expires_at - early else Age.GOOD


class CredentialCache:
    """The credentials of one target, by scope.

    Args:
        now: gives Unix seconds.
        random: gives numbers in [0, 1).
    """

    def __init__(self, now: Callable[[], float], random: Callable[[], float]) -> None:
        self._now = now
        self._random = random
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()

    def get(self, scope: str, source: Source, refused: Any = None) -> Any:
        """Give the secret of `scope`, from the cache or from `source`.

        However many threads ask at once, one of them fetches. While the old secret still holds,
        the others go on with it, and a failure to renew it early is not heard of.

        Args:
            scope: whose identity, for what.
            source: fetches a credential.
            refused: a secret that the target has refused; another one is wanted.
        """
        with self._lock:
            slot = self._slots.setdefault(scope, _Slot(self._random()))
        held = slot.held
        if held is not None and held.secret != refused:
            age = age_of(held, self._now(), slot.chance)
            if age is Age.GOOD:
                return held.secret
            if age is Age.DUE:
                return self._renew_early(slot, held, source)
        with slot.flight:
            return self._fetched(slot, source, refused).secret

    def _renew_early(self, slot: _Slot, held: Credential, source: Source) -> Any:
        if not slot.flight.acquire(blocking=False):
            return held.secret
        try:
            return self._fetched(slot, source, held.secret).secret
        except Exception:  # noqa: BLE001 - it still holds; the next caller tries again
            return held.secret
        finally:
            slot.flight.release()

    def _fetched(self, slot: _Slot, source: Source, refused: Any) -> Credential:
        """Fetch, unless another thread has done so while this one waited."""
        held = slot.held
        another = held is not None and held.secret != refused
        if held is not None and another and age_of(held, self._now(), slot.chance) is not Age.OVER:
            return held
        slot.held = source()
        slot.chance = self._random()
        return slot.held


class _Slot:
    """One scope's credential, and the lock that lets only one thread fetch it."""

    def __init__(self, chance: float) -> None:
        self.held: Credential | None = None
        self.chance = chance
        self.flight = threading.Lock()
