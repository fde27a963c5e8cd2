"""Exceptions of google-api-core and google-auth, by the table of leeward-google.

Its retries keep a list of what failed: each of those has to be proved not to have run.
"""

from __future__ import annotations

from typing import Any

from leeward.evidence import Evidence
from leeward_integrations.ran import grpc, requests
from leeward_integrations.ran.frames import frames_of, kinds_of, library_of
from leeward_integrations.ran.statuses import of_classification


def judge(error: BaseException) -> Evidence | None:
    """Return what an exception of Google's libraries proves."""
    for each in (*_failed_before(error), error):
        found = _judge_one(each)
        if found is None or found.ran != "no":
            return found
    return found


def _judge_one(error: Any) -> Evidence | None:
    kinds = kinds_of(error)
    if type(error).__module__.startswith("google.auth") and "GoogleAuthError" in kinds:
        return Evidence("no", "there is no token")
    if "GoogleAPICallError" not in kinds:
        found = _by_library(error)
        return found or Evidence("maybe", "it is not known what this exception proves")
    found = _by_library(error.response) or _by_library(error.__cause__)
    if found is not None and found.ran == "no":
        return found
    return _of_answer(error)


def _by_library(error: Any) -> Evidence | None:
    judges = {"grpc": grpc.judge, "requests": requests.judge}
    judge_of = judges.get(library_of(error)) if isinstance(error, BaseException) else None
    return None if judge_of is None else judge_of(error)


def _of_answer(error: Any) -> Evidence:
    """Return what an answer of a service proves, by its status word."""
    try:
        from leeward_google.errors import STATUSES
    except ModuleNotFoundError:
        return Evidence("maybe", "leeward-google, which has the table, is not installed")
    word = _word_in(error)
    meaning = STATUSES.get(word or "")
    if meaning is None:
        return Evidence("maybe", f"it is not known what {word or error.code} proves")
    return of_classification(meaning, str(word))


def _word_in(error: Any) -> str | None:
    """Return the status word of an answer; the class of the exception tells only its status."""
    if library_of(error.response) == "grpc":
        return getattr(error.grpc_status_code, "name", None)
    try:
        found = error.response.json()["error"]["status"]
    except Exception:  # no answer of Google's: a proxy's, or no answer at all
        return None
    return found if isinstance(found, str) else None


def _failed_before(error: BaseException) -> list[BaseException]:
    """Return what failed before the last attempt."""
    for frame in frames_of(error):
        if frame.module.startswith("google.api_core.retry"):
            failed = frame.values.get("error_list")
            if isinstance(failed, list):
                return [each for each in failed if each is not error]
    return []
