"""What a workflow's source calls things, and small steps of it."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from leeward.adapter.workflows import (
    ANY,
    AttemptNode,
    Block,
    Each,
    ErrorHandler,
    Parallel,
    Saga,
    Step,
    Stop,
    blocks_of,
    nodes,
)
from leeward_deploy.google.flows.library import ERROR, Steps, assign, one_of

MOST_ASSIGNED: Final = 50
"""Assignments of one step (quotas of Workflows)."""


class Surroundings(NamedTuple):
    """What is around a node.

    Attributes:
        suffix: expression for what stands behind ids in paths.
        undo: variable with what is to be taken back; None without a saga around.
        guard: variable that tells whether the deadline counts.
        errors: variables with the errors of the handlers around, the outermost first, where errors
            may be final.
    """

    suffix: str = '""'
    undo: str | None = None
    guard: str = "g"
    errors: tuple[str, ...] = ()


def is_taken(handler: ErrorHandler, error: str) -> str:
    """Return an expression: whether a handler takes an error."""
    return "true" if ANY in handler.errors else is_one_of(f"{error}.name", handler.errors)[2:-1]


def is_one_of(value: str, names: tuple[str, ...]) -> str:
    """Return an expression: whether a name is one of a few."""
    return "${true}" if ANY in names else f"${{{one_of(value, names)}}}"


def normal(id: str, caught: str, error: str) -> dict[str, Any]:
    """Return the step that makes of whatever was caught what a flow means by it."""
    return {
        f"{id}-caught": {
            "call": ERROR,
            "args": {"e": f"${{{caught}}}", "marks": False},
            "result": error,
        }
    }


def error_of(name: str) -> dict[str, Any]:
    """Return an error as a map."""
    return {"name": name, "ambiguous": False, "steps": [], "final": False}


def ends_handler(error: str) -> str:
    """Return an expression: whether an error stands for a `stop` that ends its handler only."""
    return f'"stop" in {error}'


def may_stop(block: Block, around: Surroundings) -> bool:
    """Return whether a `stop` in a block may have to end a handler around the block only."""
    return bool(around.errors) and any(isinstance(node, Stop) for node in nodes(block))


def kept(undo: str, id: str, when: str) -> Steps:
    """Return the step that keeps the id of what is to be taken back."""
    return [{f"{id}-{when}": assign(**{undo: f"${{list.concat({undo}, {json.dumps(id)})}}"})}]


def joined(id: str, outer: str, inner: str) -> Steps:
    """Return the step that adds what one list has to another."""
    item = f"j_{inner}"
    add = assign(**{outer: f"${{list.concat({outer}, {item})}}"})
    loop = {"value": item, "in": f"${{{inner}}}", "steps": [{f"{id}-add": add}]}
    return [{id: {"for": loop}}]


def nothing(id: str) -> Steps:
    """Return a step that does nothing, where there must be one."""
    return [{f"{id}-nothing": assign(nothing=None)}]


def path_of(id: str, around: Surroundings) -> str:
    """Return an expression for the path of a node."""
    return json.dumps(id) if around.suffix == '""' else f"{json.dumps(id)} + {around.suffix}"


def variable_of(id: str) -> str:
    """Return what a variable may be called that belongs to a node."""
    return id.replace("-", "_")


def name_of(id: str) -> str:
    """Return the variable that is readable under an id."""
    return f"v_{variable_of(id)}"


def initial_of(block: Block) -> dict[str, Any]:
    """Return the variables of a block that outlive its parts, as they are at the start."""
    found: dict[str, Any] = {}
    for node in block:
        id = variable_of(node.id)
        if isinstance(node, Step | AttemptNode):
            found[f"v_{id}"] = None
        if isinstance(node, AttemptNode | Saga):
            found[f"x_{id}"] = None
        if isinstance(node, Saga):
            found[f"u_{id}"] = []
        if isinstance(node, Parallel):
            for branch in node.branches:
                name = variable_of(branch.id)
                found |= {f"q_{name}": None, f"b_{name}": [], f"g_{name}": True}
        if not isinstance(node, Each):
            for inner in blocks_of(node):
                found |= initial_of(inner)
    return found


def assigned(id: str, values: dict[str, Any]) -> Steps:
    """Return assignments, in as many steps as are needed."""
    items = list(values.items())
    return [
        {f"{id}-{start}": assign(**dict(items[start : start + MOST_ASSIGNED]))}
        for start in range(0, len(items), MOST_ASSIGNED)
    ]
