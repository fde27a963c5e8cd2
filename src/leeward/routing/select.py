"""Which targets may serve a call. Pure; asked anew for each attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from leeward.calls import OBJECT_VERBS, RUN_VERBS, Call, Delete, Load, Scan, Store
from leeward.errors import ConfigError, InvalidRequest
from leeward.routing.outcomes import Rules
from leeward.values import NOTHING

if TYPE_CHECKING:
    from leeward.routing.call import CallState
    from leeward.routing.choice import Choice

DATA = (Store, Load, Delete, Scan)
"""The calls that concern a table: its home serves them, and no other target."""

AT_ONE_TARGET: Final = OBJECT_VERBS | RUN_VERBS | {"store", "load", "delete", "scan"}
"""The verbs of what is at one target of the order alone."""


class Group(NamedTuple):
    """Targets that are equivalent for some functions or buses.

    Attributes:
        targets: their names, in order of preference.
        weights: target to the share of calls, in [0, 1], that it is asked for first although it is
            not the preferred one: enough to know that it works.
        fail_back: when calls return to the preferred target: ``prefer_primary`` (when it has
            recovered), ``sticky`` (when the one in use fails), ``manual`` (when an operator says).
    """

    targets: tuple[str, ...]
    weights: Mapping[str, float] = NOTHING
    fail_back: str = "prefer_primary"


NO_GROUPS: Mapping[tuple[str, str], Group] = MappingProxyType({})


class Targets(NamedTuple):
    """The targets of one order.

    Attributes:
        order: their names, in order of preference.
        home: the target that owns the tables and buckets that have no home of their own; None where
            none is chosen.
        homes: table to the target that owns it.
        groups: verb and name of a function or bus to the group that serves it; for all others it is
            the whole order.
        weights: as of a `Group`, for the whole order.
        fail_back: likewise.
        bucket_homes: bucket to the target that owns it.
        runs: the target at which runs of workflows live; None for the preferred one.
    """

    order: tuple[str, ...]
    home: str | None = None
    homes: Mapping[str, str] = NOTHING
    groups: Mapping[tuple[str, str], Group] = NO_GROUPS
    weights: Mapping[str, float] = NOTHING
    fail_back: str = "prefer_primary"
    bucket_homes: Mapping[str, str] = NOTHING
    runs: str | None = None


def candidates(targets: Targets, call: Call, rules: Rules) -> tuple[str, ...]:
    """Return the targets that may serve `call`, in order of preference.

    Raise `ConfigError` if it concerns a table or a bucket that has no home in the order.
    """
    if call.verb in AT_ONE_TARGET:
        if isinstance(call, DATA):
            return (home_of(targets, call.table),)
        if call.verb in OBJECT_VERBS:
            return (home_of(targets, call[0], "bucket"),)
        return (targets.order[0] if targets.runs is None else targets.runs,)
    order = targets.order
    if targets.groups:
        order = group_of(targets, call).targets
    return order[:1] if rules.pinned else order


def narrowed(able: tuple[str, ...], only: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `only` that are able, in its order; raise `InvalidRequest` if there are none.

    That a key is worth less than was declared may turn out after the targets were checked.
    """
    found = tuple(target for target in only if target in able)
    if not found:
        raise InvalidRequest(
            f"targets names no target that may serve this call; name one of {', '.join(able)}, "
            "or leave it out",
            field="targets",
        )
    return found


@cache
def chooser() -> Callable[[CallState, float], Choice]:
    """Return what chooses one of the candidates; loaded when anything is first not as usual.

    While a target is out every call needs it, and to import it takes half as long as to choose.
    """
    from leeward.routing.choice import choose

    return choose


def group_of(targets: Targets, call: Call) -> Group:
    """Return the group that serves `call`."""
    return targets.groups.get((call.verb, call[0])) or whole_order(targets)


def whole_order(targets: Targets) -> Group:
    """Return the group of everything that has none of its own."""
    return Group(targets.order, targets.weights, targets.fail_back)


def home_of(targets: Targets, name: str, kind: str = "table") -> str:
    """Return the target that owns a table, or a bucket; `ConfigError` if none of the order does."""
    homes = targets.homes if kind == "table" else targets.bucket_homes
    home = homes.get(name, targets.home)
    if home is None:
        raise ConfigError(
            f"{kind} {name!r} has no home, and the order has several targets "
            f"({', '.join(targets.order)}); set home in [{kind}s.{name}] of leeward.toml, or "
            "LEEWARD_DATA_TARGET"
        )
    if home not in targets.order:
        raise ConfigError(
            f"the home of {kind} {name!r} is {home!r}, which is not in the order "
            f"({', '.join(targets.order)}); add it, or set LEEWARD_DATA_TARGET to a target "
            "of the order if the data is to live there"
        )
    return home
