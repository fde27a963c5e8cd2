"""The targets that a configuration names: a misspelt one is refused, never ignored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from leeward.config.location import Location
from leeward.config.model import (
    BucketConfig,
    BusConfig,
    Config,
    FunctionConfig,
    TableConfig,
    WorkflowConfig,
)
from leeward.config.order import TargetName
from leeward.errors import ConfigError
from leeward.registry import check_provider


def check_providers(config: Config, also_known: Iterable[str] = ()) -> None:
    """Raise `ConfigError` if `config` names a provider that does not exist.

    Args:
        config: its options, homes and names are checked. Its order is not: opening it does that.
        also_known: providers of drivers that are open already.
    """
    known = set(also_known)
    for where, name in _mentions(config):
        provider = name.partition(":")[0]
        if provider not in known:
            check_provider(provider, str(where))
            known.add(provider)


def check_unused(config: Config, also_named: Iterable[TargetName]) -> None:
    """Raise `ConfigError` if an entry for a target looks misspelt.

    The order changes with the environment while the file stays, so an entry for a target that is
    not in the order is not wrong in itself. It counts as misspelt if the order has a target of the
    same provider that has no entry, and if nothing else names the entry's target.

    Args:
        config: with the order that is in force.
        also_named: the order that the file has, even if another one is in force.
    """
    counted = Counter(name for _, name in _mentions(config))
    counted.update({str(target) for target in also_named})
    order = [str(target) for target in config.order]
    for where, entries in _entries(config):
        for name in entries:
            provider, colon, _ = name.partition(":")
            without = [
                str(target)
                for target in config.order
                if target.provider == provider and str(target) not in entries
            ]
            if colon and name not in order and counted[name] == 1 and without:
                raise ConfigError(
                    f"{where.child(name)} is for a target that is not in the order "
                    f"({', '.join(order)}); did you mean {without[0]!r}? Correct the name, remove "
                    f"the entry, or name {name!r} in cloud_provider, too"
                )


def unused_sections(config: Config) -> list[str]:
    """Return the names in ``[targets.<name>]`` whose options no target of the order uses."""
    used = {
        str(target) if str(target) in config.options else target.provider for target in config.order
    }
    return [name for name in config.options if name not in used]


def _mentions(config: Config) -> Iterator[tuple[Location, str]]:
    """Yield every name of a target in `config`, with its location."""
    for where, entries in _entries(config):
        for name in entries:
            yield where.child(name), name
    top = Location(config.file)
    for table, each in config.tables.items():
        if each.home is not None:
            yield top.child("tables").child(table).child("home"), each.home
    for bucket, one in config.buckets.items():
        if one.home is not None:
            yield top.child("buckets").child(bucket).child("home"), one.home
    for where, names in _of_sections(config, top):
        yield from ((where.child(name), name) for name in names)
    if config.data_target is not None:
        yield top.child("data_target"), config.data_target
    if config.workflow_target is not None:
        yield top.child("workflow_target"), config.workflow_target


def _of_sections(config: Config, top: Location) -> Iterator[tuple[Location, Iterable[str]]]:
    """Yield the names of targets that other sections have, with their place."""
    yield top.child("residency"), config.residency
    yield top.child("weights"), config.weights
    yield top.child("export"), config.export
    for name, group in config.groups.items():
        where = top.child("groups").child(name)
        yield where.child("targets"), group.targets
        yield where.child("weights"), group.weights


_Named: TypeAlias = FunctionConfig | BusConfig | TableConfig | BucketConfig | WorkflowConfig


def _entries(config: Config) -> Iterator[tuple[Location, Mapping[str, object]]]:
    """Yield every mapping whose keys are names of targets, with its location."""
    top = Location(config.file)
    yield top.child("targets"), config.options
    sections: dict[str, Mapping[str, _Named]] = {
        "functions": config.functions,
        "buses": config.buses,
        "tables": config.tables,
        "buckets": config.buckets,
        "workflows": config.workflows,
    }
    for section, named in sections.items():
        for name, each in named.items():
            yield top.child(section).child(name).child("names"), each.names
