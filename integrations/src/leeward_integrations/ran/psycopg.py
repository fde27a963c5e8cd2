"""Exceptions of psycopg 3 and its pool.

The server answers a statement with an error only after it has rolled it back. What cannot be rolled
back is left in doubt: procedures, and commands that commit by themselves.
Source: PostgreSQL's documentation, "Error Message Fields" and "PostgreSQL Error Codes".
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final

from leeward.evidence import Evidence
from leeward_integrations.ran.frames import Frame, frames_of, kinds_of

COMMITS_ITSELF: Final = re.compile(
    r"\b(abort|call|commit|concurrently|dblink|do|end|prepare\s+transaction|rollback|vacuum)\b",
    re.IGNORECASE,
)
"""Words of statements of which a part may hold although an error came. `END` is another `COMMIT`,
and what follows a `ROLLBACK` in one text is committed with it."""

IN_DOUBT: Final = re.compile("08|40003|57P0|58|XX")
"""Codes that end a session, or say themselves that the end is not known."""


def judge(error: Any) -> Evidence | None:
    """Return what an exception of psycopg proves."""
    kinds = kinds_of(error)
    if kinds & {"PoolTimeout", "TooManyRequests", "PoolClosed"}:
        return Evidence("no", "no connection of the pool was free")
    functions = {
        (frame.module, frame.function)
        for frame in frames_of(error)
        if frame.module.startswith("psycopg")
    }
    if not functions:
        return Evidence("maybe", "the traceback is lost")
    if {name for _, name in functions} & {"connect", "_connect_gen"} and not any(
        name in ("execute", "executemany", "copy", "commit") for _, name in functions
    ):
        return Evidence("no", "no connection could be made")
    if _are_several(error):
        return Evidence("maybe", "several statements were sent, and an earlier one may hold")
    code = getattr(error, "sqlstate", None)
    severity = getattr(getattr(error, "diag", None), "severity_nonlocalized", None)
    if code is None or severity != "ERROR" or IN_DOUBT.match(code):
        return _of_lost_connection(error)
    if _may_commit_itself(error):
        return Evidence("maybe", "a statement that commits by itself may have done so in part")
    return Evidence("no", f"the server rolled the statement back ({code})")


def _are_several(error: BaseException) -> bool:
    """Return whether statements were sent that are not rolled back together.

    An error in a pipeline may be of any statement of it. `executemany` has a pipeline of its own,
    which is one transaction; without one, as before libpq 14, each of its statements is one.
    """
    frame = _sending_frame(error)
    if frame is None or frame.function != "executemany":
        return any(each.module.startswith("psycopg._pipeline") for each in frames_of(error))
    pipelines = getattr(sys.modules.get("psycopg"), "Pipeline", None)
    return pipelines is None or not pipelines.is_supported()


def _of_lost_connection(error: BaseException) -> Evidence:
    """Return what a lost connection proves: what was not committed by then never is."""
    frame = _sending_frame(error)
    sender = None if frame is None else frame.values.get("self")
    connection = getattr(sender, "connection", sender)
    if (
        getattr(connection, "autocommit", None) is False
        and getattr(connection, "broken", False)
        and frame is not None
        and frame.function.startswith("execute")
        and not _may_commit_itself(error)
    ):
        return Evidence("no", "its transaction was open, and went with the connection")
    return Evidence("maybe", "the server may have committed before the connection failed")


def _sending_frame(error: BaseException) -> Frame | None:
    """Return the outermost frame of psycopg, of what the caller has called."""
    names = ("execute", "executemany", "commit", "__exit__", "__aexit__")
    for frame in frames_of(error):
        if frame.module.startswith("psycopg") and frame.function in names:
            return frame
    return None


def _may_commit_itself(error: BaseException) -> bool:
    """Return whether a part of what was sent may hold; so it is where the text is not known."""
    frame = _sending_frame(error)
    if frame is None:
        return True
    if not frame.function.startswith("execute"):
        return False
    query = frame.values.get("query")
    text = query.decode("utf-8", "replace") if isinstance(query, bytes) else query
    return not isinstance(text, str) or COMMITS_ITSELF.search(text) is not None
