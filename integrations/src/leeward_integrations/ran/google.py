"""Exceptions of google-api-core and google-auth, by the table of leeward-google."""

from __future__ import annotations

from typing import Any

from leeward.evidence import Evidence
from leeward_integrations.ran.frames import kinds_of, library_of
from leeward_integrations.ran.http import is_first
from leeward_integrations.ran.statuses import of_classification, tables_of


def judge_google(error: BaseException) -> Evidence | None:
    """Return what an exception of Google's libraries proves."""
    kinds = kinds_of(error, "google.api_core.", "google.auth.")
    if "TransportError" in kinds:
        return None  # its cause is of the client that sent a request, which may be any
    if "GoogleAuthError" in kinds:
        return Evidence("no", "there is no token")
    if "GoogleAPICallError" in kinds:
        return _of_answer(error)
    if "RetryError" in kinds:
        return None  # its cause is the last attempt's exception
    return Evidence("maybe", "it is not known what this exception proves")


def _of_answer(error: Any) -> Evidence:
    """Return what an answer of a service proves, by its status word."""
    if (errors := tables_of("leeward_google.errors")) is None:
        return Evidence("maybe", "leeward-google, which has the table, is not installed")
    if library_of(error.response) == "requests" and not is_first(error.response):
        return Evidence("maybe", "the client had sent another request before, and got an answer")
    word = _word_in(error)
    meaning = errors.STATUSES.get(word or "")
    if meaning is None:
        return Evidence("maybe", f"it is not known what {word or error.code} proves")
    return of_classification(meaning, str(word))


def _word_in(error: Any) -> str | None:
    """Return the status word of an answer; the class of the exception tells only its status."""
    if library_of(error.response) == "grpc":
        return getattr(error.grpc_status_code, "name", None)
    try:
        found = error.response.json()["error"]["status"]
    except (AttributeError, KeyError, TypeError, ValueError):  # a proxy's answer, or none at all
        return None
    return found if isinstance(found, str) else None
