"""What takes a saga back: a loop over what was done, the last step first."""

from __future__ import annotations

from typing import Any

from leeward.adapter.workflows import COMPENSATION_FAILED, UNDO_AT_ONCE, Saga, Step, Undo, nodes
from leeward_google.workflows.calls import Calls
from leeward_google.workflows.library import Steps, assign, when
from leeward_google.workflows.variables import error_of, variable_of


def compensation(node: Saga, done: str, error: str, calls: Calls) -> Steps:
    """Return the steps that take a saga back, and then raise.

    Args:
        node: the saga.
        done: variable with the list of what was done.
        error: variable with the error that left the saga.
        calls: of the workflow.
    """
    lost = f"l_{variable_of(node.id)}"
    undos = [
        (each.id, each.undo)
        for each in nodes(node.body)
        if isinstance(each, Step) and each.undo is not None
    ]
    again = {f"{node.id}-failed": {"raise": f"${{{error}}}"}}
    if not undos:
        return [again]
    loop = _loop(node, undos, done, lost, calls)
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
    node: Saga, undos: list[tuple[str, Undo]], done: str, lost: str, calls: Calls
) -> dict[str, Any]:
    """Return the loop over what was done: one after the other, or all beside each other."""
    item, index = f"i_{variable_of(node.id)}", f"n_{variable_of(node.id)}"
    last = f"${{{done}[len({done}) - 1 - {index}]}}"
    cases = [
        (f'{item}.id == "{id}"', _undo(f"{node.id}-undo-{id}", undo, item, lost, calls))
        for id, undo in undos
    ]
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


def _undo(name: str, undo: Undo, item: str, lost: str, calls: Calls) -> Steps:
    """Return the call that takes one step back; if it fails for good, the path is noted as lost."""
    number = calls.number()
    payload, key = f"o_{number}", f'${{prefix + {item}.path + "/undo"}}'
    told = {
        "key": f"${{prefix + {item}.path}}",
        "payload": f"${{{item}.payload}}",
        "result": f"${{{item}.result}}",
    }
    call = calls.call(undo.function, key, f"${{{payload}}}", undo.timeout, f"r_{number}")
    append = assign(**{lost: f"${{list.concat({lost}, {item}.path)}}"})
    tried = {"try": call, **calls.retry(undo.retry)}
    tried["except"] = {"as": f"d_{number}", "steps": [{f"{name}-lost": append}]}
    return [{f"{name}-given": assign(**{payload: told})}, {name: tried}]
