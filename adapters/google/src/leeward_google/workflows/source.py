"""A definition as a workflow of Google Cloud Workflows: JSON of its own syntax.

Errors are maps that are raised, so attempts and sagas are `try`. What the flow reads is a variable.
A branch shares the variables of its surroundings, by name; an element of `each` has its own, which
are born in it. Fields and comparisons are calls of subworkflows, before the step that needs them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from leeward.workflow.kit import (
    ANY,
    COMPENSATION_FAILED,
    DEADLINE,
    UNDO_AT_ONCE,
    Attempt,
    Block,
    Choose,
    Definition,
    Each,
    Fail,
    Handler,
    Node,
    Parallel,
    Retry,
    Saga,
    Step,
    Stop,
    Undo,
    Wait,
    nodes,
    repeats_ambiguous,
)
from leeward_google.workflows.library import LIBRARY, LIST, Steps, assign, step_of, when
from leeward_google.workflows.values import Values
from leeward_google.workflows.variables import (
    Surroundings,
    assigned,
    error_of,
    initial_of,
    is_one_of,
    is_taken,
    joined,
    kept,
    name_of,
    normal,
    nothing,
    path_of,
    variable_of,
)


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
        self._values = Values()

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
            **initial_of(definition.body),
        }
        if definition.timeout is not None:
            begin["deadline"] = f"${{sys.now() + {definition.timeout}}}"
        steps = [*assigned("begin", begin), *body, {"end": {"return": None}}]
        predicates = {
            name: {"params": ["e"], "steps": [{"covers": {"return": is_one_of("e.name", names)}}]}
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
                before, value = self._values.template(node.result)
                return [*before, {node.id: {"return": value}}]
            case Fail():
                return [{node.id: {"raise": error_of(node.error)}}]

    def _step(self, step: Step, around: Surroundings) -> Steps:
        before, payload = self._values.template(step.payload)
        path = path_of(step.id, around)
        given, key = f"p_{variable_of(step.id)}", f"k_{variable_of(step.id)}"
        name = name_of(step.id)
        call = self._call(step.function, f"${{{key}}}", f"${{{given}}}", step.timeout, name)
        tried: dict[str, Any] = {"try": call, **self._retry(step.retry)}
        after: Steps = []
        if step.undo is not None and around.undo is not None:
            entry = {"id": step.id, "path": f"${{{path}}}", "payload": f"${{{given}}}"}
            keep = kept(around.undo, {**entry, "result": None})
            caught, maybe = f"c_{variable_of(step.id)}", keep
            if not repeats_ambiguous(step.retry):
                maybe = [{f"{step.id}-maybe": when((f"{caught}.ambiguous", keep))}]
            steps = [*maybe, {f"{step.id}-failed": {"raise": f"${{{caught}}}"}}]
            tried["except"] = {"as": caught, "steps": steps}
            after = kept(around.undo, {**entry, "result": f"${{{name}}}"})
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
        raised = {f"{id}-is-late": {"raise": {**error_of(DEADLINE), "final": True}}}
        return [{f"{id}-in-time": when((late, [raised]))}]

    def _attempt(self, node: Attempt, around: Surroundings) -> Steps:
        caught, error = f"c_{variable_of(node.id)}", f"x_{variable_of(node.id)}"
        cases = [
            (is_taken(handler, error), self._handler(node, number, handler, error, around))
            for number, handler in enumerate(node.handlers)
        ]
        cases.append(("true", [{f"{node.id}-again": {"raise": f"${{{error}}}"}}]))
        steps = [normal(node.id, caught, error), {f"{node.id}-which": when(*cases)}]
        body = self._block(node.body, around)
        return [{node.id: {"try": {"steps": body}, "except": {"as": caught, "steps": steps}}}]

    def _handler(
        self, node: Attempt, number: int, handler: Handler, error: str, around: Surroundings
    ) -> Steps:
        id = f"{node.id}-on-{number}"
        told = {"name": f"${{{error}.name}}", "steps": f"${{{error}.steps}}"}
        steps: Steps = [{id: assign(**{name_of(node.id): told})}]
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
        done, caught = f"u_{variable_of(node.id)}", f"c_{variable_of(node.id)}"
        error = f"x_{variable_of(node.id)}"
        body = self._block(node.body, around._replace(undo=done))
        undo = [normal(node.id, caught, error), *self._compensation(node, done, error)]
        steps: Steps = [
            {f"{node.id}-begin": assign(**{done: []})},
            {node.id: {"try": {"steps": body or nothing(node.id)}}},
        ]
        steps[1][node.id]["except"] = {"as": caught, "steps": undo}
        if around.undo is not None:
            steps += joined(f"{node.id}-done", around.undo, done)
        return steps

    def _compensation(self, node: Saga, done: str, error: str) -> Steps:
        """Take back what was done, the last step first; then raise."""
        lost = f"l_{variable_of(node.id)}"
        undos = [
            (each.id, each.undo)
            for each in nodes(node.body)
            if isinstance(each, Step) and each.undo is not None
        ]
        again = {f"{node.id}-failed": {"raise": f"${{{error}}}"}}
        if not undos:
            return [again]
        item, index = f"i_{variable_of(node.id)}", f"n_{variable_of(node.id)}"
        last = f"${{{done}[len({done}) - 1 - {index}]}}"
        cases = [
            (f'{item}.id == "{id}"', self._undo(node, id, undo, item, lost)) for id, undo in undos
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
            loop = {"parallel": {"shared": [lost], "concurrency_limit": UNDO_AT_ONCE, **loop}}
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
            id = variable_of(branch.id)
            error, done, guard = f"q_{id}", f"b_{id}", f"g_{id}"
            inner = around._replace(
                undo=None if around.undo is None else done,
                guard=guard if self._definition.timeout is not None else around.guard,
            )
            shared |= {*initial_of(branch.body), error, done, guard}
            caught = f"c_{id}"
            steps = [normal(branch.id, caught, error)]
            begin = assign(**{error: None, done: [], guard: f"${{{around.guard}}}"})
            tried = {
                "try": {"steps": self._block(branch.body, inner) or nothing(branch.id)},
                "except": {"as": caught, "steps": steps},
            }
            branches.append(
                {branch.id: {"steps": [{f"{branch.id}-begin": begin}, {f"{branch.id}-do": tried}]}}
            )
            if around.undo is not None:
                after += joined(f"{branch.id}-done", around.undo, done)
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
        id = variable_of(node.id)
        before, items = self._values.template(node.items)
        listed, failed, found, index = f"a_{id}", f"f_{id}", f"q_{id}", f"n_{id}"
        inner = Surroundings(f"s_{id}", None, f"g_{id}")
        begin = {
            f"s_{id}": f'${{{around.suffix} + "/" + string({index})}}',
            f"g_{id}": f"${{{around.guard}}}",
            **initial_of(node.body),
        }
        caught = f"c_{id}"
        note = {"index": f"${{{index}}}", "error": f"${{m_{id}}}"}
        steps = [
            normal(node.id, caught, f"m_{id}"),
            {f"{node.id}-note": assign(**{f"o_{id}": note})},
            {f"{node.id}-keep": assign(**{failed: f"${{list.concat({failed}, o_{id})}}"})},
        ]
        body = self._block(node.body, inner) or nothing(node.id)
        tried = {"try": {"steps": body}, "except": {"as": caught, "steps": steps}}
        loop = {
            "value": name_of(node.id),
            "index": index,
            "in": f"${{{listed}}}",
            "steps": [*assigned(f"{node.id}-element", begin), {f"{node.id}-do": tried}],
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
            steps, told = self._values.condition(case.when)
            before += steps
            cases.append((told, self._block(case.body, around) or nothing(node.id)))
        cases.append(("true", self._block(node.otherwise, around) or nothing(node.id)))
        return [*before, {node.id: when(*cases)}]

    def _wait(self, node: Wait, around: Surroundings) -> Steps:
        seconds: Any = node.seconds
        if self._definition.timeout is not None:
            left = f"s_{variable_of(node.id)}"
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
