"""A definition as a workflow of Google Cloud Workflows: JSON of its own syntax.

Errors are maps that are raised, so attempts and sagas are `try`. What the flow reads is a variable.
A branch shares the variables of its surroundings, by name; an element of `each` has its own, which
are born in it. Fields and comparisons are calls of subworkflows, before the step that needs them.
What a saga has done is a list of ids: the variables have the rest. `n` counts the bytes of results:
Workflows has 512 KiB for all variables together, ends an execution that takes more, and takes
nothing back. How many may be kept depends on how often a definition copies them.

Source: the quotas of Workflows, "memory limit".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from leeward.errors import ConfigError
from leeward.workflow import model as workflows
from leeward.workflow.kernel import repeats_ambiguous
from leeward.workflow.limits import most
from leeward.workflow.model import INPUT, Definition, Step, Stop, nodes, references
from leeward_deploy.google.flows.library import LIBRARY, LIST, Steps, assign, when
from leeward_deploy.google.flows.steps import (
    FunctionCalls,
    StepScope,
    Values,
    assign_all,
    compensation,
    ends_handler,
    error_of,
    initial_of,
    is_taken,
    join_lists,
    keep_id,
    may_stop,
    name_of,
    normal,
    nothing,
    path_of,
    variable_of,
)

MEMORY: Final = 512 * 1024
"""Bytes of all variables of an execution."""
OVERHEAD: Final = 32 * 1024
"""Bytes that are left for what is beside the data of the flow: keys, lists of ids, errors."""


SETTLED_COPIES: Final = 3
"""How often a payload of a settled step is there: in the subworkflow of its attempts, in that of
the questions about it, and in a question."""


def most_results(definition: Definition) -> int:
    """Return the bytes that all results of a run may have.

    Raises:
        ConfigError: a payload has its parts so often that nothing is left for results.
    """
    worst, where, given, copies = most("results"), definition.name, 0, 1
    for node in nodes(definition.body):
        if isinstance(node, Step | Stop):
            times = _times(node.payload if isinstance(node, Step) else node.result)
            if isinstance(node, Step) and node.settle:
                times = Counter({name: SETTLED_COPIES * count for name, count in times.items()})
            # Beside the payload, an undo gets the result of its step.
            of_results = max([0, *(count for name, count in times.items() if name != INPUT)])
            undo = 1 if isinstance(node, Step) and node.undo is not None else 0
            room = MEMORY - OVERHEAD - most("input") * (1 + times[INPUT])
            left = room // (1 + max(of_results, undo))
            if left < worst:
                worst, where, given, copies = left, node.id, times[INPUT], max(of_results, undo)
    if worst < 1024:
        raise ConfigError(
            f"{where}: its payload has the input {given} times and a result {copies} times, and "
            f"Google Workflows has {MEMORY} bytes for all variables: the input alone may have "
            f"{most('input')}; pass each of them once"
        )
    return worst


def _times(template: Any) -> Counter[str]:
    """Return how often a template has the value of each name; of two fields of one, the larger."""
    whole: Counter[str] = Counter()
    fields: Counter[tuple[str, str]] = Counter()
    for reference in references(template):
        if reference.path:
            fields[reference.name, reference.path[0]] += 2  # a variable of its own, and the payload
        else:
            whole[reference.name] += 1
    parts: Counter[str] = Counter()
    for (name, _), count in fields.items():
        parts[name] = max(parts[name], count)
    return whole + parts


class WorkflowSource:
    """Writes one definition.

    Args:
        definition: checked.
        functions: own names of functions, or their URLs, by logical name.
        marks: logical names of functions that are known to mark their answers.
    """

    def __init__(
        self, definition: workflows.Definition, functions: Mapping[str, str], marks: Collection[str]
    ) -> None:
        self._definition = definition
        self._calls = FunctionCalls(functions, marks)
        self._values = Values()
        self._most = most_results(definition)

    def document(self) -> dict[str, Any]:
        """Return the workflow with its subworkflows."""
        definition = self._definition
        body = self._block(definition.body, StepScope())
        begin = {
            "v_input": '${default(map.get(args, "input"), null)}',
            "prefix": f'${{"{definition.name}/" + args.run + "/"}}',
            "home": '${"https://" + sys.get_env("GOOGLE_CLOUD_LOCATION") + "-" + '
            'sys.get_env("GOOGLE_CLOUD_PROJECT_ID") + ".cloudfunctions.net/"}',
            "g": True,
            "n": 0,
            "digest": definition.digest,
            **initial_of(definition.body),
        }
        if definition.timeout is not None:
            begin["deadline"] = f"${{sys.now() + {definition.timeout}}}"
        steps = [*assign_all("begin", begin), *body, {"end": {"return": None}}]
        main = {"params": ["args"], "steps": steps}
        return {"main": main, **LIBRARY, **self._calls.subworkflows()}

    def _block(self, block: workflows.Block, around: StepScope) -> Steps:
        return [step for node in block for step in self._node(node, around)]

    def _node(self, node: workflows.Node, around: StepScope) -> Steps:
        match node:
            case workflows.Step():
                return self._step(node, around)
            case workflows.AttemptNode():
                return self._attempt(node, around)
            case workflows.Saga():
                return self._saga(node, around)
            case workflows.Parallel():
                return self._parallel(node, around)
            case workflows.Each():
                return self._each(node, around)
            case workflows.Choose():
                return self._choose(node, around)
            case workflows.Wait():
                return self._wait(node, around)
            case workflows.Stop():
                return self._stop(node, around)
            case workflows.Fail():
                return [{node.id: {"raise": error_of(node.error)}}]
            case _:
                raise AssertionError(f"{node.kind} is refused before")

    def _stop(self, node: workflows.Stop, around: StepScope) -> Steps:
        """Return the end of the run; behind a final error, the raise that ends its handler only.

        What is raised has the error, and `stop`: what is between it and that handler hands it on.
        """
        before, value = self._values.template(node.result)
        cases = []
        for number, error in enumerate(reversed(around.errors)):
            fields = ("name", "ambiguous", "steps", "final")
            leaving = {**{field: f"${{{error}.{field}}}" for field in fields}, "stop": True}
            cases.append((f"{error}.final", [{f"{node.id}-leaves-{number}": {"raise": leaving}}]))
        first = [{f"{node.id}-of-which": when(*cases)}] if cases else []
        return [*first, *before, {node.id: {"return": value}}]

    def _step(self, step: workflows.Step, around: StepScope) -> Steps:
        before, payload = self._values.template(step.payload)
        path = path_of(step.id, around)
        key, name = f"k_{variable_of(step.id)}", name_of(step.id)
        if step.settle:
            call = self._calls.settled_call(step, f"${{{key}}}", payload, name)
            tried: dict[str, Any] = {"try": call}
        else:
            call = self._calls.call(step.function, f"${{{key}}}", payload, step.timeout, name)
            tried = {"try": call, **self._calls.retry(step.retry)}
        after: Steps = []
        if step.undo is not None and around.undo is not None:
            caught, maybe = f"c_{variable_of(step.id)}", keep_id(around.undo, step.id, "maybe-kept")
            if step.settle or not repeats_ambiguous(step.retry):
                maybe = [{f"{step.id}-maybe": when((f"{caught}.ambiguous", maybe))}]
            steps = [*maybe, {f"{step.id}-failed": {"raise": f"${{{caught}}}"}}]
            tried["except"] = {"as": caught, "steps": steps}
            after = keep_id(around.undo, step.id, "kept")
        return [
            *before,
            *self._in_time(step.id, around),
            {f"{step.id}-given": assign(**{key: f"${{prefix + {path}}}"})},
            {step.id: tried if len(tried) > 1 else call},
            *after,
            *self._count_results(step.id, name, before),
        ]

    def _count_results(self, id: str, name: str, before: Steps) -> Steps:
        """Return the steps that count a result, and raise if all results are too large."""
        used = {each["result"]: None for step in before for each in step.values()}
        added = f"${{n + len(json.encode_to_string({name}))}}"
        error = {**error_of(workflows.TOO_LARGE), "ambiguous": True}
        raised = [
            {f"{id}-dropped": assign(**{name: None})},
            {f"{id}-is-too-large": {"raise": error}},
        ]
        return [
            {f"{id}-counted": assign(n=added, **used)},
            {f"{id}-fits": when((f"n > {self._most}", raised))},
        ]

    def _in_time(self, id: str, around: StepScope) -> Steps:
        if self._definition.timeout is None:
            return []
        late = f"{around.guard} and sys.now() >= deadline"
        raised = {f"{id}-is-late": {"raise": {**error_of(workflows.DEADLINE), "final": True}}}
        return [{f"{id}-in-time": when((late, [raised]))}]

    def _attempt(self, node: workflows.AttemptNode, around: StepScope) -> Steps:
        caught, error = f"c_{variable_of(node.id)}", f"x_{variable_of(node.id)}"
        cases = [
            (is_taken(handler, error), self._handler(node, number, handler, error, around))
            for number, handler in enumerate(node.handlers)
        ]
        if may_stop(node.body, around):
            leaves = [{f"{node.id}-leaves": {"raise": f"${{{error}}}"}}]
            cases.insert(0, (ends_handler(error), leaves))
        cases.append(("true", [{f"{node.id}-again": {"raise": f"${{{error}}}"}}]))
        steps = [normal(node.id, caught, error), {f"{node.id}-which": when(*cases)}]
        body = self._block(node.body, around)
        return [{node.id: {"try": {"steps": body}, "except": {"as": caught, "steps": steps}}}]

    def _handler(
        self,
        node: workflows.AttemptNode,
        number: int,
        handler: workflows.ErrorHandler,
        error: str,
        around: StepScope,
    ) -> Steps:
        id = f"{node.id}-on-{number}"
        told = {"name": f"${{{error}.name}}", "steps": f"${{{error}.steps}}"}
        steps: Steps = [{id: assign(**{name_of(node.id): told})}]
        if self._definition.timeout is None:
            return [*steps, *self._block(handler.body, around)]
        off = [{f"{id}-unguarded": assign(**{around.guard: False})}]
        again = [{f"{id}-again": {"raise": f"${{{error}}}"}}]
        caught, fell = f"d_{variable_of(node.id)}", f"z_{variable_of(node.id)}"
        told = {name: f"${{{fell}.{name}}}" for name in ("name", "ambiguous", "steps")}
        told["final"] = f"${{{error}.final or {fell}.final}}"
        raised = [normal(f"{id}-fell", caught, fell), {f"{id}-fell-again": {"raise": told}}]
        inside = around._replace(errors=(*around.errors, error))
        if may_stop(handler.body, inside):
            here = [{f"{id}-ends-here": {"raise": f"${{{error}}}"}}]
            further = [{f"{id}-leaves": {"raise": f"${{{fell}}}"}}]
            leaves = [{f"{id}-ends": when((f"{error}.final", here), ("true", further))}]
            raised.insert(1, {f"{id}-stops": when((ends_handler(fell), leaves))})
        body = self._block(handler.body, inside) or nothing(id)
        return [
            *steps,
            {f"{id}-final": when((f"{error}.final", off))},
            {f"{id}-do": {"try": {"steps": body}, "except": {"as": caught, "steps": raised}}},
            {f"{id}-done": when((f"{error}.final", again))},
        ]

    def _saga(self, node: workflows.Saga, around: StepScope) -> Steps:
        done, caught = f"u_{variable_of(node.id)}", f"c_{variable_of(node.id)}"
        error = f"x_{variable_of(node.id)}"
        body = self._block(node.body, around._replace(undo=done))
        leaves: Steps = []
        if may_stop(node.body, around):
            # What it has done is left to the saga around the handler.
            left = [] if around.undo is None else join_lists(f"{node.id}-left", around.undo, done)
            left.append({f"{node.id}-leaves": {"raise": f"${{{error}}}"}})
            leaves = [{f"{node.id}-stops": when((ends_handler(error), left))}]
        undo = [
            normal(node.id, caught, error),
            *leaves,
            *compensation(node, done, error, around, values=self._values, calls=self._calls),
        ]
        steps: Steps = [
            {f"{node.id}-begin": assign(**{done: []})},
            {node.id: {"try": {"steps": body or nothing(node.id)}}},
        ]
        steps[1][node.id]["except"] = {"as": caught, "steps": undo}
        if around.undo is not None:
            steps += join_lists(f"{node.id}-done", around.undo, done)
        return steps

    def _parallel(self, node: workflows.Parallel, around: StepScope) -> Steps:
        shared: set[str] = set()
        branches, after, raised = [], [], []
        for branch in node.branches:
            id = variable_of(branch.id)
            error, done, guard = f"q_{id}", f"b_{id}", f"g_{id}"
            inner = around._replace(
                undo=None if around.undo is None else done,
                guard=guard if self._definition.timeout is not None else around.guard,
            )
            shared |= {*initial_of(branch.body), error, done, guard, "n"}
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
                after += join_lists(f"{branch.id}-done", around.undo, done)
            raised.append(
                (f"{error} != null", [{f"{branch.id}-raise": {"raise": f"${{{error}}}"}}])
            )
        parallel = {"shared": sorted(shared), "branches": branches}
        return [{node.id: {"parallel": parallel}}, *after, {f"{node.id}-ended": when(*raised)}]

    def _each(self, node: workflows.Each, around: StepScope) -> Steps:
        id = variable_of(node.id)
        before, items = self._values.template(node.items)
        listed, failed, found, index = f"a_{id}", f"f_{id}", f"q_{id}", f"n_{id}"
        inner = StepScope(f"s_{id}", None, f"g_{id}")
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
            "steps": [*assign_all(f"{node.id}-element", begin), {f"{node.id}-do": tried}],
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
                        "shared": [failed, "n"],
                        "concurrency_limit": node.at_once,
                        "for": loop,
                    }
                }
            },
            {f"{node.id}-errors": {"for": look}},
            {f"{node.id}-ended": when((f"{found} != null", raised))},
        ]

    def _choose(self, node: workflows.Choose, around: StepScope) -> Steps:
        before: Steps = []
        cases = []
        for case in node.cases:
            steps, told = self._values.condition(case.when)
            before += steps
            cases.append((told, self._block(case.body, around) or nothing(node.id)))
        cases.append(("true", self._block(node.otherwise, around) or nothing(node.id)))
        return [*before, {node.id: when(*cases)}]

    def _wait(self, node: workflows.Wait, around: StepScope) -> Steps:
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
