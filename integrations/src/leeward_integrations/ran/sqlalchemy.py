"""Exceptions of SQLAlchemy: that of the driver, its cause, decides."""

from __future__ import annotations

from leeward.evidence import Evidence
from leeward_integrations.ran.frames import frames_of, kinds_of, library_of, parts_of


def judge(error: BaseException) -> Evidence | None:
    """Return what an exception of SQLAlchemy proves; None where its cause says it."""
    sessions = [each for each in frames_of(error) if each.module == "sqlalchemy.orm.session"]
    for frame in sessions:
        connections = getattr(frame.values.get("self"), "_connections", None) or {}
        if len({id(connection) for connection, *_ in connections.values()}) > 1:
            return Evidence("maybe", "the session has several databases; one may have committed")
    if _are_several(error) and _commits_each(error):
        return Evidence("maybe", "several statements were sent, and an earlier one may hold")
    if "TimeoutError" in kinds_of(error):
        return Evidence("no", "no connection of the pool was free")
    return None


def _are_several(error: BaseException) -> bool:
    """Return whether a session has sent what it held, or the rows of an insert in parts."""
    return any(
        frame.module.startswith("sqlalchemy.orm.") or frame.function == "_exec_insertmany_context"
        for frame in frames_of(error)
    )


def _commits_each(error: BaseException) -> bool:
    """Return whether the driver's connection commits each statement by itself."""
    senders = (frame.values.get("self") for part in parts_of(error) for frame in frames_of(part))
    return any(
        getattr(getattr(sender, "connection", sender), "autocommit", None) is True
        for sender in senders
        if library_of(sender) == "psycopg"
    )
