"""The sections of ``leeward.toml``: parsed tables in, checked values out.

Every error is a `ConfigError` that names the file, the key and the remedy.

``[stage.prod]`` holds keys of the same file, which are laid over the others where that stage is
chosen: tables are merged, everything else is replaced. That happens before anything is checked, so
each key has the type and the errors that it has without a stage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

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
    all_of,
    parse_order,
    parse_target,
    prefix_of,
)
from leeward.errors import ConfigError
from leeward.text import did_you_mean, is_printable
from leeward.values import NOTHING, Effect

T = TypeVar("T")

Reader: TypeAlias = Callable[[Any, ConfigKey], T]
"""Checks a parsed value, and returns what it configures; its place is for the message."""


def read_sections(document: Mapping[str, Any], file: str) -> Config:
    """Check a parsed ``leeward.toml`` and return what it configures."""
    top = ConfigKey(file)
    keys = read_keys(document, top, **KEYS)
    if "unknowns_payload" in keys and "unknowns" not in keys:
        raise ConfigError(f'{top.child("unknowns_payload")} needs unknowns = "TABLE" beside it')
    return Config(
        order=keys.pop("cloud_provider", ()),
        options=keys.pop("targets", NOTHING),
        file=file,
        prefix=prefix_of(keys.get("deploy", NOTHING), str(top.child("deploy"))),
        **keys,
    )


def _read_function(section: Any, where: ConfigKey) -> FunctionConfig:
    keys = read_keys(
        section,
        where,
        effect=_word_of(*(effect.value for effect in Effect)),
        dedup_scope=_read_scope,
        timeout=read_seconds,
        marks=_read_marks,
        names=_read_names,
        queue=read_boolean,
        on_unknown=_word_of("settle", "raise"),
        probe=read_text,
    )
    effect, scope = keys.pop("effect", None), keys.pop("dedup_scope", None)
    if scope is not None and effect != Effect.KEYED.value:
        raise ConfigError(
            f"{where.child('dedup_scope')} needs effect = 'keyed' beside it; only keyed calls are "
            "deduplicated"
        )
    declared = None if effect is None else Effect(effect)
    shared = None if scope is None else scope if isinstance(scope, tuple) else scope == "group"
    return FunctionConfig(effect=declared, shared_dedup=shared, **keys)


def _section(make: Callable[..., T], **readers: Reader[Any]) -> Reader[T]:
    """Return a reader of a table whose keys are the fields of what `make` returns."""
    return lambda section, where: make(**read_keys(section, where, **readers))


def _read_workflow(section: Any, where: ConfigKey) -> WorkflowConfig:
    keys = read_keys(section, where, definition=read_text, names=_read_names)
    if "definition" not in keys:
        raise ConfigError(f'{where} lacks \'definition\'; write "module:flow" or "flow.yaml"')
    return WorkflowConfig(**keys)


def _read_names(value: Any, where: ConfigKey) -> Names:
    return by_target(value, where, read_text)


def _read_scope(value: Any, where: ConfigKey) -> str | tuple[str, ...]:
    read = read_targets if isinstance(value, list) else _word_of("target", "group")
    return read(value, where)


def _read_marks(value: Any, where: ConfigKey) -> bool | tuple[str, ...]:
    return read_targets(value, where) if isinstance(value, list) else read_boolean(value, where)


def _read_key(value: Any, where: ConfigKey) -> tuple[str, ...]:
    fields = value if isinstance(value, list) else [value]
    if len(fields) not in (1, 2) or not all(isinstance(f, str) and f for f in fields):
        raise ConfigError(
            f"{where} must be the name of one field, or a list of a partition and a sort field"
        )
    if len(set(fields)) < len(fields):
        raise ConfigError(f"{where} names {fields[0]!r} twice")
    return tuple(fields)


MAX_TEXT = 1024  # characters of a name or of the CloudEvents source
MAX_TIMEOUT = 24 * 3600.0  # seconds. No provider lets a call take longer.


def by_target(section: Any, where: ConfigKey, read: Reader[T]) -> dict[str, T]:
    """Read a table whose keys are names of targets; an alias stands for its target."""
    entries: dict[str, T] = {}

    def read_one(key: str, value: Any) -> None:
        target = read_target(key, where)
        if target in entries:
            raise ConfigError(f"{where} names {target!r} twice; keep one of them")
        entries[target] = read(value, where.child(key))

    all_of(partial(read_one, *entry) for entry in read_section(section, where).items())
    return entries


def optional(table: Mapping[str, Any], key: str, where: ConfigKey, read: Reader[T]) -> T | None:
    """Read a key of a table, if it is there."""
    return read(table[key], where.child(key)) if key in table else None


def read_keys(section: Any, where: ConfigKey, **readers: Reader[Any]) -> dict[str, Any]:
    """Read a table by the readers of its keys; those that it does not have are left out."""
    table = read_section(section, where)
    keys = [key for key in readers if key in table]
    reads: list[Callable[[], Any]] = []
    reads += (partial(readers[key], table[key], where.child(key)) for key in keys)
    reads.append(partial(refuse_unknown, table, tuple(readers), where))
    return dict(zip(keys, all_of(reads), strict=False))


def _each(read: Reader[T]) -> Reader[dict[str, T]]:
    """Return a reader of a table whose values are all of one kind, by names of their own."""

    def read_all(value: Any, where: ConfigKey) -> dict[str, T]:
        entries = read_section(value, where)
        values = all_of(partial(read, entry, where.child(key)) for key, entry in entries.items())
        return dict(zip(entries, values, strict=True))

    return read_all


def refuse_unknown(table: Mapping[str, Any], fields: Collection[str], where: ConfigKey) -> None:
    """Raise `ConfigError` for a key that is not known, with the nearest one that is."""
    flaws = []
    for key in table:
        if key not in fields:
            hint = did_you_mean(key, fields)
            keys = f"{hint} Known keys: " if hint else "; known keys: "
            flaws.append(f"unknown key {where.child(key)}{keys}{', '.join(fields)}")
    if flaws:
        raise ConfigError("\n".join(flaws))


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


def read_seconds(value: Any, where: object) -> float:
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
    texts = tuple(read_text(text, where) for text in several)
    if not texts or len(set(texts)) < len(texts):
        raise ConfigError(f"{where} must name at least one, and each only once")
    return texts


def kind_of(value: Any) -> str:
    """Return the name of the type only: a value in the wrong place may be a secret."""
    return "an empty one" if value == "" else type(value).__name__


FAIL_BACKS: Final = ("prefer_primary", "sticky", "manual")

SHORTEST_INTERVAL: Final = 1.0  # seconds. A target is not to be probed more often.

MOST_PROBES: Final = 100


def read_group(section: Any, where: ConfigKey) -> GroupConfig:
    """Read ``[groups.<name>]``."""
    keys = read_keys(
        section,
        where,
        functions=read_texts,
        buses=read_texts,
        targets=read_targets,
        residency=read_texts,
        weights=read_weights,
        fail_back=_word_of(*FAIL_BACKS),
    )
    group = GroupConfig(**keys)
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
    count = whole_number(1, MOST_PROBES)
    readers = {"interval": read_seconds, "failures": count, "recoveries": count}
    checks = HealthChecks(**read_keys(value, where, **readers))
    if checks.interval < SHORTEST_INTERVAL:
        raise ConfigError(f"{where.child('interval')} must be at least {SHORTEST_INTERVAL:g} s")
    return checks


_LONGEST_AGE: Final = 366  # days that an event may wait


def read_spool(section: Any, where: ConfigKey) -> SpoolConfig:
    """Read ``[spool]``.

    Raises:
        ConfigError: a value is wrong, or the section names a file and a target.
    """
    count = whole_number(1, 2**40)
    keys = read_keys(
        section,
        where,
        path=read_text,
        target=read_target,
        volume=read_boolean,
        max_events=count,
        max_bytes=count,
        max_age=_read_age,
    )
    spool = SpoolConfig(**keys)
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

_LONGEST: Final = 253  # characters of the name of a host

_MOST: Final = 36_500
"""The largest number: days of a hundred years. Providers have smaller ones."""


def read_export(section: Any, where: ConfigKey) -> ExportConfig:
    """Read ``[export.<provider>]``; what only a provider knows, its adapter checks.

    Raises:
        ConfigError: a value is wrong, or a domain has no zone.
    """
    if ":" in where.path:
        raise ConfigError(
            f"{where} is for a provider, and not for one of its targets; write [export.PROVIDER]"
        )
    keys = read_keys(
        section,
        where,
        domain=_read_host,
        zone=_read_zone,
        interval=whole_number(1, _MOST),
        failures=whole_number(1, _MOST),
        standby_instances=whole_number(0, _MOST),
        retention_days=whole_number(1, _MOST),
    )
    export = ExportConfig(**keys)
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


def _word_of(*words: str) -> Reader[str]:
    """Return a reader of one of these words."""

    def read(value: Any, where: ConfigKey) -> str:
        if value not in words:
            raise ConfigError(f"{where} must be one of {', '.join(words)}")
        return str(value)

    return read


MOST_AT_ONCE: Final = 1000  # attempts at one time: each has a thread


def read_attempts(value: Any, where: object) -> int:
    """Read how many attempts there may be at one time."""
    return whole_number(1, MOST_AT_ONCE)(value, where)


def _read_limit(value: Any, where: ConfigKey) -> LimitConfig:
    if not isinstance(value, dict):
        return LimitConfig(read_attempts(value, where))
    keys = read_keys(value, where, most=read_attempts, handlers=read_texts)
    if "most" not in keys:
        raise ConfigError(f"{where} lacks 'most'; write {{ most = 2, handlers = [...] }}")
    return LimitConfig(**keys)


def whole_number(least: int, highest: int) -> Callable[[Any, object], int]:
    """Return a reader of whole numbers within bounds."""

    def read(value: Any, where: object) -> int:
        if type(value) is not int or not least <= value <= highest:
            raise ConfigError(f"{where} must be a whole number from {least} to {highest}")
        return value

    return read


_COMMON: Final[Mapping[str, Reader[Any]]] = {"timeout": read_seconds, "names": _read_names}

KEYS: Final[Mapping[str, Reader[Any]]] = {
    "cloud_provider": lambda value, at: parse_order(read_text(value, at), str(at)),
    "data_target": read_target,
    "workflow_target": read_target,
    "source": read_text,
    "trust_env": read_boolean,
    "fail_back": _word_of(*FAIL_BACKS),
    "hedge": read_boolean,
    "weights": read_weights,
    "residency": _read_names,
    "health_checks": read_health_checks,
    "snapshot": read_text,
    "unknowns": read_text,
    "unknowns_payload": read_boolean,
    "functions": _each(_read_function),
    "buses": _each(_section(BusConfig, **_COMMON, on_all_down=_word_of("spool", "raise"))),
    "tables": _each(
        _section(TableConfig, **_COMMON, key=_read_key, home=read_target, residency=read_texts)
    ),
    "buckets": _each(_section(BucketConfig, **_COMMON, home=read_target)),
    "workflows": _each(_read_workflow),
    "groups": _each(read_group),
    "dead_letters": _each(read_texts),
    "targets": lambda value, where: by_target(value, where, read_section),
    "export": lambda value, where: by_target(value, where, read_export),
    "worker": _section(
        WorkerConfig,
        **dict.fromkeys(("app", "health", "http", "token"), read_text),
        target=read_target,
        concurrency=read_attempts,
        queues=_each(read_attempts),
        limits=_each(_read_limit),
        drain=read_seconds,
    ),
    "spool": read_spool,
    "deploy": read_section,
}
"""What a ``leeward.toml`` may have, and how each is read."""


STAGE: Final = "stage"


def read_document(document: Mapping[str, Any], file: str, stage: str | None) -> Config:
    """Check a parsed file, and return what it configures in a stage."""
    if STAGE not in document:
        return read_sections(document, file)
    stage = choose_stage(document, stage)
    whole = lay_over(document, stage, file)
    try:
        return read_sections(whole, file)
    except ConfigError as error:
        if stage is None:
            raise
        problem = f"{error}; [stage.{stage}] is laid over the rest of the file"
        raise ConfigError(problem) from error


def choose_stage(document: Mapping[str, Any], stage: str | None) -> str | None:
    """Return the stage that is in force: the given one, else that of ``deploy.stage``."""
    deploy = document.get("deploy")
    if stage is None and isinstance(deploy, Mapping):
        active = deploy.get(STAGE)
        return active if isinstance(active, str) else None
    return stage


def lay_over(document: Mapping[str, Any], stage: str | None, file: str) -> dict[str, Any]:
    """Return a parsed file with what one of its stages says instead, and without its stages."""
    rest = {name: value for name, value in document.items() if name != STAGE}
    if STAGE not in document:
        return rest
    where = ConfigKey(file).child(STAGE)
    stages = document[STAGE]
    sections = stages.values() if isinstance(stages, Mapping) else ()
    if not sections or not all(isinstance(section, Mapping) for section in sections):
        raise ConfigError(f"{where} must be tables, one for each stage, such as [stage.prod]")
    for name, section in stages.items():
        deploy = section.get("deploy")
        if STAGE in section or (isinstance(deploy, Mapping) and STAGE in deploy):
            raise ConfigError(f"{where.child(name)} is a stage itself; remove stage from it")
    if stage is None:
        return rest
    if stage not in stages:
        names = ", ".join(sorted(stages)) or "none"
        raise ConfigError(
            f"the stage is {stage!r}, and {where} has no such stage"
            f"{did_you_mean(str(stage), stages) or ';'} known: {names}; write a section "
            f"[stage.{stage}], which may be empty"
        )
    return _merge(rest, stages[stage])


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        old = merged.get(name)
        is_table = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[name] = _merge(old, value) if is_table and isinstance(old, Mapping) else value
    return merged
