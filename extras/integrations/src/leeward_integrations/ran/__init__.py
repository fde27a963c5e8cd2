"""What exceptions of other libraries prove: whether the call that raised them ran.

A library has a function here that judges its exceptions. It goes by the names of classes, so no
library is imported. What it cannot prove by the exception, by the answer inside of it, or by what
the frames of the library still hold, it does not prove.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leeward.errors import LeewardError
from leeward.evidence import PROVED, Evidence, Finder
from leeward_integrations.ran.clouds import judge_azure, judge_botocore, judge_google
from leeward_integrations.ran.databases import judge_psycopg, judge_redis, judge_sqlalchemy
from leeward_integrations.ran.doubts import doubt_by_class, doubt_by_frames, doubt_by_retries
from leeward_integrations.ran.frames import frames_of, library_of, parts_of
from leeward_integrations.ran.http import (
    judge_aiohttp,
    judge_httpx,
    judge_model,
    judge_requests,
    judge_urllib3,
)

LIBRARIES: Final[Mapping[str, Finder]] = {
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


def find_evidence(error: BaseException) -> Evidence | None:
    """Return what an exception proves; None if it is of no library here, or not known there."""
    parts = [*parts_of(error)]
    said = next((it for part in parts if (it := _said_by(part, PROVED))), None)
    if said is not None:
        parts = []
    elif not isinstance(error, LeewardError) and (said := _said_by(error, "ran")):
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
