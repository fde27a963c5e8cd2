"""How single values of a configuration are read: each reader checks, and names the key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from leeward.config.location import Location
from leeward.config.order import parse_target
from leeward.errors import ConfigError
from leeward.text import did_you_mean, is_printable

T = TypeVar("T")

NOT_YET = ("on_all_down", "handoff")
"""Keys of features that are not in this version: refused, never ignored."""

MAX_TEXT = 1024
"""Characters of a name or of the CloudEvents source."""

MAX_TIMEOUT = 24 * 3600.0
"""Seconds. No provider lets a call take longer."""


def by_target(section: Any, where: Location, read: Callable[[Any, Location], T]) -> dict[str, T]:
    """Read a table whose keys are names of targets; an alias stands for its target."""
    found: dict[str, T] = {}
    for key, value in read_section(section, where).items():
        target = read_target(key, where)
        if target in found:
            raise ConfigError(f"{where} names {target!r} twice; keep one of them")
        found[target] = read(value, where.child(key))
    return found


def optional(
    table: Mapping[str, Any], key: str, where: Location, read: Callable[[Any, Location], T]
) -> T | None:
    """Read a key of a table, if it is there."""
    return read(table[key], where.child(key)) if key in table else None


def refuse_unknown(table: Mapping[str, Any], known: Collection[str], where: Location) -> None:
    """Raise `ConfigError` for a key that is not known, with the nearest one that is."""
    for key in table:
        if key in known:
            continue
        if key in NOT_YET:
            raise ConfigError(
                f"{where.child(key)} is not available in this version of leeward; remove the key"
            )
        raise ConfigError(f"unknown key {where.child(key)}{_nearest(key, known)}")


def _nearest(key: str, known: Collection[str]) -> str:
    hint = did_you_mean(key, known)
    return f"{hint} Known keys: {', '.join(known)}" if hint else f"; known keys: {', '.join(known)}"


def read_section(value: Any, where: Location) -> Mapping[str, Any]:
    """Read a table."""
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be a table, not {kind_of(value)}")
    return value


def read_text(value: Any, where: Location) -> str:
    """Read a text that is not empty and may be shown."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where} must be a non-empty string, not {kind_of(value)}")
    if not is_printable(value) or len(value) > MAX_TEXT:
        raise ConfigError(
            f"{where} must have at most {MAX_TEXT} characters and no control character"
        )
    return value


def read_boolean(value: Any, where: Location) -> bool:
    """Read a switch."""
    if not isinstance(value, bool):
        raise ConfigError(f"{where} must be true or false, not {kind_of(value)}")
    return value


def read_seconds(value: Any, where: Location) -> float:
    """Read a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where} must be a number of seconds, not {kind_of(value)}")
    if not 0 < value <= MAX_TIMEOUT:
        raise ConfigError(f"{where} must be more than 0 and at most {MAX_TIMEOUT:.0f} seconds")
    return float(value)


def read_target(value: Any, where: Location) -> str:
    """Read the name of a target."""
    return str(parse_target(read_text(value, where), str(where)))


def read_texts(value: Any, where: Location) -> tuple[str, ...]:
    """Read one text, or a list of some."""
    several = value if isinstance(value, list) else [value]
    texts = tuple(read_text(each, where) for each in several)
    if not texts or len(set(texts)) < len(texts):
        raise ConfigError(f"{where} must name at least one, and each only once")
    return texts


def kind_of(value: Any) -> str:
    """Return the name of the type only: a value in the wrong place may be a secret."""
    return "an empty one" if value == "" else type(value).__name__
