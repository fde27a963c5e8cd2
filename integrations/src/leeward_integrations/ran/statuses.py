"""What an answer with an error's status proves, of a service that is not known any better."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from leeward.adapter.classification import Classification, by_status
from leeward.errors import Outcome
from leeward.evidence import Evidence

MARK = "x-leeward"
"""The header with which functions mark their answers; docs/other-frameworks.md."""

_NOTHING_RAN = frozenset(Outcome) - {Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR}


def of_status(status: object, headers: Mapping[str, Any] | None, *, again: bool) -> Evidence:
    """Return what an error answer proves.

    Args:
        status: of HTTP.
        headers: of the answer.
        again: whether other requests were sent before, for the same call.
    """
    if headers is not None and headers.get(MARK):
        return Evidence("yes", f"the function marked its answer with the header {MARK}")
    if again:
        return Evidence("maybe", "the client had sent the request before, or followed a redirect")
    if not isinstance(status, int):
        return Evidence("maybe", "it is not known what was answered")
    if 300 <= status < 400:
        return Evidence("maybe", "a redirect is how many forms answer once they are done")
    return of_classification(by_status(status, marked=False), f"the status {status}")


def of_classification(meaning: Classification, what: str) -> Evidence:
    """Return what an answer proves that a table of leeward's adapters knows."""
    if meaning.outcome in _NOTHING_RAN:
        word = meaning.outcome.value
        return Evidence("no", f"{what} is given before anything runs ({word})")
    return Evidence("maybe", f"{what} proves nothing")


@cache
def tables_of(module: str) -> Any:
    """Return the module of an adapter with its tables; None if the adapter is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        return None
