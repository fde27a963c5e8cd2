"""``[export.<provider>]``: what infrastructure files say beyond the app and its targets."""

from __future__ import annotations

import re
from typing import Any, Final

from leeward.config.location import Location
from leeward.config.model import ExportConfig
from leeward.config.values import optional, read_section, read_text, refuse_unknown
from leeward.errors import ConfigError

_HOST: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")

_ZONE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
"""An id or a name; nothing that a tool would read as an expression."""

_LONGEST: Final = 253
"""Characters of the name of a host."""

_MOST: Final = 36_500
"""The largest number: days of a hundred years. Providers have smaller ones."""


def read_export(section: Any, where: Location) -> ExportConfig:
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
    found = ExportConfig(
        domain=optional(table, "domain", where, _read_host) or "",
        zone=optional(table, "zone", where, _read_zone) or "",
        interval=optional(table, "interval", where, _read_count) or usual.interval,
        failures=optional(table, "failures", where, _read_count) or usual.failures,
        standby_instances=optional(table, "standby_instances", where, _read_instances),
        retention_days=optional(table, "retention_days", where, _read_count)
        or usual.retention_days,
    )
    if bool(found.domain) != bool(found.zone):
        lacking = "zone" if found.domain else "domain"
        raise ConfigError(f"{where} lacks {lacking!r}; a domain and its zone of DNS go together")
    return found


def _read_host(value: Any, where: Location) -> str:
    text = read_text(value, where)
    if len(text) > _LONGEST or not _HOST.fullmatch(text):
        raise ConfigError(
            f"{where} must be the name of a host in lower case, such as orders.example.com"
        )
    return text


def _read_zone(value: Any, where: Location) -> str:
    text = read_text(value, where)
    if not _ZONE.fullmatch(text):
        raise ConfigError(f"{where} must be letters, digits, hyphens and dots")
    return text


def _read_count(value: Any, where: Location) -> int:
    return _read_number(value, where, 1)


def _read_instances(value: Any, where: Location) -> int:
    return _read_number(value, where, 0)


def _read_number(value: Any, where: Location, least: int) -> int:
    if type(value) is not int or not least <= value <= _MOST:
        raise ConfigError(f"{where} must be a whole number from {least} to {_MOST}")
    return value
