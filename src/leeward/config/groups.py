"""Which targets of an order may serve what: groups, and where data may be."""

from __future__ import annotations

from collections.abc import Mapping

from leeward._routing.targets import TargetGroup
from leeward.config.model import Config, ConfigKey, GroupConfig
from leeward.errors import ConfigError

FUNCTION_VERBS = ("invoke", "settle", "enqueue")
BUS_VERBS = ("publish",)


def groups_of(config: Config, order: tuple[str, ...]) -> dict[tuple[str, str], TargetGroup]:
    """Return verb and name of each function and bus that has a group, and the targets in it.

    Targets that are not in the order wait until they are. Residency is looked at before anything
    else: a target that is not known to keep to it is not in the group.

    Raises:
        ConfigError: a group has no target left, or two groups have the same function or bus.
    """
    groups: dict[tuple[str, str], TargetGroup] = {}
    for name, group in config.groups.items():
        where = ConfigKey(config.file).child("groups").child(name)
        made = _group(config, group, order, where)
        keys = [(verb, function) for function in group.functions for verb in FUNCTION_VERBS]
        keys += [(verb, bus) for bus in group.buses for verb in BUS_VERBS]
        for key in keys:
            if key in groups:
                raise ConfigError(f"{where} names {key[1]!r}, which another group names, too")
            groups[key] = made
    return groups


def residency_of(config: Config, target: str) -> str | None:
    """Return where the data of a target is, as configured; its provider's entry counts for it."""
    own = config.residency.get(target)
    return config.residency.get(target.partition(":")[0]) if own is None else own


def check_homes(config: Config) -> None:
    """Raise `ConfigError` if a table has a residency, and its home is elsewhere."""
    for name, table in config.tables.items():
        home = table.home or config.data_target
        if not table.residency or home is None:
            continue
        where = residency_of(config, home)
        if where not in table.residency:
            place = ConfigKey(config.file).child("tables").child(name).child("residency")
            raise ConfigError(
                f"{place} is {', '.join(table.residency)}, but its home {home!r} is "
                f"{'in ' + where if where else 'nowhere that [residency] names'}; "
                "give the table another home, or name the target in [residency]"
            )


def shares_of(weights: Mapping[str, float]) -> dict[str, float]:
    """Return percent as shares."""
    return {target: percent / 100 for target, percent in weights.items()}


def _group(
    config: Config, group: GroupConfig, order: tuple[str, ...], where: ConfigKey
) -> TargetGroup:
    wanted = group.targets or order
    allowed = tuple(
        target
        for target in wanted
        if not group.residency or residency_of(config, target) in group.residency
    )
    if not allowed:
        raise ConfigError(
            f"{where.child('residency')} is {', '.join(group.residency)}, and no target of the "
            "group is there; name the targets' residency in [residency]"
        )
    present = tuple(target for target in allowed if target in order)
    if not present:
        raise ConfigError(
            f"{where} has no target of the order ({', '.join(order)}); it has {', '.join(allowed)}"
        )
    return TargetGroup(present, shares_of(group.weights), group.fail_back or config.fail_back)
