"""What is in a package, and why: its packages, who requires them, own files, and what stays behind.

A distribution is there because something requires it: the user's list, leeward, or another one. The
shortest way from the outside is told. Sizes are those of the files that are in the package.
"""

from __future__ import annotations

import re
import tomllib
from collections import deque
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

LEEWARD: Final = "leeward"
"""Stands for what `leeward package` requires itself: leeward, its adapters, what platforms need."""

MOST_SHOWN: Final = 5
"""Packages of a summary, the largest ones."""


class Part(NamedTuple):
    """One distribution in a package.

    Attributes:
        name: of it.
        version: of it.
        bytes: of its files that are in the package.
        files: how many.
        why: the way to it from the outside: a file of the user's or ``leeward``, then names.
    """

    name: str
    version: str
    bytes: int
    files: int
    why: tuple[str, ...]


class Inventory(NamedTuple):
    """What a package has.

    Attributes:
        parts: what is required, the largest first.
        user_files: bytes of each file of the user's, by its path.
        outputs: paths of the files that `leeward package` has written.
        unused: bytes of the rooms of leeward that were left out, by their names.
    """

    parts: tuple[Part, ...]
    user_files: Mapping[str, int]
    outputs: tuple[str, ...]
    unused: Mapping[str, int]

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "packages": [{**part._asdict(), "why": list(part.why)} for part in self.parts],
            "own": dict(self.user_files),
            "made": list(self.outputs),
            "unused": dict(self.unused),
        }


def owners_in(place: Path) -> dict[str, str]:
    """Return which distribution each installed file is of, by its path, before any is removed."""
    owners: dict[str, str] = {}
    for record in place.glob("*.dist-info/RECORD"):
        name = record.parent.name.partition("-")[0]
        for line in record.read_text(encoding="utf-8").splitlines():
            path = re.match(r'"((?:[^"]|"")*)"|([^,]*)', line)
            if path:
                owners[path[1] or path[2]] = canonicalize_name(name)
    return owners


def parts_in(
    place: Path, owners: Mapping[str, str], roots: Mapping[str, Iterable[str]]
) -> tuple[Part, ...]:
    """Return the distributions of a folder, the largest first, each with the way to it.

    Args:
        place: where they are installed.
        owners: as of `owners_in`.
        roots: names of what is required from the outside, by who requires it.
    """
    sizes: dict[str, list[int]] = {}
    for path, name in owners.items():
        file = place / path
        if file.is_file():
            sizes.setdefault(name, []).append(file.stat().st_size)
    installed: dict[str, Distribution] = {
        canonicalize_name(package.name): package for package in distributions(path=[str(place)])
    }
    ways = _shortest_ways(installed, roots)
    parts = [
        Part(
            distribution.name,
            distribution.version,
            sum(sizes.get(name, ())),
            len(sizes.get(name, ())),
            ways.get(name, ()),
        )
        for name, distribution in installed.items()
    ]
    return tuple(sorted(parts, key=lambda part: (-part.bytes, part.name)))


def roots_of(requires: Iterable[str], files: Iterable[Path]) -> dict[str, list[str]]:
    """Return the names that are required from the outside, by who requires them.

    Args:
        requires: of leeward's own.
        files: of the user, with what the app requires.
    """
    roots = {file.name: _names_in(file) for file in files}
    roots[LEEWARD] = [name for line in requires for name in _name_of(line)]
    return roots


def _names_in(file: Path) -> list[str]:
    """Return the names of a ``requirements.txt`` or a ``pyproject.toml``; files within are read."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return []
    if file.suffix == ".toml":
        requirements = tomllib.loads(text).get("project", {}).get("dependencies", [])
        return [name for line in requirements for name in _name_of(line)]
    names = []
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split(" #")[0].strip()
        other = re.match(r"(?:-r|--requirement)[ =]?(.+)", words)
        if other:
            names += _names_in(file.parent / other[1].strip())
        elif not words.startswith("-"):
            names += _name_of(re.split(r"\s--", words)[0])
    return names


def _name_of(line: str, extras: Iterable[str] = ()) -> list[str]:
    """Return the name in a requirement, with its extras behind; nothing if it does not hold."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return []
    marker, marks = requirement.marker, [{"extra": extra} for extra in ("", *extras)]
    if marker is not None and not any(marker.evaluate(mark) for mark in marks):
        return []
    more = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return [requirement.name + more]


def _shortest_ways(
    installed: Mapping[str, Distribution], roots: Mapping[str, Iterable[str]]
) -> dict[str, tuple[str, ...]]:
    """Return the shortest way to each distribution, breadth first."""
    ways: dict[str, tuple[str, ...]] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    todo: deque[tuple[str, tuple[str, ...]]] = deque(
        (name, (root,)) for root, names in roots.items() for name in names
    )
    while todo:
        text, way = todo.popleft()
        requirement = Requirement(text)
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if name not in installed or (name, extras) in seen:
            continue
        seen.add((name, extras))
        ways.setdefault(name, way)
        for line in installed[name].requires or ():
            todo.extend((other, (*way, text)) for other in _name_of(line, extras))
    return ways


def size_text(size: int) -> str:
    """Return bytes as a person reads them."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
