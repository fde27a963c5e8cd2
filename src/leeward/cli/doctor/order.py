"""What can be said of an order as a whole, from its configuration and what its targets declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from leeward.adapter import Capability, Driver, Limits
from leeward.cli.doctor.findings import ORDER, Finding, State
from leeward.config import Config
from leeward.config.groups import check_homes, groups_of, residency_of
from leeward.errors import ConfigError

_WHERE = "let the home, or a target of the group, be where [residency] says that it is"

SHOWN = ("payload_bytes", "event_bytes", "item_bytes")
"""Limits that a program meets most."""


def serving(config: Config, verb: str, name: str) -> tuple[str, ...]:
    """Return the targets that may serve a function or bus, in order of preference.

    Raises:
        ConfigError: a group has no target left.
    """
    order = tuple(str(target) for target in config.order)
    group = groups_of(config, order).get((verb, name))
    return order if group is None else group.targets


def capabilities_of(config: Config, driver: Driver) -> Iterator[Finding]:
    """Return whether a target can do what is configured for it, one finding in all if it can."""
    lacking = [
        (what, capability)
        for what, capability in _wanted(config, driver.target)
        if capability not in driver.capabilities
    ]
    if not lacking:
        yield Finding(driver.target, "capabilities", State.OK, "all that is configured for it")
    for what, capability in lacking:
        remedy = driver.missing.get(capability, "")
        yield Finding(
            driver.target,
            "capabilities",
            State.FAULT,
            f"has no {capability.value}, which {what} needs",
            remedy or f"take the target out of the order of {what}, by a group or a home",
            (what,),
        )


def _wanted(config: Config, target: str) -> Iterator[tuple[str, Capability]]:
    for name in config.functions:
        if target in serving(config, "invoke", name):
            yield f"function {name}", Capability.INVOKE
    for name in config.buses:
        if target in serving(config, "publish", name):
            yield f"bus {name}", Capability.PUBLISH
    for name, table in config.tables.items():
        if home_of(config, table.home) == target:
            yield f"table {name}", Capability.TABLES
            if len(table.key) > 1:
                yield f"table {name}", Capability.COMPOSITE_KEYS
    for name, bucket in config.buckets.items():
        if home_of(config, bucket.home) == target:
            yield f"bucket {name}", Capability.OBJECTS


def home_of(config: Config, home: str | None) -> str | None:
    """Return the home of a table, given its own; of one target, that is it."""
    found = home or config.data_target
    return str(config.order[0]) if found is None and len(config.order) == 1 else found


def homes(config: Config) -> Iterator[Finding]:
    """Return whether each table and bucket has a home in the order, one where its data may be."""
    order = [str(target) for target in config.order]
    try:
        check_homes(config)
    except ConfigError as error:
        yield Finding(ORDER, "residency", State.FAULT, str(error), _WHERE)
    owned = [("tables", name, each.home, each.residency) for name, each in config.tables.items()]
    owned += [("buckets", name, each.home, ()) for name, each in config.buckets.items()]
    for section, name, own, residency in owned:
        home = home_of(config, own)
        check = f"home of {name}"
        if home in order:
            where = f", in {residency_of(config, home)}" if residency else ""
            yield Finding(ORDER, check, State.OK, f"{home}{where}")
        else:
            told = "there is none" if home is None else f"{home} is not in the order"
            remedy = f"set home in [{section}.{name}] to one of {', '.join(order)}"
            yield Finding(ORDER, check, State.FAULT, told, remedy)


def residency(config: Config) -> Iterator[Finding]:
    """Return which targets a residency leaves to each group that has one."""
    order = tuple(str(target) for target in config.order)
    for name, group in config.groups.items():
        if not group.residency:
            continue
        try:
            made = groups_of(config._replace(groups={name: group}), order)
        except ConfigError as error:
            yield Finding(ORDER, "residency", State.FAULT, str(error), _WHERE)
            continue
        left = next(iter(made.values())).targets
        where = ", ".join(group.residency)
        yield Finding(ORDER, "residency", State.OK, f"group {name}: {', '.join(left)} in {where}")


def limits(drivers: Mapping[str, Driver]) -> Iterator[Finding]:
    """Return the limits that hold for the whole order, and whose they are."""
    if not drivers:
        return
    smallest = Limits.smallest([each.limits for each in drivers.values()])
    told = []
    for field in SHOWN:
        size = getattr(smallest, field)
        whose = next(name for name, each in drivers.items() if getattr(each.limits, field) == size)
        told.append(f"{field} {size:,} (of {whose})")
    yield Finding(ORDER, "limits", State.OK, f"the smallest count: {', '.join(told)}")


def fallbacks(config: Config, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Return whether each function and bus has a second target that would take it."""
    faults = [each for each in findings if each.state is State.FAULT]
    unopened = {each.target for each in faults if each.check == "settings"}
    blocked = {(each.target, what) for each in faults for what in each.concerns}
    things = [("invoke", "function", name) for name in config.functions]
    things += [("publish", "bus", name) for name in config.buses]
    for verb, kind, name in things:
        try:
            targets = serving(config, verb, name)
        except ConfigError:
            continue  # told as a residency that leaves nothing
        what = f"{kind} {name}"
        able = [each for each in targets if each not in unopened and (each, what) not in blocked]
        yield _fallback(what, targets, able)


def _fallback(what: str, targets: Sequence[str], able: Sequence[str]) -> Finding:
    check = f"fallback of {what}"
    if len(targets) == 1:
        return Finding(ORDER, check, State.NOTE, f"none: only {targets[0]} serves it")
    if len(able) > 1:
        return Finding(ORDER, check, State.OK, ", then ".join(able))
    told = f"only {able[0]} would take it" if able else "no target would take it"
    return Finding(ORDER, check, State.FAULT, told, "mend what is told of the other targets")
