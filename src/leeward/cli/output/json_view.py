"""Results and errors as JSON objects: the shapes that ``docs/cli.md`` lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward.cli.item_json import tagged
from leeward.cli.output.exit_codes import ExitCode
from leeward.errors import (
    Attempt,
    CallError,
    FunctionError,
    InvalidRequest,
    LeewardError,
    OutcomeUnknown,
)
from leeward.values import InvokeResult, PublishReceipt, Receipt, Record, StoreReceipt

if TYPE_CHECKING:
    from leeward.values import ObjectInfo
    from leeward.workflow.runs import Run

JsonObject: TypeAlias = dict[str, Any]


def json_of_answer(result: InvokeResult) -> JsonObject:
    """Return the JSON object of `invoke`."""
    return {
        "value": result.value,
        "target": result.target,
        "idempotency_key": result.idempotency_key,
        "attempts": json_of_attempts(result.attempts),
    }


def json_of_queued(receipt: Receipt) -> JsonObject:
    """Return the JSON object of `enqueue`."""
    return {
        "promise": receipt.promise.value,
        "target": receipt.target,
        "idempotency_key": receipt.idempotency_key,
        "attempts": json_of_attempts(receipt.attempts),
    }


def json_of_published(receipt: PublishReceipt) -> JsonObject:
    """Return the JSON object of `publish`."""
    return {
        "promise": receipt.promise.value,
        "id": receipt.id,
        "target": receipt.target,
        "attempts": json_of_attempts(receipt.attempts),
    }


def json_of_write(receipt: StoreReceipt) -> JsonObject:
    """Return the JSON object of `store` and `delete`, and of those of objects."""
    return {
        "promise": receipt.promise.value,
        "target": receipt.target,
        "revision": receipt.revision,
        "resolved": receipt.resolved,
        "attempts": json_of_attempts(receipt.attempts),
    }


def json_of_record(record: Record) -> JsonObject:
    """Return the JSON object of `load`, where there was an item."""
    return {
        "found": True,
        "item": tagged(record.item),
        "revision": record.revision,
        "target": record.target,
        "expires_at": None if record.expires_at is None else record.expires_at.isoformat(),
        "maybe_stale": record.maybe_stale,
        "foreign": record.foreign,
        "attempts": json_of_attempts(record.attempts),
    }


def json_of_absence(table: str) -> JsonObject:
    """Return the JSON object of `load`, where there was no item."""
    return {"found": False, "table": table, "item": None}


def json_of_object(info: ObjectInfo) -> JsonObject:
    """Return the JSON object of `object show`, and of an object that was read into a file."""
    told = info._asdict() | {"metadata": dict(info.metadata)}
    return {"found": True, **told, "attempts": json_of_attempts(info.attempts)}


def json_of_no_object(bucket: str, name: str) -> JsonObject:
    """Return the JSON object of `object show` and `object get`, where there was no object."""
    return {"found": False, "bucket": bucket, "name": name}


def json_of_listed(objects: Iterable[ObjectInfo], *, more: bool) -> JsonObject:
    """Return the JSON object of `object list`; `more` says that it is not all of them."""
    listed = [{"name": each.name, "size": each.size, "revision": each.revision} for each in objects]
    return {"objects": listed, "more": more}


def json_of_run(run: Run) -> JsonObject:
    """Return the JSON object of a run of a workflow; times are Unix seconds."""
    return {
        "workflow": run.workflow,
        "id": run.id,
        "target": run.target,
        "state": run.state.value,
        "digest": run.digest,
        "started": run.started,
        "ended": run.ended,
        "result": run.result,
        "error": run.error,
        "unreversed": list(run.unreversed),
        "events": [each._asdict() for each in run.events],
    }


def json_of_attempts(attempts: Iterable[Attempt]) -> list[JsonObject]:
    """Return attempts as JSON objects; times in seconds."""
    return [
        {
            "target": attempt.target,
            "started": round(attempt.started, 6),
            "duration": round(attempt.duration, 6),
            "outcome": attempt.outcome.value,
            "code": attempt.code,
            "request_id": attempt.request_id,
            "read_back": attempt.read_back,
            "reason": attempt.reason,
            "call_id": attempt.call_id,
        }
        for attempt in attempts
    ]


_RAN: Final = {"no": False, "maybe": None, "yes": True}
"""What leeward's handler says of a call, and whether it has run."""


def json_of_failure(kind: str, message: str, end: ExitCode) -> JsonObject:
    """Return what every failure shows."""
    return {"type": kind, "message": message, "exit_code": end.code, "may_have_run": end.ran}


def json_of_error(error: LeewardError, end: ExitCode) -> JsonObject:
    """Return an error of leeward as a JSON object."""
    data = json_of_failure(type(error).__name__, str(error), end)
    data["target"] = error.target
    if isinstance(error, CallError):
        data |= {
            "outcome": error.outcome.value,
            "code": error.code,
            "reason": error.reason,
            "retry_after": error.retry_after,
        }
    match error:
        case InvalidRequest():
            data["field"] = error.field
        case FunctionError():
            data |= {
                "error_type": error.error_type,
                "error_message": error.error_message,
                "trace": list(error.trace),
                "retryable": error.retryable,
            }
            if error.ran is not None:
                data["may_have_run"] = _RAN[error.ran]
        case OutcomeUnknown():
            data |= {"idempotency_key": error.idempotency_key, "executed": error.executed}
            data["may_have_run"] = True if error.executed else None
        case _:
            pass
    return data | {"attempts": json_of_attempts(error.attempts)}
