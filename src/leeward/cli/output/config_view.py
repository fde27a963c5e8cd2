"""What is configured, and where each setting comes from, as JSON objects."""

from __future__ import annotations

from collections.abc import Mapping

from leeward.cli.output.json_view import JsonObject
from leeward.cli.output.unknown_functions import unknown_functions
from leeward.config import (
    BucketConfig,
    BusConfig,
    Config,
    FunctionConfig,
    GroupConfig,
    TableConfig,
)
from leeward.config.groups import groups_of
from leeward.config.load import unused_sections
from leeward.operations.events import EVENT_TIMEOUT
from leeward.operations.functions import INVOKE_TIMEOUT
from leeward.operations.objects import OBJECT_TIMEOUT
from leeward.operations.operations import DATA_TIMEOUT
from leeward.values import Effect, TargetStatus


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
        "circuits": [each._asdict() for each in status.circuits],
        "residency": status.residency,
        "in_flight": status.in_flight,
        "waiting": status.waiting,
    }


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
    return {"name": name, "timeout": bus.timeout or EVENT_TIMEOUT, "names": dict(bus.names)}


def _bucket(name: str | None, bucket: BucketConfig, config: Config) -> JsonObject:
    return {
        "name": name,
        "home": _home(bucket.home, config),
        "timeout": bucket.timeout or OBJECT_TIMEOUT,
        "names": dict(bucket.names),
    }
