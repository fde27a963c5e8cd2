"""What came of a command, as plain JSON objects: the shapes that ``docs/cli.md`` lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from leeward.cli.exits import Exit
from leeward.cli.itemjson import tagged
from leeward.errors import CallError, FunctionError, InvalidRequest, LeewardError, OutcomeUnknown
from leeward.values import (
    Attempt,
    InvokeResult,
    PublishReceipt,
    Receipt,
    Record,
    StoreReceipt,
)

Facts: TypeAlias = dict[str, Any]


def of_answer(result: InvokeResult) -> Facts:
    """Return the facts of `invoke`."""
    return {
        "value": result.value,
        "target": result.target,
        "idempotency_key": result.idempotency_key,
        "attempts": of_attempts(result.attempts),
    }


def of_queued(receipt: Receipt) -> Facts:
    """Return the facts of `enqueue`."""
    return {
        "promise": receipt.promise.value,
        "target": receipt.target,
        "idempotency_key": receipt.idempotency_key,
        "attempts": of_attempts(receipt.attempts),
    }


def of_published(receipt: PublishReceipt) -> Facts:
    """Return the facts of `publish`."""
    return {
        "promise": receipt.promise.value,
        "id": receipt.id,
        "target": receipt.target,
        "attempts": of_attempts(receipt.attempts),
    }


def of_write(receipt: StoreReceipt) -> Facts:
    """Return the facts of `store` and `delete`."""
    return {
        "promise": receipt.promise.value,
        "target": receipt.target,
        "revision": receipt.revision,
        "resolved": receipt.resolved,
        "attempts": of_attempts(receipt.attempts),
    }


def of_record(record: Record) -> Facts:
    """Return the facts of `load`, where there was an item."""
    return {
        "found": True,
        "item": tagged(record.item),
        "revision": record.revision,
        "target": record.target,
        "expires_at": None if record.expires_at is None else record.expires_at.isoformat(),
        "maybe_stale": record.maybe_stale,
        "foreign": record.foreign,
        "attempts": of_attempts(record.attempts),
    }


def of_absence(table: str) -> Facts:
    """Return the facts of `load`, where there was no item."""
    return {"found": False, "table": table, "item": None}


def of_attempts(attempts: Iterable[Attempt]) -> list[Facts]:
    """Return the facts of attempts; times in seconds."""
    return [
        {
            "target": attempt.target,
            "started": round(attempt.started, 6),
            "duration": round(attempt.duration, 6),
            "outcome": attempt.outcome.value,
            "code": attempt.code,
            "request_id": attempt.request_id,
            "read_back": attempt.read_back,
        }
        for attempt in attempts
    ]


def of_failure(kind: str, message: str, end: Exit) -> Facts:
    """Return the facts that every failure has."""
    return {"type": kind, "message": message, "exit_code": end.code, "may_have_run": end.ran}


def of_error(error: LeewardError, end: Exit) -> Facts:
    """Return the facts of an error of leeward."""
    facts = of_failure(type(error).__name__, str(error), end)
    facts["target"] = error.target
    if isinstance(error, CallError):
        facts |= {
            "outcome": error.outcome.value,
            "code": error.code,
            "reason": error.reason,
            "retry_after": error.retry_after,
        }
    match error:
        case InvalidRequest():
            facts["field"] = error.field
        case FunctionError():
            facts |= {"error_type": error.error_type, "trace": list(error.trace)}
        case OutcomeUnknown():
            facts |= {"idempotency_key": error.idempotency_key, "executed": error.executed}
            facts["may_have_run"] = True if error.executed else None
        case _:
            pass
    return facts | {"attempts": of_attempts(error.attempts)}
