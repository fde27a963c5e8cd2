"""What takes a saga back: a map over what was done, the last step first."""

from __future__ import annotations

from leeward.adapter.workflows import COMPENSATION_FAILED, UNDO_AT_ONCE, Saga, Step, nodes
from leeward_aws.workflows.calls import Calls
from leeward_aws.workflows.jsonata import literal, whole
from leeward_aws.workflows.variables import State, Surroundings


def compensation(node: Saga, done: str, around: Surroundings, calls: Calls) -> State:
    """Return the state that takes a saga back, and then raises its error.

    Args:
        node: the saga.
        done: variable with the list of what was done.
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
        "ItemProcessor": _machine(node, steps, calls),
        "Assign": {error[1:]: whole(after)},
        "Next": around.raising,
    }


def _machine(node: Saga, steps: list[Step], calls: Calls) -> State:
    """Return the machine for one step that is taken back; its output is a path that failed."""
    states: dict[str, State] = {}
    choices = []
    for step in steps:
        state = f"{node.id} undo {step.id}"[:80]
        states[state] = _undo(node, step, calls)
        is_it = whole(f"$states.input.id = {literal(step.id)}")
        choices.append({"Condition": is_it, "Next": state})
    first = choices[0]["Next"]
    states[f"{node.id} which"] = {"Type": "Choice", "Choices": choices, "Default": first}
    states[f"{node.id} not undone"] = {"Type": "Succeed"}
    return {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": f"{node.id} which",
        "States": states,
    }


def _undo(node: Saga, step: Step, calls: Calls) -> State:
    """Return the call that takes one step back."""
    undo = step.undo
    assert undo is not None
    payload = {
        "key": whole(calls.key("$states.input.path")),
        "payload": whole('$lookup($states.input, "payload")'),
        "result": whole('$lookup($states.input, "result")'),
    }
    path = '($states.input.path & "/undo")'
    lost = {
        "ErrorEquals": ["States.ALL"],
        "Output": whole("$states.input.path"),
        "Next": f"{node.id} not undone",
    }
    task = calls.task(undo.function, payload, path, undo.timeout, undo.retry)
    return {**task, "Output": whole("null"), "End": True, "Catch": [lost]}
