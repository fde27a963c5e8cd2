"""The parts of ``leeward.toml`` that concern routing: groups, weights, health checks."""

from __future__ import annotations

from typing import Any, Final

from leeward.config.location import Location
from leeward.config.model import GroupConfig, HealthChecks
from leeward.config.values import (
    by_target,
    optional,
    read_seconds,
    read_section,
    read_target,
    read_texts,
    refuse_unknown,
)
from leeward.errors import ConfigError

FAIL_BACKS: Final = ("prefer_primary", "sticky", "manual")

SHORTEST_INTERVAL: Final = 1.0
"""Seconds. A target is not to be probed more often."""

MOST_PROBES: Final = 100


def read_group(section: Any, where: Location) -> GroupConfig:
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
        fail_back=optional(table, "fail_back", where, read_fail_back),
    )
    if not group.functions and not group.buses:
        raise ConfigError(f"{where} names no function and no bus; name them, or remove the group")
    return group


def read_targets(value: Any, where: Location) -> tuple[str, ...]:
    """Read names of targets."""
    names = tuple(read_target(each, where) for each in read_texts(value, where))
    if len(set(names)) < len(names):
        raise ConfigError(f"{where} names a target twice; name each once")
    return names


def read_weights(value: Any, where: Location) -> dict[str, float]:
    """Read target to percent of the calls."""
    weights = by_target(value, where, _read_percent)
    if sum(weights.values()) >= 100:
        raise ConfigError(f"{where} adds up to 100 percent or more; the first target has the rest")
    return weights


def read_fail_back(value: Any, where: Location) -> str:
    """Read when calls return to the preferred target."""
    if value not in FAIL_BACKS:
        raise ConfigError(f"{where} must be one of {', '.join(FAIL_BACKS)}")
    return str(value)


def read_health_checks(value: Any, where: Location) -> HealthChecks:
    """Read ``[health_checks]``."""
    table = read_section(value, where)
    refuse_unknown(table, HealthChecks._fields, where)
    usual = HealthChecks()
    interval = optional(table, "interval", where, read_seconds) or usual.interval
    if interval < SHORTEST_INTERVAL:
        raise ConfigError(f"{where.child('interval')} must be at least {SHORTEST_INTERVAL:g} s")
    return HealthChecks(
        interval,
        optional(table, "failures", where, _read_count) or usual.failures,
        optional(table, "recoveries", where, _read_count) or usual.recoveries,
    )


def _read_percent(value: Any, where: Location) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 100:
        raise ConfigError(f"{where} must be a percentage: more than 0 and less than 100")
    return float(value)


def _read_count(value: Any, where: Location) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PROBES:
        raise ConfigError(f"{where} must be a whole number from 1 to {MOST_PROBES}")
    return value
