"""What an error answer means: the outcomes that adapters' tables of errors are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from leeward.adapter.plans import STALE_CREDENTIALS
from leeward.calls import TOO_LARGE as TOO_LARGE_REASON
from leeward.errors import Outcome
from leeward.records import NamedTuple

CONTENTION_REASON: Final = "contention"
"""REJECTED: another write was at the same item; only the same target can do better."""


class Classification(NamedTuple):
    """How an attempt ended, and the `Result.reason` of a special case."""

    outcome: Outcome
    reason: str | None = None


AMBIGUOUS: Final = Classification(Outcome.AMBIGUOUS)
"""It may have run, or not."""
APP_ERROR: Final = Classification(Outcome.APP_ERROR)
"""The function ran, and raised."""
AUTH: Final = Classification(Outcome.AUTH)
"""Whoever asks is not known, or may not."""
CALLER: Final = Classification(Outcome.CALLER)
"""The request is wrong; nothing ran."""
CONFLICT: Final = Classification(Outcome.CONFLICT)
"""The condition of a write does not hold."""
CONTENTION: Final = Classification(Outcome.REJECTED, CONTENTION_REASON)
"""Another write was at the same item; nothing was written."""
NOT_FOUND: Final = Classification(Outcome.NOT_FOUND)
"""There is no such function, bus or table."""
REJECTED: Final = Classification(Outcome.REJECTED)
"""It was refused before it ran, as when there are too many requests."""
STALE: Final = Classification(Outcome.AUTH, STALE_CREDENTIALS)
"""The credential does not hold any longer; the plan is run again, once, with another one."""
TOO_LARGE: Final = Classification(Outcome.CALLER, TOO_LARGE_REASON)
"""The request is larger than the service takes; nothing ran."""


def by_code(rows: Mapping[Classification, str]) -> dict[str, Classification]:
    """Return a table of error codes from rows of codes with blanks between."""
    return {code: meaning for meaning, codes in rows.items() for code in codes.split()}


def by_status(status: int, *, marked: bool) -> Classification:
    """Return what a status means by itself, where it alone is proof.

    A service throttles (429), and refuses what is too large (413), before anything runs. Of a proxy
    neither proves anything: it may have tried another way before, or mean that the answer is too
    large. Everything else is AMBIGUOUS: a 401, 403 or 404 may be that of any proxy, too, and so may
    a redirect, in the place of an answer that did not come in time.

    Args:
        status: of HTTP, other than 2xx.
        marked: whether the answer bears a mark of the service: a header that is its own.
    """
    return {413: TOO_LARGE, 429: REJECTED}.get(status, AMBIGUOUS) if marked else AMBIGUOUS


def by_code_or_status(
    code: str | None,
    status: int,
    codes: Mapping[str, Classification],
    statuses: Mapping[int, Classification],
    *,
    marked: bool,
) -> Classification:
    """Return what an error answer means of a service that does not always tell a code.

    Args:
        code: that was told, or None.
        status: of HTTP, other than 2xx.
        codes: the service's table of codes.
        statuses: its table of statuses, for answers that are its own and tell no known code.
        marked: whether the answer bears a mark of the service. A code that is not known is not
            one: gateways tell codes of their own.
    """
    meaning = codes.get(code or "") or by_status(status, marked=marked)
    if meaning is AMBIGUOUS and code not in codes and marked:
        return statuses.get(status, AMBIGUOUS)
    return meaning


def code_in(code: object) -> str | None:
    """Return an error code that was told; None if it is nothing that can be the name of one."""
    named = isinstance(code, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,99}", code)
    return str(code) if named else None
