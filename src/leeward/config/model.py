"""The configuration as immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from leeward.config.order import TargetName
from leeward.masking import masked
from leeward.values import NOTHING, Effect

Names: TypeAlias = Mapping[str, str]
"""Name of a target or provider to that target's own name of a resource."""


class FunctionConfig(NamedTuple):
    """``[functions.<name>]``.

    Attributes:
        effect: what repeating a call would do.
        shared_dedup: one store deduplicates for every target (``dedup_scope = "group"``).
        timeout: seconds that the function itself may run for, and the default deadline of a call.
        names: its own names on targets, where they differ from the logical name.
    """

    effect: Effect = Effect.UNSAFE
    shared_dedup: bool = False
    timeout: float | None = None
    names: Names = NOTHING


class BusConfig(NamedTuple):
    """``[buses.<name>]``: the default deadline in seconds, and the targets' own names."""

    timeout: float | None = None
    names: Names = NOTHING


class TableConfig(NamedTuple):
    """``[tables.<name>]``.

    Attributes:
        key: the fields of its key: one, or a partition and a sort field.
        home: the target that owns the table.
        timeout: the default deadline of a call, in seconds.
        names: its own names on targets, where they differ from the logical name.
    """

    key: tuple[str, ...] = ("id",)
    home: str | None = None
    timeout: float | None = None
    names: Names = NOTHING


class BucketConfig(NamedTuple):
    """``[buckets.<name>]``: home, default deadline in seconds of a request, and own names."""

    home: str | None = None
    timeout: float | None = None
    names: Names = NOTHING


class Config(NamedTuple):
    """The whole configuration, checked.

    Attributes:
        order: the targets, in order of preference.
        options: options of each target, by its name.
        functions: by logical name; a function that is not here has the defaults.
        buses: by logical name.
        tables: by logical name.
        source: the CloudEvents `source` of events that name none.
        trust_env: whether adapters may use the environment.
        data_target: the home of tables and buckets that have none of their own; None if there is
            none.
        file: the path of the file that it comes from; None if it was made in Python.
        buckets: by logical name.
    """

    order: tuple[TargetName, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = NOTHING
    functions: Mapping[str, FunctionConfig] = NOTHING
    buses: Mapping[str, BusConfig] = NOTHING
    tables: Mapping[str, TableConfig] = NOTHING
    source: str = "leeward"
    trust_env: bool = True
    data_target: str | None = None
    file: str | None = None
    buckets: Mapping[str, BucketConfig] = NOTHING

    def __repr__(self) -> str:
        return masked(
            self, "order functions buses tables source trust_env data_target file buckets"
        )

    def homes(self) -> Mapping[str, str]:
        """Return the tables that have a home of their own; `data_target` is that of all others."""
        return {name: table.home for name, table in self.tables.items() if table.home is not None}

    def bucket_homes(self) -> Mapping[str, str]:
        """Return the buckets that have a home of their own."""
        return {name: each.home for name, each in self.buckets.items() if each.home is not None}
