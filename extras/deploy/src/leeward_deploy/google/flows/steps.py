"""The steps of a workflow's source: what it calls things, values, calls, what takes a saga back.

Fields and comparisons are calls of subworkflows; so are functions, by one for each timeout, and
errors that are tried again, by one for each set of names. A saga is taken back by a loop over what
was done, the last step first.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from leeward.workflow.kernel import UNDO_AT_ONCE
from leeward.workflow.model import (
    ANY,
    COMPENSATION_FAILED,
    INPUT,
    All,
    AttemptNode,
    Block,
    Compare,
    Condition,
    Each,
    ErrorHandler,
    Not,
    OneOf,
    Parallel,
    Present,
    Reference,
    Saga,
    Some,
    Step,
    Stop,
    Template,
    blocks_of,
    nodes,
)
from leeward.workflow.retry import Retry
from leeward_deploy.google.flows.library import (
    COMPARE,
    ERROR,
    FIELD,
    Steps,
    assign,
    one_of,
    step_of,
    when,
)
from leeward_deploy.google.flows.questions import attempts_of, questions_of

MOST_ASSIGNED: Final = 50
"""Assignments of one step (quotas of Workflows)."""


class StepScope(NamedTuple):
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


def may_stop(block: Block, around: StepScope) -> bool:
    """Return whether a `stop` in a block may have to end a handler around the block only."""
    return bool(around.errors) and any(isinstance(node, Stop) for node in nodes(block))


def keep_id(undo: str, id: str, when: str) -> Steps:
    """Return the step that keeps the id of what is to be taken back."""
    return [{f"{id}-{when}": assign(**{undo: f"${{list.concat({undo}, {json.dumps(id)})}}"})}]


def join_lists(id: str, outer: str, inner: str) -> Steps:
    """Return the step that adds what one list has to another."""
    item = f"j_{inner}"
    add = assign(**{outer: f"${{list.concat({outer}, {item})}}"})
    loop = {"value": item, "in": f"${{{inner}}}", "steps": [{f"{id}-add": add}]}
    return [{id: {"for": loop}}]


def nothing(id: str) -> Steps:
    """Return a step that does nothing, where there must be one."""
    return [{f"{id}-nothing": assign(nothing=None)}]


def path_of(id: str, around: StepScope) -> str:
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


def assign_all(id: str, values: dict[str, Any]) -> Steps:
    """Return assignments, in as many steps as are needed."""
    items = list(values.items())
    return [
        {f"{id}-{start}": assign(**dict(items[start : start + MOST_ASSIGNED]))}
        for start in range(0, len(items), MOST_ASSIGNED)
    ]


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
        op, right = (
            ("!=", None) if isinstance(condition, Present) else (condition.op, condition.right)
        )
        then, told_right = self.template(right)
        found = self._temporary("h")
        args = {"left": left, "op": op, "right": told_right}
        call = {f"compare-{found}": {"call": COMPARE, "args": args, "result": found}}
        return [*before, *then, call], found

    def _temporary(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"


def _literal(value: Any) -> Any:
    """Return a constant; a text that would be read as an expression is put together from two."""
    if not isinstance(value, str) or "${" not in value:
        return value
    first, *rest = value.split("${")
    texts = [f"{first}$", *(f"{{{each}$" for each in rest[:-1]), f"{{{rest[-1]}"]
    return f"${{{' + '.join(json.dumps(text) for text in texts)}}}"


class FunctionCalls:
    """Writes the calls of one workflow.

    Args:
        functions: own names of functions, or their URLs, by logical name.
        marks: logical names of functions that are known to mark their answers.
    """

    def __init__(self, functions: Mapping[str, str], marks: Collection[str]) -> None:
        self._functions = functions
        self._marks = marks
        self._predicates: dict[tuple[str, ...], str] = {}
        self._timeouts: set[int] = set()
        self._settled: dict[tuple[int, Retry], str] = {}
        self._count = 0

    def number(self) -> int:
        """Return a number that no other call has, for variables of its own."""
        self._count += 1
        return self._count

    def call(self, function: str, key: str, payload: Any, timeout: int, result: str) -> Any:
        """Return a call of a function.

        Args:
            function: its logical name.
            key: expression for the idempotency key.
            payload: with expressions in it.
            timeout: seconds of an attempt.
            result: variable for what it returns.
        """
        self._timeouts.add(timeout)
        args = self._args(function, key, payload)
        return {"call": f"leeward_step_{timeout}", "args": args, "result": result}

    def _args(self, function: str, key: str, payload: Any) -> dict[str, Any]:
        own = self._functions.get(function, function)
        url = own if own.startswith("https://") else f"${{home + {json.dumps(own)}}}"
        return {"url": url, "key": key, "payload": payload, "marks": function in self._marks}

    def settled_call(self, step: Step, key: str, payload: Any, result: str) -> Any:
        """Return the call of a step's function, with its attempts and what asks about them."""
        self._predicate(step.retry)
        place = (step.timeout, step.retry)
        name = self._settled.setdefault(place, f"leeward_settled_{len(self._settled)}")
        return {"call": name, "args": self._args(step.function, key, payload), "result": result}

    def _predicate(self, retry: Retry) -> str | None:
        """Return the subworkflow that says whether an error is tried again; None for none."""
        if retry.attempts == 1 or not retry.on:
            return None
        names = (ANY,) if ANY in retry.on else retry.on
        return self._predicates.setdefault(names, f"leeward_retry_{len(self._predicates)}")

    def retry(self, retry: Retry) -> dict[str, Any]:
        """Return what stands beside a `try`: which failures are tried again, and when."""
        predicate = self._predicate(retry)
        if predicate is None:
            return {}
        cap = max(retry.cap, 1)
        backoff = {"initial_delay": min(retry.first, cap), "max_delay": cap}
        return {
            "retry": {
                "predicate": f"${{{predicate}}}",
                "max_retries": retry.attempts - 1,
                "backoff": {**backoff, "multiplier": retry.factor},
            }
        }

    def subworkflows(self) -> dict[str, Any]:
        """Return the subworkflows that the calls so far need."""
        predicates = {
            name: {"params": ["e"], "steps": [{"covers": {"return": is_one_of("e.name", names)}}]}
            for names, name in self._predicates.items()
        }
        calls = {f"leeward_step_{timeout}": step_of(timeout) for timeout in sorted(self._timeouts)}
        attempts = {
            name: attempts_of(timeout, retry, self._predicate(retry))
            for (timeout, retry), name in self._settled.items()
        }
        questions = {
            f"leeward_settle_{timeout}": questions_of(timeout)
            for timeout in sorted({timeout for timeout, _ in self._settled})
        }
        return {**calls, **attempts, **questions, **predicates}


def compensation(
    node: Saga, done: str, error: str, around: StepScope, *, values: Values, calls: FunctionCalls
) -> Steps:
    """Return the steps that take a saga back, and then raise."""
    lost = f"l_{variable_of(node.id)}"
    undos = [each for each in nodes(node.body) if isinstance(each, Step) and each.undo is not None]
    again = {f"{node.id}-failed": {"raise": f"${{{error}}}"}}
    if not undos:
        return [again]
    written = [_undo(node, undo, lost, around, values=values, calls=calls) for undo in undos]
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
    node: Saga, step: Step, lost: str, around: StepScope, *, values: Values, calls: FunctionCalls
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
