"""The sections of ``leeward.toml``: plain tables in, checked values out.

Every error is a `ConfigError` that names the file, the key and the remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar

from leeward.config.model import BusConfig, Config, FunctionConfig, Names, TableConfig
from leeward.config.order import parse_order, parse_target
from leeward.errors import ConfigError
from leeward.text import is_printable
from leeward.values import Effect

T = TypeVar("T")

TOP_LEVEL = ("cloud_provider", "data_target", "source", "trust_env")
NOT_YET = ("fail_back", "hedge", "on_all_down", "handoff", "residency", "groups")
"""Keys of features that are designed but not in this version: refused, never ignored."""

MAX_TEXT = 1024
"""Characters of a name or of the CloudEvents source."""

MAX_TIMEOUT = 24 * 3600.0
"""Seconds. No provider lets a call take longer."""


class Place(NamedTuple):
    """Where in which file a value stands."""

    file: str
    path: str = ""

    def at(self, key: str) -> Place:
        """Return the place of a key below this one."""
        bare = key.replace("_", "").replace("-", "").isalnum()
        quoted = key if bare else f'"{key}"' if is_printable(key) else repr(key)
        return Place(self.file, f"{self.path}.{quoted}" if self.path else quoted)

    def __str__(self) -> str:
        """Write it as it is named in messages."""
        return f"{self.path} in {self.file}" if self.path else self.file


def read_sections(document: Mapping[str, Any], file: str) -> Config:
    """Check a parsed ``leeward.toml`` and give what it configures."""
    top = Place(file)
    sections = {
        "functions": _read_function,
        "buses": _read_bus,
        "tables": _read_table,
    }
    _refuse_unknown(document, (*TOP_LEVEL, *sections, "targets"), top)
    parts = {
        name: _read_each(document.get(name, {}), top.at(name), read)
        for name, read in sections.items()
    }
    provider = _optional(document, "cloud_provider", top, _text)
    return Config(
        order=parse_order(provider, str(top.at("cloud_provider"))) if provider else (),
        options=_by_target(document.get("targets", {}), top.at("targets"), _table),
        functions=parts["functions"],
        buses=parts["buses"],
        tables=parts["tables"],
        source=_optional(document, "source", top, _text) or Config().source,
        trust_env=_optional(document, "trust_env", top, _flag) is not False,
        data_target=_optional(document, "data_target", top, _target),
    )


def _read_function(section: Any, place: Place) -> FunctionConfig:
    table = _table(section, place)
    _refuse_unknown(table, ("effect", "dedup_scope", "timeout", "names"), place)
    effect = _optional(table, "effect", place, _effect) or Effect.UNSAFE
    scope = _optional(table, "dedup_scope", place, _dedup_scope)
    if scope is not None and effect is not Effect.KEYED:
        raise ConfigError(
            f"{place.at('dedup_scope')} needs effect = 'keyed', not {effect.value!r}; "
            "only keyed calls are deduplicated"
        )
    return FunctionConfig(
        effect=effect,
        shared_dedup=scope == "group",
        timeout=_optional(table, "timeout", place, _seconds),
        names=_optional(table, "names", place, _names) or {},
    )


def _read_bus(section: Any, place: Place) -> BusConfig:
    table = _table(section, place)
    _refuse_unknown(table, ("timeout", "names"), place)
    return BusConfig(
        timeout=_optional(table, "timeout", place, _seconds),
        names=_optional(table, "names", place, _names) or {},
    )


def _read_table(section: Any, place: Place) -> TableConfig:
    table = _table(section, place)
    _refuse_unknown(table, ("key", "home", "timeout", "names"), place)
    return TableConfig(
        key=_optional(table, "key", place, _key) or TableConfig().key,
        home=_optional(table, "home", place, _target),
        timeout=_optional(table, "timeout", place, _seconds),
        names=_optional(table, "names", place, _names) or {},
    )


def _read_each(section: Any, place: Place, read: Callable[[Any, Place], Any]) -> dict[str, Any]:
    return {name: read(value, place.at(name)) for name, value in _table(section, place).items()}


def _by_target(section: Any, place: Place, read: Callable[[Any, Place], T]) -> dict[str, T]:
    """Read a table whose keys are names of targets; an alias is the same one."""
    found: dict[str, T] = {}
    for key, value in _table(section, place).items():
        target = _target(key, place)
        if target in found:
            raise ConfigError(f"{place} names {target!r} twice; keep one of them")
        found[target] = read(value, place.at(key))
    return found


def _optional(
    table: Mapping[str, Any], key: str, place: Place, read: Callable[[Any, Place], T]
) -> T | None:
    return read(table[key], place.at(key)) if key in table else None


def _refuse_unknown(table: Mapping[str, Any], known: Collection[str], place: Place) -> None:
    for key in table:
        if key in known:
            continue
        if key in NOT_YET:
            raise ConfigError(
                f"{place.at(key)} is not available in this version of leeward; remove the key"
            )
        raise ConfigError(f"unknown key {place.at(key)}{_nearest(key, known)}")


def _nearest(key: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} Known keys: {', '.join(known)}" if near else f"; known keys: {', '.join(known)}"


def _table(value: Any, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{place} must be a table, not {_kind(value)}")
    return value


def _text(value: Any, place: Place) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{place} must be a non-empty string, not {_kind(value)}")
    if not is_printable(value) or len(value) > MAX_TEXT:
        raise ConfigError(
            f"{place} must have at most {MAX_TEXT} characters and no control character"
        )
    return value


def _flag(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{place} must be true or false, not {_kind(value)}")
    return value


def _seconds(value: Any, place: Place) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{place} must be a number of seconds, not {_kind(value)}")
    if not 0 < value <= MAX_TIMEOUT:
        raise ConfigError(f"{place} must be more than 0 and at most {MAX_TIMEOUT:.0f} seconds")
    return float(value)


def _effect(value: Any, place: Place) -> Effect:
    names = [effect.value for effect in Effect]
    if not isinstance(value, str) or value not in names:
        raise ConfigError(f"{place} must be one of {', '.join(names)}")
    return Effect(value)


def _dedup_scope(value: Any, place: Place) -> str:
    if value not in ("target", "group"):
        raise ConfigError(f"{place} must be 'target' or 'group'")
    return str(value)


def _target(value: Any, place: Place) -> str:
    return str(parse_target(_text(value, place), str(place)))


def _names(value: Any, place: Place) -> Names:
    return _by_target(value, place, _text)


def _key(value: Any, place: Place) -> tuple[str, ...]:
    fields = value if isinstance(value, list) else [value]
    if len(fields) not in (1, 2) or not all(isinstance(f, str) and f for f in fields):
        raise ConfigError(
            f"{place} must be the name of one field, or a list of a partition and a sort field"
        )
    if len(set(fields)) < len(fields):
        raise ConfigError(f"{place} names {fields[0]!r} twice")
    return tuple(fields)


def _kind(value: Any) -> str:
    """Name the type only: a value in the wrong place may be a secret."""
    return "an empty one" if value == "" else type(value).__name__
