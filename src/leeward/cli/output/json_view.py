"""Results and errors as JSON objects: the shapes that ``docs/cli.md`` lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward._operations.events import EVENT_TIMEOUT
from leeward._operations.functions import INVOKE_TIMEOUT
from leeward._operations.objects import OBJECT_TIMEOUT
from leeward._operations.operations import DATA_TIMEOUT
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
from leeward.text import did_you_mean
from leeward.values import (
    NOTHING,
    Effect,
    InvokeResult,
    ItemPage,
    PublishReceipt,
    Receipt,
    Record,
    StoreReceipt,
)
from leeward.views.item_json import tag_value

if TYPE_CHECKING:
    from leeward.values.objects import ObjectInfo
    from leeward.values.settled import Settled


JsonObject: TypeAlias = dict[str, Any]


def json_of(
    result: InvokeResult | Receipt | PublishReceipt | StoreReceipt | Record | ObjectInfo,
) -> JsonObject:
    """Return the JSON object of what a method of the client returns: its fields."""
    data = result._asdict() | {"attempts": json_of_attempts(result.attempts)}
    if "promise" in data:
        data["promise"] = data["promise"].value
    if data.get("expires_at") is not None:
        data["expires_at"] = data["expires_at"].isoformat()
    return data


def json_of_verdict(settled: Settled) -> JsonObject:
    """Return the JSON object of `settle`."""
    failure = settled.failure
    return settled._asdict() | {
        "verdict": settled.verdict.value,
        "failure": failure
        and {
            "error_type": failure.type,
            "error_message": failure.message,
            "reason": failure.reason,
            "retryable": failure.retryable,
        },
    }


def json_of_record(record: Record) -> JsonObject:
    """Return the JSON object of `load`, where there was an item."""
    return {"found": True, **json_of(record), "item": tag_value(record.item)}


def json_of_pages(pages: Sequence[ItemPage]) -> JsonObject:
    """Return the JSON object of `list`; its cursor leads to what comes behind these pages."""
    return {
        "items": [
            {name: row[name] for name in ("item", "revision", "expires_at", "foreign")}
            for page in pages
            for row in map(json_of_record, page.items)
        ],
        "cursor": pages[-1].cursor,
        "target": pages[-1].target,
        "attempts": [each for page in pages for each in json_of_attempts(page.attempts)],
    }


def json_of_object(info: ObjectInfo) -> JsonObject:
    """Return the JSON object of `object show`, and of an object that was read into a file."""
    return {"found": True, **json_of(info), "metadata": dict(info.metadata)}


def json_of_attempts(attempts: Iterable[Attempt]) -> list[JsonObject]:
    """Return attempts as JSON objects; times in seconds."""
    return [
        {
            **attempt._asdict(),
            "started": round(attempt.started, 6),
            "duration": round(attempt.duration, 6),
            "outcome": attempt.outcome.value,
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
    known = {
        function for target in config.order for function in _list_functions(target, config) or ()
    }
    near = did_you_mean(name, known - config.functions.keys()).removeprefix("; ")
    rest = "correct the name, add it to the functions of a target, or remove it"
    return near or f"no target has it: {rest}"


def json_of_config(config: Config) -> JsonObject:
    """Return the JSON object of a configuration; no name stands for whatever is not configured."""

    def rows(
        known: Mapping[str, Any], default: Any, read: Callable[[Any], JsonObject]
    ) -> list[Any]:
        named = [*known.items(), (None, default)]
        return [{"name": name, **read(each), "names": dict(each.names)} for name, each in named]

    def table(each: TableConfig) -> JsonObject:
        timeout = each.timeout or DATA_TIMEOUT
        return {"key": list(each.key), "home": _home(each.home, config), "timeout": timeout}

    def function(each: FunctionConfig) -> JsonObject:
        return {
            "effect": (each.effect or Effect.UNSAFE).value,
            "dedup_scope": "group" if each.shared_dedup else "target",
            "timeout": each.timeout or INVOKE_TIMEOUT,
            "queue": each.queue,
        }

    def bus(each: BusConfig) -> JsonObject:
        timeout = each.timeout or EVENT_TIMEOUT
        return {"timeout": timeout, "on_all_down": each.on_all_down or "raise"}

    def bucket(each: BucketConfig) -> JsonObject:
        return {"home": _home(each.home, config), "timeout": each.timeout or OBJECT_TIMEOUT}

    return {
        "order": [str(target) for target in config.order],
        "trust_env": config.trust_env,
        "source": config.source,
        "tables": rows(config.tables, TableConfig(), table),
        "functions": rows(config.functions, FunctionConfig(), function),
        "buses": rows(config.buses, BusConfig(), bus),
        "buckets": rows(config.buckets, BucketConfig(), bucket),
        "groups": [_group(name, each, config) for name, each in config.groups.items()],
        "fail_back": config.fail_back,
        "hedge": config.hedge,
        "unused_sections": unused_sections(config),
        "unknown_functions": unknown_functions(config),
    }


def json_of_origins(targets: str | None, settings: Config, env: Mapping[str, str]) -> JsonObject:
    """Return which file is read, and where the order comes from."""
    order_from = "file" if settings.order else "default"
    if env.get("CLOUD_PROVIDER"):
        order_from = "CLOUD_PROVIDER"
    if targets is not None:
        order_from = "--targets"
    return {"order_from": order_from, "config": settings.file}


def _home(own: str | None, config: Config) -> str | None:
    only = str(config.order[0]) if len(config.order) == 1 else None
    return own or config.data_target or only


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
