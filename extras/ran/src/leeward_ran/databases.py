"""Exceptions of databases: psycopg 3 and its pool, SQLAlchemy, and redis-py.

PostgreSQL answers a statement with an error only after it has rolled it back. What cannot be rolled
back is left in doubt: procedures, and commands that commit by themselves.
Source: PostgreSQL's documentation, "Error Message Fields" and "PostgreSQL Error Codes".
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final

from leeward_ran.evidence import Evidence
from leeward_ran.frames import Frame, frames_in, frames_of, kinds_of, library_of, parts_of

COMMITS_ITSELF: Final = re.compile(
    r"\b(abort|analyze|call|checkpoint|cluster|commit|concurrently|copy|database|dblink\w*|discard"
    r"|do|end|lo_\w+|load|pg_\w+|prepare\s+transaction|reindex|rollback|setval|subscription|system"
    r"|tablespace|vacuum)\b",
    re.IGNORECASE,
)
"""Words of statements of which a part may hold although an error came. `END` is another `COMMIT`,
what follows a `ROLLBACK` in one text is committed with it, `COPY` writes to a file or a program,
`setval` is never rolled back, and a lock of a session stays, as much else of `pg_`."""

IN_DOUBT: Final = re.compile("08|40003|57P0|58|XX")
"""Codes that end a session, or say themselves that the end is not known."""

_STATEMENTS: Final = frozenset({"execute", "executemany", "copy", "commit"})
"""Functions of psycopg that send something on a connection that was made."""

_CALLED: Final = ("execute", "executemany", "commit", "__exit__", "__aexit__")
"""Functions of psycopg that a program calls: the outermost in a traceback is its statement."""

REFUSED: Final = frozenset(
    {
        *("AuthenticationError", "AuthorizationError", "NoPermissionError", "NoScriptError"),
        *("BusyLoadingError", "MaxConnectionsError", "OutOfMemoryError", "ReadOnlyError"),
    }
)
"""What the server, or the pool, refuses a command with before it runs."""

_TOGETHER: Final = frozenset({"_execute_pipeline", "_execute_transaction"})
"""Functions that send several commands, of which one may fail alone."""

_SCRIPTS: Final = frozenset({"EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL", "FCALL_RO"})
"""Commands that can answer with any error, after some of their own commands have run."""

_SEVERAL: Final = tuple(
    f"redis{part}.{kind}" for part in ("", ".asyncio") for kind in ("cluster", "multidb")
)
"""Modules that call one server after the other, or send each a part."""

_SENDING: Final = frozenset({"_send_command_parse_response", "send_command", "parse_response"})
_CONNECTING: Final = frozenset({"connect", "connect_check_health", "get_connection"})


def judge_psycopg(error: Any) -> Evidence | None:
    """Return what an exception of psycopg proves."""
    if kinds_of(error) & {"PoolTimeout", "TooManyRequests", "PoolClosed"}:
        return Evidence("no", "no connection of the pool was free")
    frames = frames_in(error, "psycopg")
    functions = {frame.function for frame in frames}
    if functions & {"connect", "_connect_gen"} and not functions & _STATEMENTS:
        return Evidence("no", "no connection could be made")
    sending = next((frame for frame in frames if frame.function in _CALLED), None)
    if _are_several(frames, sending):
        return Evidence("maybe", "several statements were sent, and an earlier one may hold")
    code = getattr(error, "sqlstate", None)
    severity = getattr(getattr(error, "diag", None), "severity_nonlocalized", None)
    if code is None or severity != "ERROR" or IN_DOUBT.match(code):
        return _of_lost_connection(sending)
    if _may_commit_itself(sending):
        return Evidence("maybe", "a statement that commits by itself may have done so in part")
    return Evidence("no", f"the server rolled the statement back ({code})")


def _are_several(frames: list[Frame], sending: Frame | None) -> bool:
    """Return whether statements were sent that are not rolled back together.

    An error in a pipeline may be of any statement of it. `executemany` has a pipeline of its own,
    which is one transaction; without one, as before libpq 14, each of its statements is one.
    """
    if sending is None or sending.function != "executemany":
        return any(frame.module.startswith("psycopg._pipeline") for frame in frames)
    pipelines = getattr(sys.modules.get("psycopg"), "Pipeline", None)
    return pipelines is None or not pipelines.is_supported()


def _of_lost_connection(sending: Frame | None) -> Evidence:
    """Return what a lost connection proves: what was not committed by then never is."""
    if sending is not None and sending.function.startswith("execute"):
        sender = sending.values.get("self")
        connection = getattr(sender, "connection", sender)
        is_open = getattr(connection, "autocommit", None) is False
        if is_open and getattr(connection, "broken", False) and not _may_commit_itself(sending):
            return Evidence("no", "its transaction was open, and went with the connection")
    return Evidence("maybe", "the server may have committed before the connection failed")


def _may_commit_itself(sending: Frame | None) -> bool:
    """Return whether a part of what was sent may hold; so it is where the text is not known."""
    if sending is None or not sending.function.startswith("execute"):
        return sending is None
    query = sending.values.get("query")
    text = query.decode("utf-8", "replace") if isinstance(query, bytes) else query
    return not isinstance(text, str) or COMMITS_ITSELF.search(text) is not None


def judge_sqlalchemy(error: BaseException) -> Evidence | None:
    """Return what an exception of SQLAlchemy proves; None where its cause says it."""
    for frame in frames_in(error, "sqlalchemy.orm.session"):
        connections = getattr(frame.values.get("self"), "_connections", None) or {}
        if len({id(connection) for connection, *_ in connections.values()}) > 1:
            return Evidence("maybe", "the session has several databases; one may have committed")
    in_parts = frames_in(error, "", "_exec_insertmany_context")
    if (in_parts or frames_in(error, "sqlalchemy.orm.")) and _commits_each(error):
        return Evidence("maybe", "several statements were sent, and an earlier one may hold")
    if "TimeoutError" in kinds_of(error):
        return Evidence("no", "no connection of the pool was free")
    return None


def _commits_each(error: BaseException) -> bool:
    """Return whether the driver's connection commits each statement by itself."""
    senders = (frame.values.get("self") for part in parts_of(error) for frame in frames_of(part))
    return any(
        getattr(getattr(sender, "connection", sender), "autocommit", None) is True
        for sender in senders
        if library_of(sender) == "psycopg"
    )


