"""What takes a saga back: a map over the ids of what was done, the last step first.

The payload is made again, of the variables that it was made of: nothing changes them.
"""

from __future__ import annotations

from leeward.workflow.kit import COMPENSATION_FAILED, UNDO_AT_ONCE, Saga, Step, nodes
from leeward_aws.workflows.calls import Calls
from leeward_aws.workflows.jsonata import (
    LARGEST,
    expression_of,
    field_of,
    literal,
    size_of,
    whole,
)
from leeward_aws.workflows.variables import State, Surroundings, path_of


def compensation(node: Saga, done: str, around: Surroundings, calls: Calls) -> State:
    """Return the state that takes a saga back, and then raises its error.

    Args:
        node: the saga.
        done: variable with the ids of what was done.
        around: where it stands.
        calls: of the workflow.
    """
    error = around.own("e")
    steps = [each for each in nodes(node.body) if isinstance(each, Step) and each.undo is not None]
    if not steps:
        return {"Type": "Pass", "Next": around.raising}
    failed = "$filter($states.result, function($p) { $type($p) = 'string' })"
    after = (
        f"($c := [{failed}]; $count($c) = 0 ? {error} : "
        f'{{"name": {literal(COMPENSATION_FAILED)}, "ambiguous": false, "steps": $c, '
        f'"final": {error}.final}})'
    )
    return {
        "Type": "Map",
        "Items": whole(f"$reverse({done})"),
        "MaxConcurrency": 1 if node.undo == "reverse" else UNDO_AT_ONCE,
        "ItemProcessor": _machine(node, steps, around, calls),
        "Assign": {error[1:]: whole(after)},
        "Next": around.raising,
    }


def _machine(node: Saga, steps: list[Step], around: Surroundings, calls: Calls) -> State:
    """Return the machine for one step that is taken back; its output is a path that failed."""
    states: dict[str, State] = {}
    choices = []
    for step in steps:
        state = f"{node.id} undo {step.id}"[:80]
        states[state] = _undo(node, step, around, calls)
        is_it = whole(f"$states.input = {literal(step.id)}")
        choices.append({"Condition": is_it, "Next": state})
    first = choices[0]["Next"]
    states[f"{node.id} which"] = {"Type": "Choice", "Choices": choices, "Default": first}
    states[f"{node.id} not undone"] = {"Type": "Succeed"}
    return {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": f"{node.id} which",
        "States": states,
    }


def _undo(node: Saga, step: Step, around: Surroundings, calls: Calls) -> State:
    """Return the call that takes one step back."""
    undo = step.undo
    assert undo is not None
    path = path_of(step.id, around)
    given, result = expression_of(step.payload, around.names), around.names[step.id]
    both = f"{size_of(given)} + {size_of(result)}"
    payload = {
        "key": whole(calls.key(path)),
        "payload": field_of(step.payload, around.names),
        "result": whole(f"{both} > {LARGEST} ? null : {result}"),
    }
    lost = {
        "ErrorEquals": ["States.ALL"],
        "Output": whole(path),
        "Next": f"{node.id} not undone",
    }
    undo_path = f'{path} & "/undo"'
    task = calls.task(undo.function, payload, f"({undo_path})", undo.timeout, undo.retry)
    return {**task, "Output": whole("null"), "End": True, "Catch": [lost]}
