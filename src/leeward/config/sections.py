"""The sections of ``leeward.toml``: parsed tables in, checked values out.

Every error is a `ConfigError` that names the file, the key and the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from leeward.config.model import (
    BucketConfig,
    BusConfig,
    Config,
    ConfigKey,
    ExportConfig,
    FunctionConfig,
    GroupConfig,
    HealthChecks,
    LimitConfig,
    Names,
    SpoolConfig,
    TableConfig,
    WorkerConfig,
    WorkflowConfig,
    parse_order,
    parse_target,
    prefix_of,
)
from leeward.errors import ConfigError
from leeward.text import did_you_mean, is_printable
from leeward.values import Effect

T = TypeVar("T")

TOP_LEVEL = (
    *("cloud_provider", "data_target", "workflow_target", "source", "trust_env"),
    *("fail_back", "hedge", "weights", "residency", "health_checks", "snapshot"),
    *("unknowns", "unknowns_payload"),
)


def read_sections(document: Mapping[str, Any], file: str) -> Config:
    """Check a parsed ``leeward.toml`` and return what it configures."""
    top = ConfigKey(file)
    sections = {
        "functions": _read_function,
        "buses": _read_bus,
        "tables": _read_table,
        "buckets": _read_bucket,
        "workflows": _read_workflow,
        "groups": read_group,
        "dead_letters": read_texts,
    }
    known = (
        *TOP_LEVEL,
        *sections,
        *("targets", "export", "worker", "spool", "deploy"),
    )
    refuse_unknown(document, known, top)
    parts: dict[str, Any] = {}
    for name, read in sections.items():
        where = top.child(name)
        entries = read_section(document.get(name, {}), where)
        parts[name] = {key: read(value, where.child(key)) for key, value in entries.items()}
    provider = optional(document, "cloud_provider", top, read_text)
    if "unknowns_payload" in document and "unknowns" not in document:
        raise ConfigError(f'{top.child("unknowns_payload")} needs unknowns = "TABLE" beside it')
    return Config(
        **parts,
        order=parse_order(provider, str(top.child("cloud_provider"))) if provider else (),
        options=by_target(document.get("targets", {}), top.child("targets"), read_section),
        workflow_target=optional(document, "workflow_target", top, read_target),
        source=optional(document, "source", top, read_text) or Config().source,
        trust_env=optional(document, "trust_env", top, read_boolean) is not False,
        data_target=optional(document, "data_target", top, read_target),
        file=file,
        residency=optional(document, "residency", top, _read_names) or {},
        weights=optional(document, "weights", top, read_weights) or {},
        fail_back=optional(document, "fail_back", top, _word_of(*FAIL_BACKS)) or Config().fail_back,
        hedge=optional(document, "hedge", top, read_boolean) is True,
        health_checks=optional(document, "health_checks", top, read_health_checks),
        snapshot=optional(document, "snapshot", top, read_text),
        unknowns=optional(document, "unknowns", top, read_text),
        unknowns_payload=optional(document, "unknowns_payload", top, read_boolean) is True,
        export=by_target(document.get("export", {}), top.child("export"), read_export),
        worker=read_worker(document.get("worker", {}), top.child("worker")),
        spool=optional(document, "spool", top, read_spool) or SpoolConfig(),
        deploy=(deploy := optional(document, "deploy", top, read_section) or {}),
        prefix=prefix_of(deploy, str(top.child("deploy"))),
    )


def _read_function(section: Any, where: ConfigKey) -> FunctionConfig:
    table = read_section(section, where)
    known = "effect dedup_scope timeout marks names queue on_unknown probe"
    refuse_unknown(table, tuple(known.split()), where)
    effect = optional(table, "effect", where, _word_of(*(effect.value for effect in Effect)))
    scope = optional(table, "dedup_scope", where, _word_of("target", "group"))
    if scope is not None and effect != Effect.KEYED.value:
        raise ConfigError(
            f"{where.child('dedup_scope')} needs effect = 'keyed' beside it; only keyed calls are "
            "deduplicated"
        )
    return FunctionConfig(
        effect=None if effect is None else Effect(effect),
        shared_dedup=scope == "group",
        timeout=optional(table, "timeout", where, read_seconds),
        names=optional(table, "names", where, _read_names) or {},
        marks=optional(table, "marks", where, read_boolean),
        queue=optional(table, "queue", where, read_boolean),
        on_unknown=optional(table, "on_unknown", where, _word_of("settle", "raise")),
        probe=optional(table, "probe", where, read_text),
    )


def _read_bus(section: Any, where: ConfigKey) -> BusConfig:
    table = read_section(section, where)
    refuse_unknown(table, BusConfig._fields, where)
    return BusConfig(
        timeout=optional(table, "timeout", where, read_seconds),
        names=optional(table, "names", where, _read_names) or {},
        on_all_down=optional(table, "on_all_down", where, _word_of("spool", "raise")),
    )


def _read_table(section: Any, where: ConfigKey) -> TableConfig:
    table = read_section(section, where)
    refuse_unknown(table, ("key", "home", "timeout", "names", "residency"), where)
    return TableConfig(
        key=optional(table, "key", where, _read_key) or TableConfig().key,
        home=optional(table, "home", where, read_target),
        timeout=optional(table, "timeout", where, read_seconds),
        names=optional(table, "names", where, _read_names) or {},
        residency=optional(table, "residency", where, read_texts) or (),
    )


def _read_bucket(section: Any, where: ConfigKey) -> BucketConfig:
    table = read_section(section, where)
    refuse_unknown(table, ("home", "timeout", "names"), where)
    return BucketConfig(
        home=optional(table, "home", where, read_target),
        timeout=optional(table, "timeout", where, read_seconds),
        names=optional(table, "names", where, _read_names) or {},
    )


def _read_workflow(section: Any, where: ConfigKey) -> WorkflowConfig:
    table = read_section(section, where)
    refuse_unknown(table, ("definition", "names"), where)
    definition = optional(table, "definition", where, read_text)
    if definition is None:
        raise ConfigError(f'{where} lacks \'definition\'; write "module:flow" or "flow.yaml"')
    return WorkflowConfig(definition, optional(table, "names", where, _read_names) or {})


def _read_names(value: Any, where: ConfigKey) -> Names:
    return by_target(value, where, read_text)


def _read_key(value: Any, where: ConfigKey) -> tuple[str, ...]:
    fields = value if isinstance(value, list) else [value]
    if len(fields) not in (1, 2) or not all(isinstance(f, str) and f for f in fields):
        raise ConfigError(
            f"{where} must be the name of one field, or a list of a partition and a sort field"
        )
    if len(set(fields)) < len(fields):
        raise ConfigError(f"{where} names {fields[0]!r} twice")
    return tuple(fields)


MAX_TEXT = 1024
"""Characters of a name or of the CloudEvents source."""

MAX_TIMEOUT = 24 * 3600.0
"""Seconds. No provider lets a call take longer."""


def by_target(section: Any, where: ConfigKey, read: Callable[[Any, ConfigKey], T]) -> dict[str, T]:
    """Read a table whose keys are names of targets; an alias stands for its target."""
    entries: dict[str, T] = {}
    for key, value in read_section(section, where).items():
        target = read_target(key, where)
        if target in entries:
            raise ConfigError(f"{where} names {target!r} twice; keep one of them")
        entries[target] = read(value, where.child(key))
    return entries


def optional(
    table: Mapping[str, Any], key: str, where: ConfigKey, read: Callable[[Any, ConfigKey], T]
) -> T | None:
    """Read a key of a table, if it is there."""
    return read(table[key], where.child(key)) if key in table else None


def refuse_unknown(table: Mapping[str, Any], known: Collection[str], where: ConfigKey) -> None:
    """Raise `ConfigError` for a key that is not known, with the nearest one that is."""
    for key in table:
        if key in known:
            continue
        hint = did_you_mean(key, known)
        keys = f"{hint} Known keys: " if hint else "; known keys: "
        raise ConfigError(f"unknown key {where.child(key)}{keys}{', '.join(known)}")


def read_section(value: Any, where: ConfigKey) -> Mapping[str, Any]:
    """Read a table."""
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be a table, not {kind_of(value)}")
    return value


def read_text(value: Any, where: ConfigKey) -> str:
    """Read a text that is not empty and may be shown."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where} must be a non-empty string, not {kind_of(value)}")
    if not is_printable(value) or len(value) > MAX_TEXT:
        raise ConfigError(
            f"{where} must have at most {MAX_TEXT} characters and no control character"
        )
    return value


