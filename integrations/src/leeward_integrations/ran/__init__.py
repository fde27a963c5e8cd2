"""What exceptions of other libraries prove: whether the call that raised them ran.

Each module here is for one library, and has a function `judge` that takes an exception of it. It
goes by the names of classes, so no library is imported. What it cannot prove by the exception, by
the answer inside of it, or by what the frames of the library still hold, it does not prove.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from leeward.errors import LeewardError
from leeward.evidence import Evidence, Finder
from leeward_integrations.ran.frames import library_of
from leeward_integrations.ran.inside import doubt_by_class, doubt_by_frames
from leeward_integrations.ran.retries import retries_around

LIBRARIES: Final = {
    "aiohttp": "aiohttp",
    "anthropic": "models",
    "azure": "azure",
    "botocore": "botocore",
    "google": "google",
    "grpc": "grpc",
    "httpcore": "httpx",
    "httpcore2": "httpx",
    "httpx": "httpx",
    "httpx2": "httpx",
    "openai": "models",
    "psycopg": "psycopg",
    "psycopg_pool": "psycopg",
    "redis": "redis",
    "requests": "requests",
    "sqlalchemy": "sqlalchemy",
    "urllib3": "urllib3",
}
"""The first part of an exception's module, and the module here that judges it."""


def find_evidence(error: BaseException) -> Evidence | None:
    """Return what an exception proves; None if it is of no library here, or not known there."""
    said = None if isinstance(error, LeewardError) else getattr(error, "ran", None)
    if said in ("no", "maybe", "yes"):  # a `Problem` says it of itself
        return Evidence(said, "it says so itself")
    found = _judge_alone(error)
    if found is not None and found.ran != "no":
        return found
    doubt = retries_around(error, _judge_alone)
    if found is None:
        doubt = doubt or doubt_by_class(error, LIBRARIES) or doubt_by_frames(error, LIBRARIES)
    return Evidence("maybe", doubt) if doubt else found


def _judge_alone(error: BaseException) -> Evidence | None:
    """Return what an exception proves of the last attempt of a client."""
    judge = _judge_of(LIBRARIES.get(library_of(error), ""))
    found = None if judge is None else judge(error)
    doubt = "" if found is None or found.ran != "no" else doubt_by_frames(error, LIBRARIES)
    return Evidence("maybe", doubt) if doubt else found


@cache
def _judge_of(name: str) -> Finder | None:
    if not name:
        return None
    judge: Finder = import_module(f"{__name__}.{name}").judge
    return judge
