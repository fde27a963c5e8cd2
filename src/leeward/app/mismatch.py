"""JSON that is not of its type: the path to it, and the type that belongs there.

Keys of the input that no annotation names are shown as ``[...]``, for they are input, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias, get_args, get_origin

from leeward.values import Json

Reader: TypeAlias = Callable[[Json], Any]
"""Returns the value of a type for JSON, or raises `Mismatch`."""

KEY: Final = "[...]"
"""Stands in a path for a key that is part of the input."""

MOST: Final = 20
"""Places of one input that are reported."""


class Mismatch(Exception):
    """JSON that is not of its type; `steps` lead to it, the innermost first.

    Attributes:
        others: what else of the same input does not fit.
    """

    def __init__(self, expected: str, *, missing: bool = False) -> None:
        super().__init__(expected)
        self.expected = expected
        self.missing = missing
        self.steps: list[str] = []
        self.others: list[Mismatch] = []

    def inside(self, step: str) -> Mismatch:
        """Return itself, with one more step on the way to it and to the others."""
        for mismatch in (self, *self.others):
            mismatch.steps.append(step)
        return self

    @property
    def path(self) -> str:
        """The way to it, from the outside."""
        return "".join(["$", *reversed(self.steps)])


def join_mismatches(mismatches: Iterable[Mismatch]) -> Mismatch:
    """Return the first of some mismatches, and the rest as its others."""
    first, *rest = [one for outer in mismatches for one in (outer, *outer.others)]
    first.others = rest[: MOST - 1]
    return first


def type_name(annotation: Any) -> str:
    """Return a type as a sender of JSON reads it."""
    names = {list: "array", tuple: "array", dict: "object", type(None): "null"}
    origin = get_origin(annotation)
    if annotation in names or origin in names:
        return names.get(annotation) or names[origin]
    if origin is not None and get_args(annotation):
        return " or ".join(
            type_name(part) if isinstance(part, type) else short_name(part)
            for part in get_args(annotation)
        )
    return short_name(annotation)


def short_name(annotation: Any) -> str:
    """Return a type as its code names it."""
    name: str | None = getattr(annotation, "__name__", None)
    return name or repr(annotation)