def judge_redis(error: BaseException) -> Evidence | None:
    """Return what an exception of redis-py proves.

    One class stands for connections that were refused and for those that were lost. The frames tell
    them apart, and how often its `Retry` has called again.
    """
    kinds = kinds_of(error)
    frames = frames_in(error, "redis.")
    functions = {frame.function for frame in frames}
    is_sent = bool(functions & (_SENDING | _TOGETHER))
    # `transaction` begins anew where the answer to its EXEC was lost.
    if "transaction" in functions or any(frame.module.startswith(_SEVERAL) for frame in frames):
        return Evidence("maybe", "redis-py may have sent the command before")
    if functions & _CONNECTING and not is_sent:
        return Evidence("no", "no connection could be made")
    failed_before = any(
        frame.values.get("failures") for frame in frames if frame.function == "call_with_retry"
    )
    if failed_before:
        return Evidence("maybe", "redis-py had sent the command before; see redis.retry.Retry")
    if kinds & REFUSED and not functions & _TOGETHER and not _is_of_script(frames, error):
        return Evidence("no", "the server refuses the command before it runs")
    return Evidence("maybe", "the command may have reached the server")


def _is_of_script(frames: list[Frame], error: BaseException) -> bool:
    """Return whether a script was called: what it has done by then holds."""
    calls = [frame.values for frame in frames if frame.function == "execute_command"]
    names = [next(iter(values.get("args") or ()), "") for values in calls]
    texts = [name.decode("latin-1") if isinstance(name, bytes) else str(name) for name in names]
    is_named = any(text.partition(" ")[0].upper() in _SCRIPTS for text in texts)
    return is_named or "script" in str(error)
