"""Whether a failed call ran, by what its exception proves: ``leeward_ran.ran(error)``.

A library has a function here that judges its exceptions. It goes by the names of classes, so no
library is imported. What it cannot prove by the exception, by the answer inside of it, or by what
the frames of the library still hold, it does not prove.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Final

from leeward_ran.clouds import judge_azure, judge_botocore, judge_google
from leeward_ran.databases import judge_psycopg, judge_redis, judge_sqlalchemy
from leeward_ran.doubts import doubt_by_class, doubt_by_frames, doubt_by_retries
from leeward_ran.evidence import Evidence, Judge, Ran
from leeward_ran.frames import frames_of, kinds_of, library_of, parts_of
from leeward_ran.http import judge_aiohttp, judge_httpx, judge_model, judge_requests, judge_urllib3

__all__ = ["Evidence", "Ran", "explain_ran", "find_evidence", "ran"]

PROVED: Final = "leeward_proved"
"""An attribute by which `leeward.testing.prove` says what an exception proves."""

LIBRARIES: Final[Mapping[str, Judge]] = {
    "aiohttp": judge_aiohttp,
    "azure": judge_azure,
    "botocore": judge_botocore,
    "google": judge_google,
    **dict.fromkeys(("httpcore", "httpcore2", "httpx", "httpx2"), judge_httpx),
    **dict.fromkeys(("anthropic", "openai"), judge_model),
    **dict.fromkeys(("psycopg", "psycopg_pool"), judge_psycopg),
    "redis": judge_redis,
    "requests": judge_requests,
    "sqlalchemy": judge_sqlalchemy,
    "urllib3": judge_urllib3,
}
"""The first part of an exception's module, and what judges it."""


def ran(error: BaseException) -> Ran:
    """Return whether the call that raised this exception ran: ``no``, ``maybe`` or ``yes``.

    ``no`` and ``yes`` are proved; in doubt it is ``maybe``. It is about the one call that raised,
    not about what your own code did before. Ask where you catch the exception: its traceback shows
    what the client had tried. Its ``__cause__`` counts where its own library is not known.
    """
    return find_evidence(error).ran


def explain_ran(error: BaseException) -> str:
    """Return the answer of `ran` with its reason, as a sentence for people and logs."""
    found = find_evidence(error)
    return f"{found.ran}: {found.why}"


def find_evidence(error: BaseException, seen: Collection[int] = ()) -> Evidence:
    """Return what an exception proves; `seen` has the ids of the groups that it is in."""
    seen = {*seen}
    while id(error) not in seen:
        seen.add(id(error))
        if (found := _evidence_of_library(error)) is not None:
            return found
        if isinstance(error, BaseExceptionGroup):
            return _evidence_of_group([find_evidence(each, seen) for each in error.exceptions])
        if "LeewardError" in kinds_of(error, "leeward.errors"):
            return Evidence(*import_module("leeward.evidence").evidence_of(error))
        if isinstance(error.__cause__, Exception):
            error = error.__cause__
    kind = f"{type(error).__module__}.{type(error).__name__}"
    return Evidence("maybe", f"nothing is known about exceptions like {kind}")


def _evidence_of_group(all_found: list[Evidence]) -> Evidence:
    """Return only what all of a group prove."""
    answers = {found.ran for found in all_found}
    if answers == {"no"}:
        return Evidence("no", "; ".join(dict.fromkeys(found.why for found in all_found)))
    decisive = next(found for found in all_found if found.ran != "no")
    return decisive if answers == {"yes"} else Evidence("maybe", decisive.why)


def _evidence_of_library(error: BaseException) -> Evidence | None:
    """Return what an exception proves; None if it is of no library here, or not known there."""
    parts = [*parts_of(error)]
    said = next((it for part in parts if (it := _said_by(part, PROVED))), None)
    if said is not None:
        parts = []
    elif "LeewardError" not in kinds_of(error, "leeward.errors") and (
        said := _said_by(error, "ran")
    ):
        parts = [error]
    found = said or _judge_alone(error)
    if found is not None and found.ran != "no":
        return found
    doubt = doubt_by_retries(error, _judge_alone)
    if found is None:
        doubt = doubt or doubt_by_class(error, LIBRARIES)
    if found is said:
        doubt = doubt or doubt_by_frames(parts, LIBRARIES)
    return Evidence("maybe", doubt) if doubt else found


def _said_by(error: BaseException, attribute: str) -> Evidence | None:
    said = getattr(error, attribute, None)
    return Evidence(said, "it says so itself") if said in ("no", "maybe", "yes") else None


def _judge_alone(error: BaseException) -> Evidence | None:
    """Return what an exception proves of the last attempt of a client."""
    library = library_of(error)
    judge = LIBRARIES.get(library)
    found = None if judge is None else judge(error)
    if found is None or found.ran != "no":
        return found
    # Anybody may raise an answer of Google, which shows by itself whether it is the first one.
    if library != "google" and all(frame.library != library for frame in frames_of(error)):
        return Evidence(
            "maybe", f"the traceback is lost, and with it what {library} had sent before"
        )
    doubt = doubt_by_frames(parts_of(error), LIBRARIES)
    return Evidence("maybe", doubt) if doubt else found
