"""Exceptions of SQLAlchemy: that of the driver, its cause, decides."""

from __future__ import annotations

from leeward.evidence import Evidence
from leeward_integrations.ran.frames import frames_of, kinds_of


def judge(error: BaseException) -> Evidence | None:
    """Return what an exception of SQLAlchemy proves; None where its cause says it."""
    sessions = [each for each in frames_of(error) if each.module == "sqlalchemy.orm.session"]
    for frame in sessions:
        connections = getattr(frame.values.get("self"), "_connections", None) or {}
        if len({id(connection) for connection, *_ in connections.values()}) > 1:
            return Evidence("maybe", "the session has several databases; one may have committed")
    if "TimeoutError" in kinds_of(error):
        return Evidence("no", "no connection of the pool was free")
    return None
