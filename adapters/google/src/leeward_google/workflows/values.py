"""Templates and conditions of a flow: fields and comparisons are calls of subworkflows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from leeward.workflow.kit import (
    INPUT,
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
from leeward_google.workflows.library import COMPARE, FIELD, Steps
from leeward_google.workflows.variables import name_of


class Values:
    """Writes templates and conditions; each of their steps has a number of its own."""

    def __init__(self) -> None:
        self._count = 0

    def template(self, template: Template) -> tuple[Steps, Any]:
        """Return the steps that look up what a template reads, and the template of them."""
        if isinstance(template, Reference):
            return self._read(template)
        if isinstance(template, Mapping):
            parts = {name: self.template(each) for name, each in template.items()}
            before = [step for steps, _ in parts.values() for step in steps]
            return before, {name: value for name, (_, value) in parts.items()}
        if isinstance(template, tuple):
            found = [self.template(each) for each in template]
            return [step for steps, _ in found for step in steps], [value for _, value in found]
        return [], _literal(template)

    def _read(self, reference: Reference) -> tuple[Steps, str]:
        name = name_of(reference.name) if reference.name != INPUT else "v_input"
        if not reference.path:
            return [], f"${{{name}}}"
        found = self._temporary("t")
        args = {"value": f"${{{name}}}", "path": [_literal(each) for each in reference.path]}
        return [{f"read-{found}": {"call": FIELD, "args": args, "result": found}}], f"${{{found}}}"

    def condition(self, condition: Condition) -> tuple[Steps, str]:
        """Return the steps that compare what a condition reads, and the expression of them."""
        if isinstance(condition, Not):
            before, told = self.condition(condition.inner)
            return before, f"(not {told})"
        if isinstance(condition, All | Some):
            parts = [self.condition(each) for each in condition.inner]
            joint = " and " if isinstance(condition, All) else " or "
            steps = [step for before, _ in parts for step in before]
            return steps, f"({joint.join(told for _, told in parts)})"
        if isinstance(condition, OneOf):
            same = [Compare(condition.left, "==", each) for each in condition.values]
            return self.condition(Some(tuple(same))) if same else ([], "false")
        before, left = self._read(condition.left)
        op, right = ("!=", None) if isinstance(condition, Present) else _sides(condition)
        then, told_right = self.template(right)
        found = self._temporary("h")
        args = {"left": left, "op": op, "right": told_right}
        call = {f"compare-{found}": {"call": COMPARE, "args": args, "result": found}}
        return [*before, *then, call], found

    def _temporary(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"


def _sides(condition: Compare) -> tuple[str, Any]:
    return condition.op, condition.right


def _literal(value: Any) -> Any:
    """Return a constant; a text that would be read as an expression is put together from two."""
    if not isinstance(value, str) or "${" not in value:
        return value
    first, *rest = value.split("${")
    texts = [f"{first}$", *(f"{{{each}$" for each in rest[:-1]), f"{{{rest[-1]}"]
    return f"${{{' + '.join(json.dumps(each) for each in texts)}}}"
