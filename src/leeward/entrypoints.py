"""What installed distributions offer under one entry point group.

`importlib.metadata` knows this too, but importing it takes longer than importing all of leeward
(`make bench`), and this stands in the way of a program's first call. So the directories on
`sys.path` are read here, as the "Entry points" and "Recording installed projects" specifications
of packaging.python.org lay them out. Who misses something here, an egg, a zip file or what an
import hook brings along, asks `all_entry_points`.

A relative path on `sys.path`, such as the empty one of an interactive session, stands for the
working directory, whoever's that is at the time. Nothing is looked for there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leeward.records import NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import Distribution

METADATA = (".dist-info", ".egg-info")


class EntryPoint(NamedTuple):
    """One offer: `value` is ``module:attribute``."""

    name: str
    value: str
    distribution: str

    def load(self) -> object:
        """Import what it names."""
        return import_spec(self.value)


def import_spec(spec: str) -> Any:
    """Return what ``module:attribute`` names; the module is imported now."""
    from importlib import import_module

    module, _, attribute = spec.partition(":")
    value: Any = import_module(module.strip())
    for part in attribute.strip().split("."):
        value = getattr(value, part)
    return value


def entry_points(group: str) -> list[EntryPoint]:
    """Return the entry points of `group` of what is installed in plain directories."""
    points_of: dict[str, list[EntryPoint]] = {}
    for directory in _fixed_path():
        for distribution, path in _distributions(directory):
            # The first on the path is the one that is imported.
            if distribution not in points_of:
                points_of[distribution] = _read(path, group, distribution)
    return [point for points in points_of.values() for point in points]


def all_entry_points(group: str) -> list[EntryPoint]:
    """Return the entry points of `group` that `importlib.metadata` finds."""
    from importlib.metadata import distributions

    points_of: dict[str, list[EntryPoint]] = {}
    for distribution in distributions(path=_fixed_path()):
        if offers := distribution.entry_points.select(group=group):
            name = _name_of(distribution)
            points = [EntryPoint(point.name, point.value, name) for point in offers]
            points_of.setdefault(_normalise(name), points)
    return [point for points in points_of.values() for point in points]


def _name_of(distribution: Distribution) -> str:
    """Return the name; empty for one that is half installed, and does not say it."""
    try:
        metadata: Any = distribution.metadata
    except OSError:  # as later Pythons tell that there is none
        return ""
    return metadata.get("Name") or ""


def _fixed_path() -> list[str]:
    return [directory for directory in sys.path if os.path.isabs(directory)]


def parse(text: str, group: str) -> dict[str, str]:
    """Return name to value of one group of an ``entry_points.txt``."""
    points: dict[str, str] = {}
    section = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == group and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            points[name.strip()] = value.partition("[")[0].strip()  # without its extras
    return points


def _distributions(directory: str) -> Iterator[tuple[str, str]]:
    """Return the normalised name of each distribution in `directory`, and its metadata's path."""
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        # pip leaves a ~ before the name of what it could not remove.
        if name.lower().endswith(METADATA) and not name.startswith("~"):
            distribution = name.rpartition(".")[0].partition("-")[0]
            yield _normalise(distribution), f"{directory}{os.sep}{name}"


def _normalise(distribution: str) -> str:
    words = distribution.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(filter(None, words))


def _read(path: str, group: str, distribution: str) -> list[EntryPoint]:
    listing = f"{path}{os.sep}entry_points.txt"
    if not os.access(listing, os.R_OK):  # most distributions have none; an exception costs more
        return []
    try:
        with open(listing, "rb", buffering=0) as file:
            written = file.read()
    except OSError:
        return []
    if group.encode() not in written:
        return []
    points = parse(written.decode("utf-8"), group)
    return [EntryPoint(name, value, distribution) for name, value in points.items()]
