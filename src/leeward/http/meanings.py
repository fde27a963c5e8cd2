"""What an error answer means: the outcomes that adapters' tables of errors are made of."""

from __future__ import annotations

from typing import Final, NamedTuple

from leeward.driver import TOO_LARGE as TOO_LARGE_REASON
from leeward.errors import Outcome
from leeward.http.plans import STALE_CREDENTIALS

CONTENTION_REASON: Final = "contention"
"""REJECTED: another write was at the same item; only the same target can do better."""
REDIRECTED: Final = "redirected"
"""CALLER: a redirect. None is followed, and nothing ran where it came from."""


class Meaning(NamedTuple):
    """How an attempt ended, and the `Result.reason` of a special case."""

    outcome: Outcome
    reason: str | None = None


AMBIGUOUS: Final = Meaning(Outcome.AMBIGUOUS)
APP_ERROR: Final = Meaning(Outcome.APP_ERROR)
AUTH: Final = Meaning(Outcome.AUTH)
CALLER: Final = Meaning(Outcome.CALLER)
CONFLICT: Final = Meaning(Outcome.CONFLICT)
CONTENTION: Final = Meaning(Outcome.REJECTED, CONTENTION_REASON)
NOT_FOUND: Final = Meaning(Outcome.NOT_FOUND)
REJECTED: Final = Meaning(Outcome.REJECTED)
STALE: Final = Meaning(Outcome.AUTH, STALE_CREDENTIALS)
TOO_LARGE: Final = Meaning(Outcome.CALLER, TOO_LARGE_REASON)


def by_status(status: int) -> Meaning:
    """Say what a status means by itself, where it alone is proof.

    413 (too large) and 429 (throttled) are given before anything runs; a redirect is never
    followed. Everything else is AMBIGUOUS: a 401, 403 or 404 may be that of any proxy.
    """
    if 300 <= status < 400:
        return Meaning(Outcome.CALLER, REDIRECTED)
    return {413: TOO_LARGE, 429: REJECTED}.get(status, AMBIGUOUS)
