"""The sections of ``leeward.toml``: parsed tables in, checked values out.

Every error is a `ConfigError` that names the file, the key and the remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from leeward.config.location import Location
from leeward.config.model import (
    BucketConfig,
    BusConfig,
    Config,
    FunctionConfig,
    Names,
    TableConfig,
)
from leeward.config.order import parse_order, parse_target
from leeward.errors import ConfigError
from leeward.text import is_printable
from leeward.values import Effect

T = TypeVar("T")

TOP_LEVEL = ("cloud_provider", "data_target", "source", "trust_env")
NOT_YET = ("fail_back", "hedge", "on_all_down", "handoff", "residency", "groups")
"""Keys of features that are not in this version: refused, never ignored."""

MAX_TEXT = 1024
"""Characters of a name or of the CloudEvents source."""

MAX_TIMEOUT = 24 * 3600.0
"""Seconds. No provider lets a call take longer."""


def read_sections(document: Mapping[str, Any], file: str) -> Config:
    """Check a parsed ``leeward.toml`` and return what it configures."""
    top = Location(file)
    sections = {
        "functions": _read_function,
        "buses": _read_bus,
        "tables": _read_table,
        "buckets": _read_bucket,
    }
    _refuse_unknown(document, (*TOP_LEVEL, *sections, "targets"), top)
    parts = {
        name: _read_each(document.get(name, {}), top.child(name), read)
        for name, read in sections.items()
    }
    provider = _optional(document, "cloud_provider", top, _read_text)
    return Config(
        order=parse_order(provider, str(top.child("cloud_provider"))) if provider else (),
        options=_by_target(document.get("targets", {}), top.child("targets"), _read_section),
        functions=parts["functions"],
        buses=parts["buses"],
        tables=parts["tables"],
        source=_optional(document, "source", top, _read_text) or Config().source,
        trust_env=_optional(document, "trust_env", top, _read_boolean) is not False,
        data_target=_optional(document, "data_target", top, _read_target),
        file=file,
        buckets=parts["buckets"],
    )


def _read_function(section: Any, where: Location) -> FunctionConfig:
    table = _read_section(section, where)
    _refuse_unknown(table, ("effect", "dedup_scope", "timeout", "names"), where)
    effect = _optional(table, "effect", where, _read_effect) or Effect.UNSAFE
    scope = _optional(table, "dedup_scope", where, _read_dedup_scope)
    if scope is not None and effect is not Effect.KEYED:
        raise ConfigError(
            f"{where.child('dedup_scope')} needs effect = 'keyed', not {effect.value!r}; "
            "only keyed calls are deduplicated"
        )
    return FunctionConfig(
        effect=effect,
        shared_dedup=scope == "group",
        timeout=_optional(table, "timeout", where, _read_seconds),
        names=_optional(table, "names", where, _read_names) or {},
    )


def _read_bus(section: Any, where: Location) -> BusConfig:
    table = _read_section(section, where)
    _refuse_unknown(table, ("timeout", "names"), where)
    return BusConfig(
        timeout=_optional(table, "timeout", where, _read_seconds),
        names=_optional(table, "names", where, _read_names) or {},
    )


def _read_table(section: Any, where: Location) -> TableConfig:
    table = _read_section(section, where)
    _refuse_unknown(table, ("key", "home", "timeout", "names"), where)
    return TableConfig(
        key=_optional(table, "key", where, _read_key) or TableConfig().key,
        home=_optional(table, "home", where, _read_target),
        timeout=_optional(table, "timeout", where, _read_seconds),
        names=_optional(table, "names", where, _read_names) or {},
    )


def _read_bucket(section: Any, where: Location) -> BucketConfig:
    table = _read_section(section, where)
    _refuse_unknown(table, ("home", "timeout", "names"), where)
    return BucketConfig(
        home=_optional(table, "home", where, _read_target),
        timeout=_optional(table, "timeout", where, _read_seconds),
        names=_optional(table, "names", where, _read_names) or {},
    )


def _read_each(
    section: Any, where: Location, read: Callable[[Any, Location], Any]
) -> dict[str, Any]:
    return {
        name: read(value, where.child(name))
        for name, value in _read_section(section, where).items()
    }


def _by_target(section: Any, where: Location, read: Callable[[Any, Location], T]) -> dict[str, T]:
    """Read a table whose keys are names of targets; an alias stands for its target."""
    found: dict[str, T] = {}
    for key, value in _read_section(section, where).items():
        target = _read_target(key, where)
        if target in found:
            raise ConfigError(f"{where} names {target!r} twice; keep one of them")
        found[target] = read(value, where.child(key))
    return found


def _optional(
    table: Mapping[str, Any], key: str, where: Location, read: Callable[[Any, Location], T]
) -> T | None:
    return read(table[key], where.child(key)) if key in table else None


def _refuse_unknown(table: Mapping[str, Any], known: Collection[str], where: Location) -> None:
    for key in table:
        if key in known:
            continue
        if key in NOT_YET:
            raise ConfigError(
                f"{where.child(key)} is not available in this version of leeward; remove the key"
            )
        raise ConfigError(f"unknown key {where.child(key)}{_nearest(key, known)}")


def _nearest(key: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} Known keys: {', '.join(known)}" if near else f"; known keys: {', '.join(known)}"


def _read_section(value: Any, where: Location) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be a table, not {_kind(value)}")
    return value


def _read_text(value: Any, where: Location) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where} must be a non-empty string, not {_kind(value)}")
    if not is_printable(value) or len(value) > MAX_TEXT:
        raise ConfigError(
            f"{where} must have at most {MAX_TEXT} characters and no control character"
        )
    return value


def _read_boolean(value: Any, where: Location) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where} must be true or false, not {_kind(value)}")
    return value


def _read_seconds(value: Any, where: Location) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where} must be a number of seconds, not {_kind(value)}")
    if not 0 < value <= MAX_TIMEOUT:
        raise ConfigError(f"{where} must be more than 0 and at most {MAX_TIMEOUT:.0f} seconds")
    return float(value)


def _read_effect(value: Any, where: Location) -> Effect:
    names = [effect.value for effect in Effect]
    if not isinstance(value, str) or value not in names:
        raise ConfigError(f"{where} must be one of {', '.join(names)}")
    return Effect(value)


def _read_dedup_scope(value: Any, where: Location) -> str:
    if value not in ("target", "group"):
        raise ConfigError(f"{where} must be 'target' or 'group'")
    return str(value)


def _read_target(value: Any, where: Location) -> str:
    return str(parse_target(_read_text(value, where), str(where)))


def _read_names(value: Any, where: Location) -> Names:
    return _by_target(value, where, _read_text)


def _read_key(value: Any, where: Location) -> tuple[str, ...]:
    fields = value if isinstance(value, list) else [value]
    if len(fields) not in (1, 2) or not all(isinstance(f, str) and f for f in fields):
        raise ConfigError(
            f"{where} must be the name of one field, or a list of a partition and a sort field"
        )
    if len(set(fields)) < len(fields):
        raise ConfigError(f"{where} names {fields[0]!r} twice")
    return tuple(fields)


def _kind(value: Any) -> str:
    """Return the name of the type only: a value in the wrong place may be a secret."""
    return "an empty one" if value == "" else type(value).__name__
