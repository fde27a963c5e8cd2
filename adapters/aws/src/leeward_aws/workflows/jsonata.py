"""Templates and conditions of a flow as JSONata.

JSONata maps over lists, unwraps lists of one element, and takes some types for others. A flow has
one meaning everywhere, so each access is guarded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from leeward.adapter.workflows import (
    All,
    Compare,
    Condition,
    Not,
    OneOf,
    Present,
    Reference,
    Template,
)

_FIELD: Final = (
    "$f := function($o, $k) "
    '{ $type($o) = "object" and $exists($lookup($o, $k)) ? $lookup($o, $k) : null }'
)
"""A field of an object; null of anything else."""

_PLAIN: Final = re.compile(r"(?!\{%).+")
"""A text that every validator takes as it is: not every one takes an empty text, or two lines."""

Names = Mapping[str, str]
"""What a reference's name is called in the state machine, with the sign before it."""


def whole(expression: str) -> str:
    """Return an expression as a field of a state."""
    return f"{{% {expression} %}}"


def literal(value: object) -> str:
    """Return JSON as JSONata, which has the same notation."""
    return json.dumps(value)


def read(reference: Reference, names: Names) -> str:
    """Return the value of a reference; null for what is not there."""
    found = names[reference.name]
    if not reference.path:
        return found
    for field in reference.path:
        found = f"$f({found}, {literal(field)})"
    return f"({_FIELD}; {found})"


def field_of(template: Template, names: Names) -> Any:
    """Return a template as a field of a state: JSON, with expressions for its references."""
    if isinstance(template, Reference):
        return whole(read(template, names))
    if isinstance(template, Mapping):
        return {name: field_of(each, names) for name, each in template.items()}
    if isinstance(template, tuple):
        return [
            whole(expression_of(each, names)) if isinstance(each, tuple) else field_of(each, names)
            for each in template
        ]
    if isinstance(template, str) and not _PLAIN.fullmatch(template):
        return whole(literal(template))
    return template


def output_of(template: Template, names: Names) -> Any:
    """Return a template as the output of a state: an object, or one expression."""
    if isinstance(template, Mapping):
        return field_of(template, names)
    return whole(expression_of(template, names))


def expression_of(template: Template, names: Names) -> str:
    """Return a template as one expression."""
    if isinstance(template, Reference):
        return read(template, names)
    if isinstance(template, Mapping):
        fields = (f"{literal(name)}: {expression_of(it, names)}" for name, it in template.items())
        return f"{{{', '.join(fields)}}}"
    if isinstance(template, tuple):
        return _list_of([expression_of(each, names) for each in template])
    return literal(template)


def _list_of(elements: list[str]) -> str:
    """Return a list of elements. One that is a list stays one: JSONata's own brackets join them."""
    found = "[]"
    for each in elements:
        found = f"$append({found}, $w({each}))"
    return f'($w := function($x) {{ $type($x) = "array" ? [[$x]] : [$x] }}; {found})'


def holds(condition: Condition, names: Names) -> str:
    """Return a condition."""
    if isinstance(condition, Not):
        return f"$not({holds(condition.inner, names)})"
    if isinstance(condition, Compare):
        return _compared(condition, names)
    if isinstance(condition, Present):
        return f'$type({read(condition.left, names)}) != "null"'
    if isinstance(condition, OneOf):
        left = read(condition.left, names)
        equal = " or ".join(_equal("$l", literal(each)) for each in condition.values)
        return f"($l := {left}; {equal or 'false'})"
    joint = " and " if isinstance(condition, All) else " or "
    return f"({joint.join(f'({holds(each, names)})' for each in condition.inner)})"


def _compared(condition: Compare, names: Names) -> str:
    right = condition.right
    told = read(right, names) if isinstance(right, Reference) else literal(right)
    given = f"$l := {read(condition.left, names)}; $r := {told}"
    if condition.op == "==":
        return f"({given}; {_equal('$l', '$r')})"
    if condition.op == "!=":
        return f"({given}; $not({_equal('$l', '$r')}))"
    ordered = '$type($l) = $type($r) and $type($l) in ["number", "string"]'
    return f"({given}; ({ordered}) ? $l {condition.op} $r : false)"


def _equal(left: str, right: str) -> str:
    plain = f'$type({left}) = $type({right}) and $not($type({left}) in ["array", "object"])'
    return f"(({plain}) ? {left} = {right} : false)"
