"""Functions that do what functions should not, and one that tells what it was given."""

from __future__ import annotations

import os
import signal
import time
from typing import Any


def context(event: Any, given: Any) -> dict[str, Any]:
    """Return what came besides the payload."""
    told = given.client_context
    return {
        "request_id": given.aws_request_id,
        "arn": given.invoked_function_arn,
        "remaining_ms": given.get_remaining_time_in_millis(),
        "custom": told and told.custom,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "process": os.getpid(),
        "event": event,
    }


def leave(event: Any, _context: object) -> None:
    """End the process with the status that the payload names."""
    os._exit(event["status"])


def die(_event: object, _context: object) -> None:
    """End the process as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def large(event: Any, _context: object) -> str:
    """Return a text that is `bytes` long as JSON."""
    length: int = event["bytes"] - 2
    return "x" * length


def sleep(event: Any, _context: object) -> str:
    """Return late."""
    time.sleep(event["seconds"])
    return "woke"


def unprintable(_event: object, _context: object) -> object:
    """Return what is no JSON."""
    return {1, 2}


def wait(_event: object, _context: object) -> int:
    """Wait until the file that the variable GATE names is there; return the process."""
    while not os.path.exists(os.environ["GATE"]):  # noqa: PTH110 - pathlib takes long to import
        time.sleep(0.005)
    return os.getpid()
