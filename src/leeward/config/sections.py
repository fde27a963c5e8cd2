"""The sections of ``leeward.toml``: parsed tables in, checked values out.

Every error is a `ConfigError` that names the file, the key and the remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from leeward.config.export_sections import read_export
from leeward.config.location import Location
from leeward.config.model import (
    BucketConfig,
    BusConfig,
    Config,
    FunctionConfig,
    Names,
    TableConfig,
    WorkflowConfig,
)
from leeward.config.order import parse_order
from leeward.config.routing_sections import (
    read_fail_back,
    read_group,
    read_health_checks,
    read_weights,
)
from leeward.config.values import (
    by_target,
    optional,
    read_boolean,
    read_seconds,
    read_section,
    read_target,
    read_text,
    read_texts,
    refuse_unknown,
)
from leeward.errors import ConfigError
from leeward.values import Effect

T = TypeVar("T")

TOP_LEVEL = (
    *("cloud_provider", "data_target", "workflow_target", "source", "trust_env"),
    *("fail_back", "hedge", "weights", "residency", "health_checks", "snapshot"),
)


def read_sections(document: Mapping[str, Any], file: str) -> Config:
    """Check a parsed ``leeward.toml`` and return what it configures."""
    top = Location(file)
    sections = {
        "functions": _read_function,
        "buses": _read_bus,
        "tables": _read_table,
        "buckets": _read_bucket,
        "workflows": _read_workflow,
        "groups": read_group,
        "dead_letters": read_texts,
    }
    known = (*TOP_LEVEL, *sections, "targets", "export", "dead_letters")
    refuse_unknown(document, known, top)
    parts = {
        name: _read_each(document.get(name, {}), top.child(name), read)
        for name, read in sections.items()
    }
    provider = optional(document, "cloud_provider", top, read_text)
    return Config(
        order=parse_order(provider, str(top.child("cloud_provider"))) if provider else (),
        options=by_target(document.get("targets", {}), top.child("targets"), read_section),
        functions=parts["functions"],
        buses=parts["buses"],
        tables=parts["tables"],
        workflows=parts["workflows"],
        workflow_target=optional(document, "workflow_target", top, read_target),
        source=optional(document, "source", top, read_text) or Config().source,
        trust_env=optional(document, "trust_env", top, read_boolean) is not False,
        data_target=optional(document, "data_target", top, read_target),
        file=file,
        buckets=parts["buckets"],
        groups=parts["groups"],
        residency=optional(document, "residency", top, _read_names) or {},
        weights=optional(document, "weights", top, read_weights) or {},
        fail_back=optional(document, "fail_back", top, read_fail_back) or Config().fail_back,
        hedge=optional(document, "hedge", top, read_boolean) is True,
        health_checks=optional(document, "health_checks", top, read_health_checks),
        snapshot=optional(document, "snapshot", top, read_text),
        export=by_target(document.get("export", {}), top.child("export"), read_export),
        dead_letters=parts["dead_letters"],
    )


def _read_function(section: Any, where: Location) -> FunctionConfig:
    table = read_section(section, where)
    refuse_unknown(table, ("effect", "dedup_scope", "timeout", "marks", "names", "queue"), where)
    effect = optional(table, "effect", where, _read_effect)
    scope = optional(table, "dedup_scope", where, _read_dedup_scope)
    if scope is not None and effect is not Effect.KEYED:
        raise ConfigError(
            f"{where.child('dedup_scope')} needs effect = 'keyed' beside it; only keyed calls are "
            "deduplicated"
        )
    return FunctionConfig(
        effect=effect,
        shared_dedup=scope == "group",
        timeout=optional(table, "timeout", where, read_seconds),
        names=optional(table, "names", where, _read_names) or {},
        marks=optional(table, "marks", where, read_boolean),
        queue=optional(table, "queue", where, read_boolean),
    )


def _read_bus(section: Any, where: Location) -> BusConfig:
    table = read_section(section, where)
    refuse_unknown(table, ("timeout", "names"), where)
    return BusConfig(
        timeout=optional(table, "timeout", where, read_seconds),
        names=optional(table, "names", where, _read_names) or {},
    )


def _read_table(section: Any, where: Location) -> TableConfig:
    table = read_section(section, where)
    refuse_unknown(table, ("key", "home", "timeout", "names", "residency"), where)
    return TableConfig(
        key=optional(table, "key", where, _read_key) or TableConfig().key,
        home=optional(table, "home", where, read_target),
        timeout=optional(table, "timeout", where, read_seconds),
        names=optional(table, "names", where, _read_names) or {},
        residency=optional(table, "residency", where, read_texts) or (),
    )


def _read_bucket(section: Any, where: Location) -> BucketConfig:
    table = read_section(section, where)
    refuse_unknown(table, ("home", "timeout", "names"), where)
    return BucketConfig(
        home=optional(table, "home", where, read_target),
        timeout=optional(table, "timeout", where, read_seconds),
        names=optional(table, "names", where, _read_names) or {},
    )


def _read_workflow(section: Any, where: Location) -> WorkflowConfig:
    table = read_section(section, where)
    refuse_unknown(table, ("definition", "names"), where)
    definition = optional(table, "definition", where, read_text)
    if definition is None:
        raise ConfigError(f'{where} lacks \'definition\'; write "module:flow" or "flow.yaml"')
    return WorkflowConfig(definition, optional(table, "names", where, _read_names) or {})


def _read_each(
    section: Any, where: Location, read: Callable[[Any, Location], Any]
) -> dict[str, Any]:
    return {
        name: read(value, where.child(name)) for name, value in read_section(section, where).items()
    }


def _read_effect(value: Any, where: Location) -> Effect:
    names = [effect.value for effect in Effect]
    if not isinstance(value, str) or value not in names:
        raise ConfigError(f"{where} must be one of {', '.join(names)}")
    return Effect(value)


def _read_dedup_scope(value: Any, where: Location) -> str:
    if value not in ("target", "group"):
        raise ConfigError(f"{where} must be 'target' or 'group'")
    return str(value)


def _read_names(value: Any, where: Location) -> Names:
    return by_target(value, where, read_text)


def _read_key(value: Any, where: Location) -> tuple[str, ...]:
    fields = value if isinstance(value, list) else [value]
    if len(fields) not in (1, 2) or not all(isinstance(f, str) and f for f in fields):
        raise ConfigError(
            f"{where} must be the name of one field, or a list of a partition and a sort field"
        )
    if len(set(fields)) < len(fields):
        raise ConfigError(f"{where} names {fields[0]!r} twice")
    return tuple(fields)
