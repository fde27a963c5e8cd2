"""Results and errors as JSON objects: the shapes that ``docs/cli.md`` lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward._operations.events import EVENT_TIMEOUT
from leeward._operations.functions import INVOKE_TIMEOUT
from leeward._operations.objects import OBJECT_TIMEOUT
from leeward._operations.operations import DATA_TIMEOUT
from leeward.cli.item_json import tag_value
from leeward.cli.output.exit_codes import ExitCode
from leeward.config import (
    BucketConfig,
    BusConfig,
    Config,
    FunctionConfig,
    GroupConfig,
    TableConfig,
    TargetName,
)
from leeward.config.load import unused_sections
from leeward.config.model import Names, groups_of
from leeward.errors import (
    Attempt,
    CallError,
    FunctionError,
    InvalidRequest,
    LeewardError,
    OutcomeUnknown,
)
from leeward.local.config import listed_functions
from leeward.opening import target_config
from leeward.values import (
    NOTHING,
    Effect,
    InvokeResult,
    Isolation,
    ItemPage,
    PublishReceipt,
    Receipt,
    Record,
    StoreReceipt,
    TargetStatus,
)

if TYPE_CHECKING:
    from leeward.values.objects import ObjectInfo
    from leeward.values.runs import Run
    from leeward.values.settled import Settled


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


def json_of_verdict(settled: Settled) -> JsonObject:
    """Return the JSON object of `settle`."""
    failure = settled.failure
    return {
        "verdict": settled.verdict.value,
        "reason": settled.reason,
        "result": settled.result,
        "kept": settled.kept,
        "failure": failure
        and {
            "error_type": failure.type,
            "error_message": failure.message,
            "reason": failure.reason,
            "retryable": failure.retryable,
        },
        "retry_after": settled.retry_after,
        "target": settled.target,
        "voids": settled.voids,
        "record": settled.record,
        "detail": settled.detail,
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
        "item": tag_value(record.item),
        "revision": record.revision,
        "target": record.target,
        "expires_at": None if record.expires_at is None else record.expires_at.isoformat(),
        "maybe_stale": record.maybe_stale,
        "foreign": record.foreign,
        "attempts": json_of_attempts(record.attempts),
    }


def json_of_pages(pages: Sequence[ItemPage]) -> JsonObject:
    """Return the JSON object of `list`; its cursor leads to what comes behind these pages."""
    return {
        "items": [
            {
                "item": tag_value(each.item),
                "revision": each.revision,
                "expires_at": None if each.expires_at is None else each.expires_at.isoformat(),
                "foreign": each.foreign,
            }
            for page in pages
            for each in page.items
        ],
        "cursor": pages[-1].cursor,
        "target": pages[-1].target,
        "attempts": [each for page in pages for each in json_of_attempts(page.attempts)],
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
        "events": [event._asdict() for event in run.events],
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
            data["may_have_run"] = _RAN[error.ran or "maybe"]
        case OutcomeUnknown():
            data |= {"idempotency_key": error.idempotency_key, "executed": error.executed}
            data["may_have_run"] = True if error.executed else None
        case _:
            pass
    return data | {"attempts": json_of_attempts(error.attempts)}


def moment(time: float | None) -> str:
    """Return Unix seconds as a time in UTC; ``-`` where there is none."""
    if time is None:
        return "-"
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "-"


def span(seconds: float | None) -> str:
    """Return seconds as a person reads them, such as ``3 h``; ``-`` where there are none."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def unknown_functions(config: Config) -> list[JsonObject]:
    """Return name and remedy of each. What a cloud has, the file does not say: it may have any."""
    listed = [(target, _list_functions(target, config)) for target in config.order]
    return [
        {"name": name, "remedy": _remedy(name, config)}
        for name, each in config.functions.items()
        if all(
            own is not None and _own_name(target, each.names, name) not in own
            for target, own in listed
        )
    ]


def _list_functions(target: TargetName, config: Config) -> frozenset[str] | None:
    if target.provider != "local":
        return None
    return listed_functions(target_config(target, config, NOTHING))


def _own_name(target: TargetName, names: Names, logical: str) -> str:
    return names.get(str(target), names.get(target.provider, logical))


