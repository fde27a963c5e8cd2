"""Which wheels a platform loads, by their tags.

Sources: PEP 425 (tags), PEP 600 (``manylinux_X_Y``: the least glibc), PEP 427 (names of wheels).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

ALIASES: Final = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
"""Older names, and the glibc that they stand for. Source: PEP 600."""

_MANYLINUX: Final = re.compile(r"(manylinux\d+|manylinux_(\d+)_(\d+))_(\w+)")
_INTERPRETER: Final = re.compile(r"(py|cp)(\d)(\d*)")


class Tag(NamedTuple):
    """One tag of a wheel."""

    python: str
    abi: str
    platform: str


def tags_of(file: str) -> tuple[Tag, ...]:
    """Return the tags in the name of a wheel; none if it is not one."""
    stem, _, extension = file.rpartition(".")
    parts = stem.split("-")
    if extension != "whl" or len(parts) < 5:
        return ()
    pythons, abis, platforms = (part.split(".") for part in parts[-3:])
    return tuple(Tag(p, a, q) for p in pythons for a in abis for q in platforms)


def tags_in(text: str) -> tuple[Tag, ...]:
    """Return the tags that the file ``WHEEL`` of an installed wheel tells."""
    found = re.findall(r"^Tag:\s*(\S+)\s*$", text, re.MULTILINE)
    return tuple(Tag(*each.split("-")) for each in found if each.count("-") == 2)


def loads(tag: Tag, python: str, machine: str, glibc: tuple[int, int]) -> bool:
    """Return whether a wheel with this tag can be loaded.

    Args:
        tag: of the wheel.
        python: such as ``3.13``.
        machine: as wheels call the processor.
        glibc: that is there.
    """
    if not _is_for_python(tag, python):
        return False
    if tag.platform == "any":
        return True
    needs = needed_glibc(tag, machine)
    return needs is not None and needs <= glibc


def needed_glibc(tag: Tag, machine: str) -> tuple[int, int] | None:
    """Return the least glibc of a tag; None if it is not for a Linux on `machine`."""
    found = _MANYLINUX.fullmatch(tag.platform)
    if found is None or found[4] != machine:
        return None
    return (int(found[2]), int(found[3])) if found[2] else ALIASES.get(found[1])


def least_glibc(tags: Iterable[Tag], python: str, machine: str) -> tuple[int, int] | None:
    """Return the least glibc with which any of `tags` loads; None if no glibc helps."""
    needs = (needed_glibc(each, machine) for each in tags if _is_for_python(each, python))
    return min((each for each in needs if each), default=None)


def is_pure(tags: Iterable[Tag]) -> bool:
    """Return whether a wheel has no native code."""
    return all(each.abi == "none" and each.platform == "any" for each in tags)


def _is_for_python(tag: Tag, python: str) -> bool:
    found = _INTERPRETER.fullmatch(tag.python)
    if found is None:
        return False
    major, minor = (int(part) for part in python.split("."))
    wanted = int(found[3]) if found[3] else 0
    if int(found[2]) != major or wanted > minor:
        return False
    return found[1] == "py" or wanted == minor or tag.abi == "abi3"
