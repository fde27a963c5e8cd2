"""Which targets may serve a call. Pure; asked anew for each attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from leeward.adapter import Call, Delete, Load, Scan, Store
from leeward.errors import ConfigError
from leeward.routing.outcomes import Rules
from leeward.values import NOTHING

DATA = (Store, Load, Delete, Scan)
"""The calls that concern a table: its home serves them, and no other target."""


class Targets(NamedTuple):
    """The targets of one order.

    Attributes:
        order: their names, in order of preference.
        home: the target that owns the tables that `homes` does not name; None where none is chosen.
        homes: table to the target that owns it.
    """

    order: tuple[str, ...]
    home: str | None = None
    homes: Mapping[str, str] = NOTHING


def candidates(targets: Targets, call: Call, rules: Rules) -> tuple[str, ...]:
    """Return the targets that may serve `call`, in order of preference.

    Raise `ConfigError` if it concerns a table that has no home in the order.
    """
    if isinstance(call, DATA):
        return (home_of(targets, call.table),)
    return targets.order[:1] if rules.pinned else targets.order


def home_of(targets: Targets, table: str) -> str:
    """Return the target that owns `table`; raise `ConfigError` if none of the order does."""
    home = targets.homes.get(table, targets.home)
    if home is None:
        raise ConfigError(
            f"table {table!r} has no home, and the order has several targets "
            f"({', '.join(targets.order)}); set home in [tables.{table}] of leeward.toml, or "
            "LEEWARD_DATA_TARGET"
        )
    if home not in targets.order:
        raise ConfigError(
            f"the home of table {table!r} is {home!r}, which is not in the order "
            f"({', '.join(targets.order)}); add it, or set LEEWARD_DATA_TARGET to a target "
            "of the order if the data is to live there"
        )
    return home