def _remedy(name: str, config: Config) -> str:
    from difflib import get_close_matches

    known = {
        function for target in config.order for function in _list_functions(target, config) or ()
    }
    near = get_close_matches(name, sorted(known - config.functions.keys()), n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return "no target has it: correct the name, add it to the functions of a target, or remove it"


def json_of_config(config: Config) -> JsonObject:
    """Return the JSON object of a configuration; no name stands for whatever is not configured."""
    tables = [*config.tables.items(), (None, TableConfig())]
    functions = [*config.functions.items(), (None, FunctionConfig())]
    buses = [*config.buses.items(), (None, BusConfig())]
    buckets = [*config.buckets.items(), (None, BucketConfig())]
    return {
        "order": [str(target) for target in config.order],
        "trust_env": config.trust_env,
        "source": config.source,
        "tables": [_table(name, each, config) for name, each in tables],
        "functions": [_function(name, each) for name, each in functions],
        "buses": [_bus(name, each) for name, each in buses],
        "buckets": [_bucket(name, each, config) for name, each in buckets],
        "groups": [_group(name, each, config) for name, each in config.groups.items()],
        "fail_back": config.fail_back,
        "hedge": config.hedge,
        "unused_sections": unused_sections(config),
        "unknown_functions": unknown_functions(config),
    }


def json_of_origins(targets: str | None, settings: Config, env: Mapping[str, str]) -> JsonObject:
    """Return which file is read, and where the order comes from."""
    return {"order_from": _order_from(targets, settings, env), "config": settings.file}


def json_of_target(status: TargetStatus) -> JsonObject:
    """Return the JSON object of one target."""
    return {
        "name": status.name,
        "capabilities": sorted(status.capabilities),
        "settings": dict(status.settings),
        "attempts": status.attempts,
        "failures": status.failures,
        "last_outcome": None if status.last_outcome is None else status.last_outcome.value,
        "state": status.state,
        "circuits": [circuit._asdict() for circuit in status.circuits],
        "residency": status.residency,
        "in_flight": status.in_flight,
        "waiting": status.waiting,
        "isolation": json_of_isolation(status.isolation),
    }


def json_of_isolation(word: Isolation | None) -> JsonObject | None:
    """Return the JSON object of what an operator has said to every process."""
    if word is None:
        return None
    until = None if word.until == inf else word.until
    return {"by": word.by, "why": word.why, "since": word.since, "until": until}


def _order_from(targets: str | None, settings: Config, env: Mapping[str, str]) -> str:
    if targets is not None:
        return "--targets"
    if env.get("CLOUD_PROVIDER"):
        return "CLOUD_PROVIDER"
    return "file" if settings.order else "default"


def _home(own: str | None, config: Config) -> str | None:
    only = str(config.order[0]) if len(config.order) == 1 else None
    return own or config.data_target or only


def _table(name: str | None, table: TableConfig, config: Config) -> JsonObject:
    return {
        "name": name,
        "key": list(table.key),
        "home": _home(table.home, config),
        "timeout": table.timeout or DATA_TIMEOUT,
        "names": dict(table.names),
    }


def _function(name: str | None, function: FunctionConfig) -> JsonObject:
    return {
        "name": name,
        "effect": (function.effect or Effect.UNSAFE).value,
        "dedup_scope": "group" if function.shared_dedup else "target",
        "timeout": function.timeout or INVOKE_TIMEOUT,
        "names": dict(function.names),
        "queue": function.queue,
    }


def _group(name: str, group: GroupConfig, config: Config) -> JsonObject:
    order = tuple(str(target) for target in config.order)
    made = next(iter(groups_of(config._replace(groups={name: group}), order).values()))
    return {
        "name": name,
        "functions": list(group.functions),
        "buses": list(group.buses),
        "targets": list(made.targets),
        "residency": list(group.residency),
        "fail_back": made.fail_back,
    }


def _bus(name: str | None, bus: BusConfig) -> JsonObject:
    return {
        "name": name,
        "timeout": bus.timeout or EVENT_TIMEOUT,
        "on_all_down": bus.on_all_down or "raise",
        "names": dict(bus.names),
    }


def _bucket(name: str | None, bucket: BucketConfig, config: Config) -> JsonObject:
    return {
        "name": name,
        "home": _home(bucket.home, config),
        "timeout": bucket.timeout or OBJECT_TIMEOUT,
        "names": dict(bucket.names),
    }
