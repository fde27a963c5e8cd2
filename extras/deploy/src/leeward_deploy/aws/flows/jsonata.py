"""Templates and conditions of a flow as JSONata.

JSONata maps over lists, unwraps lists of one element, and takes some types for others. A flow has
one meaning everywhere, so each access is guarded. What JSONata cannot keep is refused at run time:
whole numbers from 2^53 on, which it rounds, and texts that it orders by halves of signs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from leeward.workflow.model import (
    All,
    Compare,
    Condition,
    Not,
    OneOf,
    Present,
    Reference,
    Template,
    references,
)
from leeward.workflow.model import conditions as conditions_in

_FIELD: Final = (
    "$f := function($o, $k) "
    '{ $type($o) = "object" and $exists($lookup($o, $k)) ? $lookup($o, $k) : null }'
)
"""A field of an object; null of anything else."""

_PLAIN: Final = re.compile(r"(?!\{%).+")
"""A text that every validator takes as it is: not every one takes an empty text, or two lines."""

LARGEST: Final = 240_000
"""Bytes of data that a flow puts into one state. The quota is 256 KiB, with what is around it."""

_BIG: Final = (
    'function($x) { $type($x) = "number" and $abs($x) >= 9007199254740992 and $abs($x) < 1e21 }'
)
"""Of a number: that it may have been rounded. From 1e21 on it is written with an exponent."""

_ASTRAL: Final = r"/[\ud800-\udfff]|[^\x00-\uffff]/"
"""A sign that is two halves in UTF-16, for interpreters that know halves or whole signs."""

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
    for element in elements:
        found = f"$append({found}, $w({element}))"
    return f'($w := function($x) {{ $type($x) = "array" ? [[$x]] : [$x] }}; {found})'


def size_of(expression: str) -> str:
    """Return an expression for the bytes of a value as JSON; more where it is not ASCII."""
    return rf'$length($replace($string({expression}), /[^\x00-\x7f]/, "xxxx"))'


def unfit(template: Template, names: Names, *, as_payload: bool) -> str | None:
    """Return an expression: whether a value cannot be put into a state as it is.

    It is too large, or has a whole number that JSONata has rounded. A whole payload that is a text
    or null is taken for the text of JSON, and for no payload. None if nobody has to look.
    """
    if not any(references(template)):
        return None
    wrong = [f"{size_of('$p')} > {LARGEST}", f"$count($filter($p.**, {_BIG})) > 0"]
    if as_payload and isinstance(template, Reference):
        wrong.insert(0, '$type($p) in ["string", "null"]')
    return f"($p := {expression_of(template, names)}; {' or '.join(wrong)})"


def unsure(conditions: Sequence[Condition], names: Names) -> str | None:
    """Return an expression: whether JSONata may compare otherwise than a flow means.

    Whole numbers from 2^53 on are rounded, and texts are ordered by halves of signs. None if
    nothing that is compared can be either.
    """
    compared: dict[str, None] = {}
    ordered: dict[str, None] = {}
    for condition in conditions:
        for one in conditions_in(condition):
            if isinstance(one, Present):
                continue
            sides = [one.left] if isinstance(one, OneOf) else [one.left, one.right]
            read_sides = [read(side, names) for side in sides if isinstance(side, Reference)]
            others = [side for side in sides if not isinstance(side, Reference)]
            numbers = isinstance(one, OneOf) or not any(isinstance(other, str) for other in others)
            if numbers:
                compared.update(dict.fromkeys(read_sides))
            if isinstance(one, Compare) and one.op not in ("==", "!="):
                ordered.update(dict.fromkeys(read_sides))
    wrong = [f"$count($filter([{each}], {_BIG})) > 0" for each in compared]
    wrong += [
        f'($l := {each}; $type($l) = "string" ? $contains($l, {_ASTRAL}) : false)'
        for each in ordered
    ]
    return " or ".join(wrong) or None


def holds(condition: Condition, names: Names) -> str:
    """Return a condition."""
    if isinstance(condition, Not):
        return f"$not({holds(condition.inner, names)})"
    if isinstance(condition, Compare):
        right = condition.right
        told = read(right, names) if isinstance(right, Reference) else literal(right)
        given = f"$l := {read(condition.left, names)}; $r := {told}"
        if condition.op == "==":
            return f"({given}; {_equal('$l', '$r')})"
        if condition.op == "!=":
            return f"({given}; $not({_equal('$l', '$r')}))"
        ordered = '$type($l) = $type($r) and $type($l) in ["number", "string"]'
        return f"({given}; ({ordered}) ? $l {condition.op} $r : false)"
    if isinstance(condition, Present):
        return f'$type({read(condition.left, names)}) != "null"'
    if isinstance(condition, OneOf):
        left = read(condition.left, names)
        equal = " or ".join(_equal("$l", literal(each)) for each in condition.values)
        return f"($l := {left}; {equal or 'false'})"
    joint = " and " if isinstance(condition, All) else " or "
    return f"({joint.join(f'({holds(each, names)})' for each in condition.inner)})"


def _equal(left: str, right: str) -> str:
    plain = f'$type({left}) = $type({right}) and $not($type({left}) in ["array", "object"])'
    return f"(({plain}) ? {left} = {right} : false)"
