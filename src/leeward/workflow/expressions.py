"""What templates and conditions mean, on JSON. Pure; every export is held to this.

What is not there is null. An object has fields, and nothing else has: a field of a list, of a text
or of null is null.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from leeward.values import Json
from leeward.workflow.model import (
    All,
    Compare,
    Condition,
    Not,
    OneOf,
    Present,
    Reference,
    Some,
    Template,
)

_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def frozen(value: Json) -> Template:
    """Return JSON, with references in it, as nobody can change it any more."""
    if isinstance(value, Mapping):
        return MappingProxyType({name: frozen(each) for name, each in value.items()})
    if isinstance(value, list):
        return tuple(frozen(each) for each in value)
    return value


def fill(template: Template, variables: Mapping[str, Json]) -> Json:
    """Return the JSON that a template stands for.

    Args:
        template: with references.
        variables: values by name; a name without one is null.
    """
    if isinstance(template, Reference):
        return look_up(template, variables)
    if isinstance(template, Mapping):
        return {name: fill(each, variables) for name, each in template.items()}
    if isinstance(template, tuple):
        return [fill(each, variables) for each in template]
    return template


def look_up(reference: Reference, variables: Mapping[str, Json]) -> Json:
    """Return the value of a reference."""
    value = variables.get(reference.name)
    for field in reference.path:
        value = value.get(field) if isinstance(value, dict) else None
    return value


def holds(condition: Condition, variables: Mapping[str, Json]) -> bool:
    """Return whether a condition holds."""
    if isinstance(condition, Compare):
        right = condition.right
        if isinstance(right, Reference):
            right = look_up(right, variables)
        return _compare(look_up(condition.left, variables), condition.op, right)
    if isinstance(condition, OneOf):
        left = look_up(condition.left, variables)
        return any(_equal(left, each) for each in condition.values)
    if isinstance(condition, Present):
        return look_up(condition.left, variables) is not None
    if isinstance(condition, Not):
        return not holds(condition.inner, variables)
    if isinstance(condition, All):
        return all(holds(each, variables) for each in condition.inner)
    assert isinstance(condition, Some)
    return any(holds(each, variables) for each in condition.inner)


def _compare(left: Json, op: str, right: Json) -> bool:
    if op == "==":
        return _equal(left, right)
    if op == "!=":
        return not _equal(left, right)
    same = _type(left) == _type(right) and _type(left) in ("number", "string")
    return same and _ORDER[op](left, right)


def _equal(left: Json, right: Json) -> bool:
    """Compare plain values; lists and objects are equal to nothing."""
    kind = _type(left)
    return kind is not None and kind == _type(right) and bool(left == right)


def _type(value: Json) -> str | None:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else None
