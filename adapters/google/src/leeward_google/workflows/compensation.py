"""What takes a saga back: a loop over what was done, the last step first."""

from __future__ import annotations

from typing import Any

from leeward.workflow.kit import COMPENSATION_FAILED, UNDO_AT_ONCE, Saga, Step, nodes
from leeward_google.workflows.calls import Calls
from leeward_google.workflows.library import Steps, assign, when
from leeward_google.workflows.values import Values
from leeward_google.workflows.variables import (
    Surroundings,
    error_of,
    name_of,
    path_of,
    variable_of,
)


def compensation(
    node: Saga, done: str, error: str, around: Surroundings, *, values: Values, calls: Calls
) -> Steps:
    """Return the steps that take a saga back, and then raise.

    Args:
        node: the saga.
        done: variable with the ids of what was done.
        error: variable with the error that left the saga.
        around: where the saga stands.
        values: of the workflow.
        calls: of the workflow.
    """
    lost = f"l_{variable_of(node.id)}"
    undos = [each for each in nodes(node.body) if isinstance(each, Step) and each.undo is not None]
    again = {f"{node.id}-failed": {"raise": f"${{{error}}}"}}
    if not undos:
        return [again]
    written = [_undo(node, each, lost, around, values=values, calls=calls) for each in undos]
    loop = _loop(node, undos, written, done, lost)
    failed = {
        **error_of(COMPENSATION_FAILED),
        "steps": f"${{{lost}}}",
        "final": f"${{{error}.final}}",
    }
    raised = [{f"{node.id}-not-undone": {"raise": failed}}]
    return [
        {f"{node.id}-undo-begin": assign(**{lost: []})},
        {f"{node.id}-undo": loop},
        {f"{node.id}-undone": when((f"len({lost}) > 0", raised))},
        again,
    ]


def _loop(
    node: Saga, undos: list[Step], calls: list[Steps], done: str, lost: str
) -> dict[str, Any]:
    """Return the loop over what was done: one after the other, or all beside each other."""
    item, index = f"i_{variable_of(node.id)}", f"n_{variable_of(node.id)}"
    last = f"${{{done}[len({done}) - 1 - {index}]}}"
    cases = [(f'{item} == "{each.id}"', steps) for each, steps in zip(undos, calls, strict=True)]
    loop: dict[str, Any] = {
        "for": {
            "value": f"w_{variable_of(node.id)}",
            "index": index,
            "in": f"${{{done}}}",
            "steps": [
                {f"{node.id}-item": assign(**{item: last})},
                {f"{node.id}-undo-which": when(*cases)},
            ],
        }
    }
    if node.undo == "parallel":
        return {"parallel": {"shared": [lost], "concurrency_limit": UNDO_AT_ONCE, **loop}}
    return loop


def _undo(
    node: Saga, step: Step, lost: str, around: Surroundings, *, values: Values, calls: Calls
) -> Steps:
    """Return the call that takes one step back; if it fails for good, the path is noted as lost.

    The payload is made again, of the variables that it was made of: nothing changes them.
    """
    undo = step.undo
    assert undo is not None
    name, number = f"{node.id}-undo-{step.id}", calls.number()
    path = path_of(step.id, around)
    before, payload = values.template(step.payload)
    told = {
        "key": f"${{prefix + {path}}}",
        "payload": payload,
        "result": f"${{{name_of(step.id)}}}",
    }
    key = f'${{prefix + {path} + "/undo"}}'
    call = calls.call(undo.function, key, told, undo.timeout, f"r_{number}")
    append = assign(**{lost: f"${{list.concat({lost}, {path})}}"})
    tried = {"try": call, **calls.retry(undo.retry)}
    tried["except"] = {"as": f"d_{number}", "steps": [{f"{name}-lost": append}]}
    return [*before, {name: tried}]
