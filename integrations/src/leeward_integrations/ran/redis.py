"""Exceptions of redis-py, for threads and tasks.

One class stands for connections that were refused and for those that were lost. The frames tell
them apart, and how often its `Retry` has called again.
"""

from __future__ import annotations

from typing import Final

from leeward.evidence import Evidence
from leeward_integrations.ran.frames import Frame, frames_of, kinds_of

REFUSED: Final = frozenset(
    {
        "AuthenticationError",
        "AuthorizationError",
        "BusyLoadingError",
        "MaxConnectionsError",
        "NoPermissionError",
        "NoScriptError",
        "OutOfMemoryError",
        "ReadOnlyError",
    }
)
"""What the server, or the pool, refuses a command with before it runs."""


_TOGETHER: Final = frozenset({"_execute_pipeline", "_execute_transaction"})
"""Functions that send several commands, of which one may fail alone."""

_SCRIPTS: Final = frozenset({"EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL", "FCALL_RO"})
"""Commands that can answer with any error, after some of their own commands have run."""

_SENDING: Final = frozenset({"_send_command_parse_response", "send_command", "parse_response"})
_CONNECTING: Final = frozenset({"connect", "connect_check_health", "get_connection"})


def judge(error: BaseException) -> Evidence | None:
    """Return what an exception of redis-py proves."""
    kinds = kinds_of(error)
    frames = [frame for frame in frames_of(error) if frame.module.startswith("redis.")]
    functions = {frame.function for frame in frames}
    is_sent = bool(functions & (_SENDING | _TOGETHER))
    if functions & _CONNECTING and not is_sent:
        return Evidence("no", "no connection could be made")
    failed_before = any(
        frame.values.get("failures") for frame in frames if frame.function == "call_with_retry"
    )
    if failed_before:
        return Evidence("maybe", "redis-py had sent the command before; see redis.retry.Retry")
    if not functions:
        return Evidence("maybe", "the traceback is lost, and with it how often redis-py had called")
    if kinds & REFUSED and not functions & _TOGETHER and not _are_several(frames, error):
        return Evidence("no", "the server refuses the command before it runs")
    return Evidence("maybe", "the command may have reached the server")


def _are_several(frames: list[Frame], error: BaseException) -> bool:
    """Return whether a script ran, or a client that sends parts of a command to several servers."""
    if "script" in str(error):
        return True
    for frame in frames:
        if frame.module.startswith(("redis.cluster", "redis.asyncio.cluster", "redis.multidb")):
            return True
        if frame.function == "execute_command":
            command = next(iter(frame.values.get("args") or ()), "")
            text = command.decode("latin-1") if isinstance(command, bytes) else str(command)
            if text.partition(" ")[0].upper() in _SCRIPTS:
                return True
    return False