def read_boolean(value: Any, where: ConfigKey) -> bool:
    """Read a switch."""
    if not isinstance(value, bool):
        raise ConfigError(f"{where} must be true or false, not {kind_of(value)}")
    return value


def read_seconds(value: Any, where: ConfigKey) -> float:
    """Read a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where} must be a number of seconds, not {kind_of(value)}")
    if not 0 < value <= MAX_TIMEOUT:
        raise ConfigError(f"{where} must be more than 0 and at most {MAX_TIMEOUT:.0f} seconds")
    return float(value)


def read_target(value: Any, where: ConfigKey) -> str:
    """Read the name of a target."""
    return str(parse_target(read_text(value, where), str(where)))


def read_texts(value: Any, where: ConfigKey) -> tuple[str, ...]:
    """Read one text, or a list of some."""
    several = value if isinstance(value, list) else [value]
    texts = tuple(read_text(each, where) for each in several)
    if not texts or len(set(texts)) < len(texts):
        raise ConfigError(f"{where} must name at least one, and each only once")
    return texts


def kind_of(value: Any) -> str:
    """Return the name of the type only: a value in the wrong place may be a secret."""
    return "an empty one" if value == "" else type(value).__name__


FAIL_BACKS: Final = ("prefer_primary", "sticky", "manual")

SHORTEST_INTERVAL: Final = 1.0
"""Seconds. A target is not to be probed more often."""

MOST_PROBES: Final = 100


def read_group(section: Any, where: ConfigKey) -> GroupConfig:
    """Read ``[groups.<name>]``."""
    table = read_section(section, where)
    known = ("functions", "buses", "targets", "residency", "weights", "fail_back")
    refuse_unknown(table, known, where)
    group = GroupConfig(
        functions=optional(table, "functions", where, read_texts) or (),
        buses=optional(table, "buses", where, read_texts) or (),
        targets=optional(table, "targets", where, read_targets) or (),
        residency=optional(table, "residency", where, read_texts) or (),
        weights=optional(table, "weights", where, read_weights) or {},
        fail_back=optional(table, "fail_back", where, _word_of(*FAIL_BACKS)),
    )
    if not group.functions and not group.buses:
        raise ConfigError(f"{where} names no function and no bus; name them, or remove the group")
    return group


def read_targets(value: Any, where: ConfigKey) -> tuple[str, ...]:
    """Read names of targets."""
    names = tuple(read_target(text, where) for text in read_texts(value, where))
    if len(set(names)) < len(names):
        raise ConfigError(f"{where} names a target twice; name each once")
    return names


def read_weights(value: Any, where: ConfigKey) -> dict[str, float]:
    """Read target to percent of the calls."""
    weights = by_target(value, where, _read_percent)
    if sum(weights.values()) >= 100:
        raise ConfigError(f"{where} adds up to 100 percent or more; the first target has the rest")
    return weights


def read_health_checks(value: Any, where: ConfigKey) -> HealthChecks:
    """Read ``[health_checks]``."""
    table = read_section(value, where)
    refuse_unknown(table, HealthChecks._fields, where)
    usual = HealthChecks()
    interval = optional(table, "interval", where, read_seconds) or usual.interval
    if interval < SHORTEST_INTERVAL:
        raise ConfigError(f"{where.child('interval')} must be at least {SHORTEST_INTERVAL:g} s")
    return HealthChecks(
        interval,
        optional(table, "failures", where, whole_number(1, MOST_PROBES)) or usual.failures,
        optional(table, "recoveries", where, whole_number(1, MOST_PROBES)) or usual.recoveries,
    )


_LONGEST_AGE: Final = 366
"""Days that an event may wait."""


def read_spool(section: Any, where: ConfigKey) -> SpoolConfig:
    """Read ``[spool]``.

    Raises:
        ConfigError: a value is wrong, or the section names a file and a target.
    """
    table = read_section(section, where)
    refuse_unknown(table, SpoolConfig._fields, where)
    usual = SpoolConfig()
    count = whole_number(1, 2**40)
    spool = SpoolConfig(
        path=optional(table, "path", where, read_text),
        target=optional(table, "target", where, read_target),
        volume=optional(table, "volume", where, read_boolean) is True,
        max_events=optional(table, "max_events", where, count) or usual.max_events,
        max_bytes=optional(table, "max_bytes", where, count) or usual.max_bytes,
        max_age=optional(table, "max_age", where, _read_age) or usual.max_age,
    )
    if spool.target is not None and (spool.path is not None or spool.volume):
        other = "path" if spool.path is not None else "volume"
        raise ConfigError(
            f"{where} has 'target' and {other!r}: the spool is in a target's database, or in a "
            "file; remove one of them"
        )
    return spool


def _read_age(value: Any, where: ConfigKey) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where} must be a number of seconds, not {kind_of(value)}")
    if not 1 <= value <= _LONGEST_AGE * 86_400:
        raise ConfigError(f"{where} must be from 1 second to {_LONGEST_AGE} days, in seconds")
    return float(value)


def _read_percent(value: Any, where: ConfigKey) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 100:
        raise ConfigError(f"{where} must be a percentage: more than 0 and less than 100")
    return float(value)


_HOST: Final = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"

_ZONE: Final = r"[A-Za-z0-9][A-Za-z0-9.-]*"
"""An id or a name; nothing that a tool would read as an expression."""

_LONGEST: Final = 253
"""Characters of the name of a host."""

_MOST: Final = 36_500
"""The largest number: days of a hundred years. Providers have smaller ones."""


def read_export(section: Any, where: ConfigKey) -> ExportConfig:
    """Read ``[export.<provider>]``; what only a provider knows, its adapter checks.

    Raises:
        ConfigError: a value is wrong, or a domain has no zone.
    """
    table = read_section(section, where)
    if ":" in where.path:
        raise ConfigError(
            f"{where} is for a provider, and not for one of its targets; write [export.PROVIDER]"
        )
    refuse_unknown(table, ExportConfig._fields, where)
    usual = ExportConfig()
    export = ExportConfig(
        domain=optional(table, "domain", where, _read_host) or "",
        zone=optional(table, "zone", where, _read_zone) or "",
        interval=optional(table, "interval", where, whole_number(1, _MOST)) or usual.interval,
        failures=optional(table, "failures", where, whole_number(1, _MOST)) or usual.failures,
        standby_instances=optional(table, "standby_instances", where, whole_number(0, _MOST)),
        retention_days=optional(table, "retention_days", where, whole_number(1, _MOST))
        or usual.retention_days,
    )
    if bool(export.domain) != bool(export.zone):
        lacking = "zone" if export.domain else "domain"
        raise ConfigError(f"{where} lacks {lacking!r}; a domain and its zone of DNS go together")
    return export


def _read_host(value: Any, where: ConfigKey) -> str:
    text = read_text(value, where)
    if len(text) > _LONGEST or not re.fullmatch(_HOST, text):
        raise ConfigError(
            f"{where} must be the name of a host in lower case, such as orders.example.com"
        )
    return text


def _read_zone(value: Any, where: ConfigKey) -> str:
    text = read_text(value, where)
    if not re.fullmatch(_ZONE, text):
        raise ConfigError(f"{where} must be letters, digits, hyphens and dots")
    return text


def _word_of(*words: str) -> Callable[[Any, ConfigKey], str]:
    """Return a reader of one of these words."""

    def read(value: Any, where: ConfigKey) -> str:
        if value not in words:
            raise ConfigError(f"{where} must be one of {', '.join(words)}")
        return str(value)

    return read


MOST_AT_ONCE: Final = 1000
"""Attempts at one time: each has a thread."""


def read_worker(value: Any, where: ConfigKey) -> WorkerConfig:
    """Read ``[worker]``."""
    table = read_section(value, where)
    refuse_unknown(table, WorkerConfig._fields, where)
    return WorkerConfig(
        optional(table, "app", where, read_text),
        optional(table, "target", where, read_target),
        optional(table, "concurrency", where, read_attempts),
        _read_by_name(table, "queues", where, read_attempts),
        _read_by_name(table, "limits", where, _read_limit),
        optional(table, "drain", where, read_seconds) or WorkerConfig().drain,
        optional(table, "health", where, read_text),
        optional(table, "http", where, read_text),
        optional(table, "token", where, read_text),
    )


def read_attempts(value: Any, where: ConfigKey) -> int:
    """Read how many attempts there may be at one time."""
    return whole_number(1, MOST_AT_ONCE)(value, where)


def _read_limit(value: Any, where: ConfigKey) -> LimitConfig:
    if not isinstance(value, dict):
        return LimitConfig(read_attempts(value, where))
    refuse_unknown(value, LimitConfig._fields, where)
    if "most" not in value:
        raise ConfigError(f"{where} lacks 'most'; write {{ most = 2, handlers = [...] }}")
    most = read_attempts(value["most"], where.child("most"))
    return LimitConfig(most, optional(value, "handlers", where, read_texts) or ())


def _read_by_name(
    table: Mapping[str, Any], key: str, where: ConfigKey, read: Callable[[Any, ConfigKey], T]
) -> dict[str, T]:
    inner = where.child(key)
    entries = read_section(table.get(key, {}), inner)
    return {name: read(value, inner.child(name)) for name, value in entries.items()}


def whole_number(least: int, most: int) -> Callable[[Any, ConfigKey], int]:
    """Return a reader of whole numbers within bounds."""

    def read(value: Any, where: ConfigKey) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ConfigError(f"{where} must be a whole number from {least} to {most}")
        return value

    return read
