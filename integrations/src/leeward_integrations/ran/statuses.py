"""What an answer with an error's status proves, and what is proved of an answer that is lost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final

from leeward.adapter.classification import Classification
from leeward.errors import Outcome
from leeward.evidence import Evidence

MARK: Final = "x-leeward"
"""The header with which functions mark their answers; docs/other-frameworks.md."""

MAY_HAVE_LEFT: Final = Evidence("maybe", "the request may have left before the connection failed")

_NOTHING_RAN: Final = frozenset(Outcome) - {Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR}


def of_status(status: object, headers: Mapping[str, Any] | None) -> Evidence:
    """Return what an error answer of a service that is not known proves: nothing by its status.

    A client hands it out before anybody raises, and keeps nothing of what it had sent by then.
    """
    if headers is not None and headers.get(MARK):
        return Evidence("yes", f"the function marked its answer with the header {MARK}")
    if not isinstance(status, int):
        return Evidence("maybe", "it is not known what was answered")
    return Evidence("maybe", f"the status {status} proves nothing")


def judge_grpc(_error: BaseException) -> Evidence | None:
    """Return that an error of a gRPC call proves nothing.

    A client that finds no connection says so with a status and a text. A peer may answer with the
    same, as one that passes on what it got from a service it calls.
    """
    return Evidence("maybe", "a status of gRPC may come from the peer, whatever it says")


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
