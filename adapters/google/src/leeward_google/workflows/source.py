"""A definition as a workflow of Google Cloud Workflows: JSON of its own syntax.

Errors are maps that are raised, so attempts and sagas are `try`. What the flow reads is a variable.
A branch shares the variables of its surroundings, by name; an element of `each` has its own, which
are born in it. Fields and comparisons are calls of subworkflows, before the step that needs them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from leeward.workflow.kernel import UNDO_AT_ONCE, repeats_ambiguous
from leeward.workflow.model import (
    ANY,
    COMPENSATION_FAILED,
    DEADLINE,
    INPUT,
    All,
    Attempt,
    Block,
    Choose,
    Compare,
    Condition,
    Definition,
    Each,
    Fail,
    Handler,
    Node,
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
    Undo,
    Wait,
    blocks_of,
    nodes,
)
from leeward.workflow.retry import Retry
from leeward_google.workflows.library import (
    COMPARE,
    ERROR,
    FIELD,
    LIBRARY,
    LIST,
    assign,
    one_of,
    step_of,
    when,
)

MOST_ASSIGNED: Final = 50
"""Assignments of one step (quotas of Workflows)."""

Steps = list[dict[str, Any]]


class Surroundings(NamedTuple):
    """What is around a node.

    Attributes:
        suffix: expression for what stands behind ids in paths.
        undo: variable with what is to be taken back; None without a saga around.
        guard: variable that tells whether the deadline counts.
    """

    suffix: str = '""'
    undo: str | None = None
    guard: str = "g"


class Source:
    """Writes one definition.

    Args:
        definition: checked.
        functions: own names of functions, or their URLs, by logical name.
    """

    def __init__(self, definition: Definition, functions: Mapping[str, str]) -> None:
        self._definition = definition
        self._functions = functions
        self._predicates: dict[tuple[str, ...], str] = {}
        self._timeouts: set[int] = set()
        self._count = 0

    def written(self) -> dict[str, Any]:
        """Return the workflow with its subworkflows."""
        definition = self._definition
        body = self._block(definition.body, Surroundings())
        begin = {
            "v_input": '${default(map.get(args, "input"), null)}',
            "prefix": f'${{"{definition.name}/" + args.run + "/"}}',
            "home": '${"https://" + sys.get_env("GOOGLE_CLOUD_LOCATION") + "-" + '
            'sys.get_env("GOOGLE_CLOUD_PROJECT_ID") + ".cloudfunctions.net/"}',
            "g": True,
            "digest": definition.digest,
            **_initial(definition.body),
        }
        if definition.timeout is not None:
            begin["deadline"] = f"${{sys.now() + {definition.timeout}}}"
        steps = [*_assigned("begin", begin), *body, {"end": {"return": None}}]
        predicates = {
            name: {"params": ["e"], "steps": [{"covers": {"return": _in("e.name", names)}}]}
            for names, name in self._predicates.items()
        }
        calls = {f"leeward_step_{each}": step_of(each) for each in sorted(self._timeouts)}
        return {"main": {"params": ["args"], "steps": steps}, **LIBRARY, **calls, **predicates}

    def _block(self, block: Block, around: Surroundings) -> Steps:
        return [step for node in block for step in self._node(node, around)]

    def _node(self, node: Node, around: Surroundings) -> Steps:
        match node:
            case Step():
                return self._step(node, around)
            case Attempt():
                return self._attempt(node, around)
            case Saga():
                return self._saga(node, around)
            case Parallel():
                return self._parallel(node, around)
            case Each():
                return self._each(node, around)
            case Choose():
                return self._choose(node, around)
            case Wait():
                return self._wait(node, around)
            case Stop():
                before, value = self._template(node.result)
                return [*before, {node.id: {"return": value}}]
            case Fail():
                return [{node.id: {"raise": _error(node.error)}}]

    def _step(self, step: Step, around: Surroundings) -> Steps:
        before, payload = self._template(step.payload)
        path = _path(step.id, around)
        given, key = f"p_{_variable(step.id)}", f"k_{_variable(step.id)}"
        name = _name(step.id)
        call = self._call(step.function, f"${{{key}}}", f"${{{given}}}", step.timeout, name)
        tried: dict[str, Any] = {"try": call, **self._retry(step.retry)}
        after: Steps = []
        if step.undo is not None and around.undo is not None:
            entry = {"id": step.id, "path": f"${{{path}}}", "payload": f"${{{given}}}"}
            keep = _kept(around.undo, {**entry, "result": None})
            caught, maybe = f"c_{_variable(step.id)}", keep
            if not repeats_ambiguous(step.retry):
                maybe = [{f"{step.id}-maybe": when((f"{caught}.ambiguous", keep))}]
            steps = [*maybe, {f"{step.id}-failed": {"raise": f"${{{caught}}}"}}]
            tried["except"] = {"as": caught, "steps": steps}
            after = _kept(around.undo, {**entry, "result": f"${{{name}}}"})
        return [
            *before,
            *self._in_time(step.id, around),
            {f"{step.id}-given": assign(**{given: payload, key: f"${{prefix + {path}}}"})},
            {step.id: tried if len(tried) > 1 else call},
            *after,
        ]

    def _call(self, function: str, key: str, payload: str, timeout: int, result: str) -> Any:
        own = self._functions.get(function, function)
        url = own if own.startswith("https://") else f"${{home + {json.dumps(own)}}}"
        self._timeouts.add(timeout)
        args = {"url": url, "key": key, "payload": payload}
        return {"call": f"leeward_step_{timeout}", "args": args, "result": result}

    def _retry(self, retry: Retry) -> dict[str, Any]:
        if retry.attempts == 1 or not retry.on:
            return {}
        names = (ANY,) if ANY in retry.on else retry.on
        predicate = self._predicates.setdefault(names, f"leeward_retry_{len(self._predicates)}")
        cap = max(retry.cap, 1)
        backoff = {"initial_delay": min(retry.first, cap), "max_delay": cap}
        return {
            "retry": {
                "predicate": f"${{{predicate}}}",
                "max_retries": retry.attempts - 1,
                "backoff": {**backoff, "multiplier": retry.factor},
            }
        }

    def _in_time(self, id: str, around: Surroundings) -> Steps:
        if self._definition.timeout is None:
            return []
        late = f"{around.guard} and sys.now() >= deadline"
        raised = {f"{id}-is-late": {"raise": {**_error(DEADLINE), "final": True}}}
        return [{f"{id}-in-time": when((late, [raised]))}]

    def _attempt(self, node: Attempt, around: Surroundings) -> Steps:
        caught, error = f"c_{_variable(node.id)}", f"x_{_variable(node.id)}"
        cases = [
            (_taken(handler, error), self._handler(node, number, handler, error, around))
            for number, handler in enumerate(node.handlers)
        ]
        cases.append(("true", [{f"{node.id}-again": {"raise": f"${{{error}}}"}}]))
        steps = [_normal(node.id, caught, error), {f"{node.id}-which": when(*cases)}]
        body = self._block(node.body, around)
        return [{node.id: {"try": {"steps": body}, "except": {"as": caught, "steps": steps}}}]

    def _handler(
        self, node: Attempt, number: int, handler: Handler, error: str, around: Surroundings
    ) -> Steps:
        id = f"{node.id}-on-{number}"
        told = {"name": f"${{{error}.name}}", "steps": f"${{{error}.steps}}"}
        steps: Steps = [{id: assign(**{_name(node.id): told})}]
        if self._definition.timeout is None:
            return [*steps, *self._block(handler.body, around)]
        off = [{f"{id}-unguarded": assign(**{around.guard: False})}]
        again = [{f"{id}-again": {"raise": f"${{{error}}}"}}]
        return [
            *steps,
            {f"{id}-final": when((f"{error}.final", off))},
            *self._block(handler.body, around),
            {f"{id}-done": when((f"{error}.final", again))},
        ]

    def _saga(self, node: Saga, around: Surroundings) -> Steps:
        done, caught = f"u_{_variable(node.id)}", f"c_{_variable(node.id)}"
        error = f"x_{_variable(node.id)}"
        body = self._block(node.body, around._replace(undo=done))
        undo = [_normal(node.id, caught, error), *self._compensation(node, done, error)]
        steps: Steps = [
            {f"{node.id}-begin": assign(**{done: []})},
            {node.id: {"try": {"steps": body or _nothing(node.id)}}},
        ]
        steps[1][node.id]["except"] = {"as": caught, "steps": undo}
        if around.undo is not None:
            steps += _joined(f"{node.id}-done", around.undo, done)
        return steps

    def _compensation(self, node: Saga, done: str, error: str) -> Steps:
        """Take back what was done, the last step first; then raise."""
        lost = f"l_{_variable(node.id)}"
        undos = [
            (each.id, each.undo)
            for each in nodes(node.body)
            if isinstance(each, Step) and each.undo is not None
        ]
        again = {f"{node.id}-failed": {"raise": f"${{{error}}}"}}
        if not undos:
            return [again]
        item, index = f"i_{_variable(node.id)}", f"n_{_variable(node.id)}"
        last = f"${{{done}[len({done}) - 1 - {index}]}}"
        cases = [
            (f'{item}.id == "{id}"', self._undo(node, id, undo, item, lost)) for id, undo in undos
        ]
        loop: dict[str, Any] = {
            "for": {
                "value": f"w_{_variable(node.id)}",
                "index": index,
                "in": f"${{{done}}}",
                "steps": [
                    {f"{node.id}-item": assign(**{item: last})},
                    {f"{node.id}-undo-which": when(*cases)},
                ],
            }
        }
        if node.undo == "parallel":
            loop = {"parallel": {"shared": [lost], "concurrency_limit": UNDO_AT_ONCE, **loop}}
        failed = {
            **_error(COMPENSATION_FAILED),
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

    def _undo(self, node: Saga, id: str, undo: Undo, item: str, lost: str) -> Steps:
        self._count += 1
        payload, key = f"o_{self._count}", f'${{prefix + {item}.path + "/undo"}}'
        told = {
            "key": f"${{prefix + {item}.path}}",
            "payload": f"${{{item}.payload}}",
            "result": f"${{{item}.result}}",
        }
        result = f"r_{self._count}"
        call = self._call(undo.function, key, f"${{{payload}}}", undo.timeout, result)
        append = assign(**{lost: f"${{list.concat({lost}, {item}.path)}}"})
        tried = {"try": call, **self._retry(undo.retry)}
        tried["except"] = {"as": f"d_{self._count}", "steps": [{f"{id}-lost": append}]}
        name = f"{node.id}-undo-{id}"
        return [{f"{name}-given": assign(**{payload: told})}, {name: tried}]

    def _parallel(self, node: Parallel, around: Surroundings) -> Steps:
        shared: set[str] = set()
        branches, after, raised = [], [], []
        for branch in node.branches:
            id = _variable(branch.id)
            error, done, guard = f"q_{id}", f"b_{id}", f"g_{id}"
            inner = around._replace(
                undo=None if around.undo is None else done,
                guard=guard if self._definition.timeout is not None else around.guard,
            )
            shared |= {*_initial(branch.body), error, done, guard}
            caught = f"c_{id}"
            steps = [_normal(branch.id, caught, error)]
            begin = assign(**{error: None, done: [], guard: f"${{{around.guard}}}"})
            tried = {
                "try": {"steps": self._block(branch.body, inner) or _nothing(branch.id)},
                "except": {"as": caught, "steps": steps},
            }
            branches.append(
                {branch.id: {"steps": [{f"{branch.id}-begin": begin}, {f"{branch.id}-do": tried}]}}
            )
            if around.undo is not None:
                after += _joined(f"{branch.id}-done", around.undo, done)
            raised.append(
                (f"{error} != null", [{f"{branch.id}-raise": {"raise": f"${{{error}}}"}}])
            )
        parallel = {"shared": sorted(shared), "branches": branches}
        return [
            {node.id: {"parallel": parallel}},
            *after,
            {f"{node.id}-ended": when(*raised)},
        ]

    def _each(self, node: Each, around: Surroundings) -> Steps:
        id = _variable(node.id)
        before, items = self._template(node.items)
        listed, failed, found, index = f"a_{id}", f"f_{id}", f"q_{id}", f"n_{id}"
        inner = Surroundings(f"s_{id}", None, f"g_{id}")
        begin = {
            f"s_{id}": f'${{{around.suffix} + "/" + string({index})}}',
            f"g_{id}": f"${{{around.guard}}}",
            **_initial(node.body),
        }
        caught = f"c_{id}"
        note = {"index": f"${{{index}}}", "error": f"${{m_{id}}}"}
        steps = [
            _normal(node.id, caught, f"m_{id}"),
            {f"{node.id}-note": assign(**{f"o_{id}": note})},
            {f"{node.id}-keep": assign(**{failed: f"${{list.concat({failed}, o_{id})}}"})},
        ]
        body = self._block(node.body, inner) or _nothing(node.id)
        tried = {"try": {"steps": body}, "except": {"as": caught, "steps": steps}}
        loop = {
            "value": _name(node.id),
            "index": index,
            "in": f"${{{listed}}}",
            "steps": [*_assigned(f"{node.id}-element", begin), {f"{node.id}-do": tried}],
        }
        keep = [{f"{node.id}-earlier": assign(**{found: f"${{e_{id}}}"})}]
        earlier = f"e_{id}.index < {found}.index"
        look = {
            "value": f"e_{id}",
            "in": f"${{{failed}}}",
            "steps": [{f"{node.id}-first": when((f"{found} == null", keep), (earlier, keep))}],
        }
        raised = [{f"{node.id}-raise": {"raise": f"${{{found}.error}}"}}]
        given = {"call": LIST, "args": {"value": items}, "result": listed}
        return [
            *before,
            {f"{node.id}-list": given},
            {f"{node.id}-begin": assign(**{failed: [], found: None})},
            {
                node.id: {
                    "parallel": {
                        "shared": [failed],
                        "concurrency_limit": node.at_once,
                        "for": loop,
                    }
                }
            },
            {f"{node.id}-errors": {"for": look}},
            {f"{node.id}-ended": when((f"{found} != null", raised))},
        ]

    def _choose(self, node: Choose, around: Surroundings) -> Steps:
        before: Steps = []
        cases = []
        for case in node.cases:
            steps, told = self._condition(case.when)
            before += steps
            cases.append((told, self._block(case.body, around) or _nothing(node.id)))
        cases.append(("true", self._block(node.otherwise, around) or _nothing(node.id)))
        return [*before, {node.id: when(*cases)}]

    def _wait(self, node: Wait, around: Surroundings) -> Steps:
        seconds: Any = node.seconds
        if self._definition.timeout is not None:
            left = f"s_{_variable(node.id)}"
            less = f"{around.guard} and deadline - sys.now() < {node.seconds}"
            short = [{f"{node.id}-short": assign(**{left: "${deadline - sys.now()}"})}]
            seconds = f"${{{left}}}"
            return [
                *self._in_time(node.id, around),
                {f"{node.id}-whole": assign(**{left: node.seconds})},
                {f"{node.id}-left": when((less, short))},
                {node.id: {"call": "sys.sleep", "args": {"seconds": seconds}}},
                *self._in_time(f"{node.id}-end", around),
            ]
        return [{node.id: {"call": "sys.sleep", "args": {"seconds": seconds}}}]

    def _template(self, template: Template) -> tuple[Steps, Any]:
        """Return the steps that look up what a template reads, and the template of them."""
        if isinstance(template, Reference):
            return self._read(template)
        if isinstance(template, Mapping):
            parts = {name: self._template(each) for name, each in template.items()}
            before = [step for steps, _ in parts.values() for step in steps]
            return before, {name: value for name, (_, value) in parts.items()}
        if isinstance(template, tuple):
            found = [self._template(each) for each in template]
            return [step for steps, _ in found for step in steps], [value for _, value in found]
        return [], _literal(template)

    def _read(self, reference: Reference) -> tuple[Steps, str]:
        name = _name(reference.name) if reference.name != INPUT else "v_input"
        if not reference.path:
            return [], f"${{{name}}}"
        found = self._temporary("t")
        args = {"value": f"${{{name}}}", "path": list(reference.path)}
        return [{f"read-{found}": {"call": FIELD, "args": args, "result": found}}], f"${{{found}}}"

    def _condition(self, condition: Condition) -> tuple[Steps, str]:
        if isinstance(condition, Not):
            before, told = self._condition(condition.inner)
            return before, f"(not {told})"
        if isinstance(condition, All | Some):
            parts = [self._condition(each) for each in condition.inner]
            joint = " and " if isinstance(condition, All) else " or "
            steps = [step for before, _ in parts for step in before]
            return steps, f"({joint.join(told for _, told in parts)})"
        if isinstance(condition, OneOf):
            same = [Compare(condition.left, "==", each) for each in condition.values]
            return self._condition(Some(tuple(same))) if same else ([], "false")
        before, left = self._read(condition.left)
        op, right = ("!=", None) if isinstance(condition, Present) else _sides(condition)
        then, told_right = self._template(right)
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


def _taken(handler: Handler, error: str) -> str:
    return "true" if ANY in handler.errors else _in(f"{error}.name", handler.errors)[2:-1]


def _in(value: str, names: tuple[str, ...]) -> str:
    return "${true}" if ANY in names else f"${{{one_of(value, names)}}}"


def _normal(id: str, caught: str, error: str) -> dict[str, Any]:
    """Return the step that makes of whatever was caught what a flow means by it."""
    return {f"{id}-caught": {"call": ERROR, "args": {"e": f"${{{caught}}}"}, "result": error}}


def _error(name: str) -> dict[str, Any]:
    return {"name": name, "ambiguous": False, "steps": [], "final": False}


def _kept(undo: str, entry: dict[str, Any]) -> Steps:
    item = f"y_{undo}"
    id = f"{entry['id']}-{'maybe-' if entry['result'] is None else ''}kept"
    step = {"assign": [{item: entry}, {undo: f"${{list.concat({undo}, {item})}}"}]}
    return [{id: step}]


def _joined(id: str, outer: str, inner: str) -> Steps:
    """Return the step that adds what one list has to another."""
    item = f"j_{inner}"
    add = assign(**{outer: f"${{list.concat({outer}, {item})}}"})
    loop = {"value": item, "in": f"${{{inner}}}", "steps": [{f"{id}-add": add}]}
    return [{id: {"for": loop}}]


def _nothing(id: str) -> Steps:
    return [{f"{id}-nothing": assign(nothing=None)}]


def _path(id: str, around: Surroundings) -> str:
    return json.dumps(id) if around.suffix == '""' else f"{json.dumps(id)} + {around.suffix}"


def _variable(id: str) -> str:
    return id.replace("-", "_")


def _name(id: str) -> str:
    return f"v_{_variable(id)}"


def _initial(block: Block) -> dict[str, Any]:
    """Return the variables of a block that outlive its parts, as they are at the start."""
    found: dict[str, Any] = {}
    for node in block:
        id = _variable(node.id)
        if isinstance(node, Step | Attempt):
            found[f"v_{id}"] = None
        if isinstance(node, Attempt | Saga):
            found[f"x_{id}"] = None
        if isinstance(node, Saga):
            found[f"u_{id}"] = []
        if isinstance(node, Parallel):
            for branch in node.branches:
                name = _variable(branch.id)
                found |= {f"q_{name}": None, f"b_{name}": [], f"g_{name}": True}
        if not isinstance(node, Each):
            for inner in blocks_of(node):
                found |= _initial(inner)
    return found


def _assigned(id: str, values: dict[str, Any]) -> Steps:
    """Return assignments, in as many steps as are needed."""
    items = list(values.items())
    return [
        {f"{id}-{start}": assign(**dict(items[start : start + MOST_ASSIGNED]))}
        for start in range(0, len(items), MOST_ASSIGNED)
    ]
