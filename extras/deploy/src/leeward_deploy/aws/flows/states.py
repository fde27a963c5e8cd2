"""The states of a machine: variables, tasks and their errors, and what takes a saga back.

Variables are numbered by level. A call of a function is a task by the function's own name, with the
key where leeward's clients put it. A saga is taken back by a map over the ids of what was done, the
last step first; the payload is made again, of the variables that it was made of: nothing changes
them.

Step Functions keeps 25,000 events of an execution. One that takes more is ended, and nothing is
taken back; so events are counted before. Each attempt of a task counts, because each may fail.

Sources: "Handling errors in Step Functions workflows", the errors of Lambda's Invoke, "Step
Functions service quotas", and the history events in Step Functions' API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from leeward.envelope import DEADLINE as DEADLINE_HEADER
from leeward.envelope import IDEMPOTENCY_KEY, SETTLE, VOIDS
from leeward.workflow.kernel import QUESTION_SECONDS, UNDO_AT_ONCE
from leeward.workflow.model import (
    AMBIGUOUS,
    ANY,
    COMPENSATION_FAILED,
    REFUSED,
    THROTTLED,
    TIMEOUT,
    UNKNOWN,
    AttemptNode,
    Block,
    Each,
    ErrorHandler,
    Parallel,
    Saga,
    Step,
    blocks_of,
    nodes,
)
from leeward.workflow.retry import Retry
from leeward.workflow.steps import UNKNOWN_CLASSES
from leeward_deploy.aws.flows.jsonata import (
    LARGEST,
    expression_of,
    field_of,
    literal,
    size_of,
    whole,
)

State = dict[str, Any]

NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        THROTTLED: ("Lambda.TooManyRequestsException",),
        REFUSED: (
            "Lambda.ResourceNotFoundException",
            "Lambda.InvalidRequestContentException",
            "Lambda.RequestTooLargeException",
            "States.Permissions",
        ),
        TIMEOUT: ("States.Timeout", "Sandbox.Timedout"),
        UNKNOWN: (
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.Unknown",
            *UNKNOWN_CLASSES,
        ),
    }
)
"""Of each error of a flow. Whatever else has a dot proves nothing; the rest are classes."""

HISTORY: Final = 25_000 - 100
"""Events that a run may take: the quota, less those of its own start and end, and some to spare."""


class OuterHandler(NamedTuple):
    """A handler that stands around a node.

    Attributes:
        error: variable with the error that it handles.
        again: the state that raises this error again.
        undo: variable with what the saga around the handler is to take back; None without one.
        sagas: how many sagas stand around the handler.
    """

    error: str
    again: str
    undo: str | None
    sagas: int


class StateScope(NamedTuple):
    """Where a node stands.

    Attributes:
        level: 0 for the machine, 1 and 2 for what is inside `parallel` and `each`.
        states: of the level.
        names: variables by the names of the flow.
        suffix: expression for what stands behind ids in paths.
        undo: variable with what is to be taken back; None without a saga around.
        raising: the state that an error goes to.
        most: variable with the bytes that the results of a branch may have; None elsewhere.
        share: expression for the events of the history that one `each` may take.
        sagas: variables with what the sagas around have done, the outermost first.
        handlers: around it, the outermost first, where errors may be final.
    """

    level: int
    states: dict[str, State]
    names: dict[str, str]
    suffix: str
    undo: str | None
    raising: str
    most: str | None
    share: str
    sagas: tuple[str, ...] = ()
    handlers: tuple[OuterHandler, ...] = ()

    def own(self, kind: str) -> str:
        """Return a variable of this level."""
        return f"${kind}{self.level}"


def choice(*choices: tuple[str, str], default: str) -> State:
    """Return a state that goes on by the first condition that holds, to the state beside it."""
    rules = [{"Condition": whole(condition), "Next": state} for condition, state in choices]
    return {"Type": "Choice", "Choices": rules, "Default": default}


def assignment(values: Mapping[str, Any], then: str) -> State:
    """Return a state that assigns to variables, given with or without their sign, and goes on."""
    named = {name.removeprefix("$"): value for name, value in values.items()}
    return {"Type": "Pass", "Assign": named, "Next": then}


def error_of(name: str, *, ambiguous: bool = False, final: bool = False) -> str:
    """Return an expression for an error of that name, given as an expression."""
    unsure = f"{name} in {literal([*AMBIGUOUS])}" if ambiguous else "false"
    return (
        f'{{"name": {name}, "ambiguous": {unsure}, "steps": [], '
        f'"final": {"true" if final else "false"}}}'
    )


def is_taken(handler: ErrorHandler, error: str) -> str:
    """Return an expression: whether a handler takes an error."""
    if ANY in handler.errors:
        return "true"
    return f"{error}.name in {literal([*handler.errors])}"


def path_of(id: str, around: StateScope) -> str:
    """Return an expression for the path of a node."""
    return literal(id) if around.suffix == '""' else f"({literal(id)} & {around.suffix})"


def returned_by(result: str) -> str:
    """Return an expression for what a function has returned; null for nothing."""
    return f'($exists($lookup({result}, "Payload")) ? $lookup({result}, "Payload") : null)'


def variable_of(id: str) -> str:
    """Return what a variable may be called that belongs to a node."""
    return id.replace("-", "_")


def names_of(block: Block, level: int) -> dict[str, str]:
    """Return the variables for what is readable behind a block."""
    found: dict[str, str] = {}
    for node in block:
        if isinstance(node, Step | AttemptNode):
            found[node.id] = f"$v{level}_{variable_of(node.id)}"
        if not isinstance(node, Each):
            for inner in blocks_of(node):
                found |= names_of(inner, level)
    return found


def lists_of(block: Block, level: int) -> list[str]:
    """Return the variables for what the sagas of a level have done."""
    found = []
    for node in block:
        if isinstance(node, Saga):
            found.append(f"$u{level}_{variable_of(node.id)}")
        if not isinstance(node, Each | Parallel):
            for inner in blocks_of(node):
                found += lists_of(inner, level)
    return found


def reachable(states: dict[str, State], first: str) -> dict[str, State]:
    """Return the states that can be reached, from the first one on."""
    found: dict[str, State] = {}
    left = [first]
    while left:
        name = left.pop()
        if name in found:
            continue
        found[name] = state = states[name]
        following = [state.get("Next"), state.get("Default")]
        following += [choice["Next"] for choice in state.get("Choices", ())]
        following += [each["Next"] for each in state.get("Catch", ())]
        left += [each for each in reversed(following) if each is not None]
    return found


def retriers(retry: Retry) -> list[dict[str, object]]:
    """Return the retriers of a task: one, or none."""
    names = (
        ["States.ALL"]
        if ANY in retry.on
        else [
            own
            for name in retry.on
            for own in NAMES.get(name, (name,))
            if not (own == name and "." in name)
        ]
    )
    if retry.attempts == 1 or not names:
        return []
    pauses: dict[str, object] = {"IntervalSeconds": retry.first, "BackoffRate": float(retry.factor)}
    if retry.cap > retry.first:
        pauses["MaxDelaySeconds"] = retry.cap
    else:
        pauses = {"IntervalSeconds": retry.cap, "BackoffRate": 1.0}
    if retry.jitter == "full":
        pauses["JitterStrategy"] = "FULL"
    return [{"ErrorEquals": names, "MaxAttempts": retry.attempts - 1, **pauses}]


def name_of_error() -> str:
    """Return an expression for what a flow calls the error that a task ended with."""
    known = {own: name for name, owns in NAMES.items() for own in owns}
    return (
        f"($n := $states.errorOutput.Error; $m := {literal(known)}; $exists($lookup($m, $n)) "
        f"? $lookup($m, $n) : $contains($n, '.') ? {literal(UNKNOWN)} : $n)"
    )


class LambdaCalls(NamedTuple):
    """Calls of one workflow.

    Attributes:
        workflow: its name.
        functions: own names of functions, by logical name.
    """

    workflow: str
    functions: Mapping[str, str]

    def task(
        self,
        function: str,
        payload: Any,
        path: str,
        timeout: int,
        retry: Retry | None,
        *,
        voids: str | None = None,
    ) -> State:
        """Return a task, without what comes behind it.

        Args:
            function: its logical name.
            payload: as a field of a state.
            path: expression for the path of the step in the run.
            timeout: seconds of an attempt.
            retry: which failures are tried again; None for none.
            voids: expression for how often the key was settled as not run; None for never.
        """
        custom = self._custom(path, {DEADLINE_HEADER: f"{timeout * 1000}"}, voids)
        task = self._invoke(function, payload, custom, timeout)
        found = [] if retry is None else retriers(retry)
        return {**task, "Retry": found} if found else task

    def question(
        self, function: str, payload: Any, path: str, timeout: int, *, began: str, voids: str
    ) -> State:
        """Return a task that asks what became of a step, without what comes behind it.

        Args:
            function: its logical name.
            payload: of the step, as a field of a state.
            path: expression for the path of the step in the run.
            timeout: seconds of the step.
            began: expression for the milliseconds when it was first called.
            voids: expression for how often the key was settled as not run.
        """
        seconds = min(timeout, QUESTION_SECONDS)
        question = {
            "settle": whole(self.key(path)),
            "age": whole(f"($millis() - {began}) / 1000"),
            "payload": payload,
        }
        headers = {DEADLINE_HEADER: "0", SETTLE: f"{seconds * 1000}"}
        return self._invoke(function, question, self._custom(path, headers, voids), seconds)

    def _custom(self, path: str, headers: Mapping[str, str], voids: str | None) -> str:
        """Return an expression for what goes with a call: texts, as leeward's clients send them."""
        fields = "".join(f", {literal(name)}: {literal(text)}" for name, text in headers.items())
        custom = f"{{{literal(IDEMPOTENCY_KEY.lower())}: {self.key(path)}{fields}}}"
        if voids is None:
            return custom
        known = f"{voids} > 0 ? {{{literal(VOIDS)}: $string({voids})}} : {{}}"
        return f"$merge([{custom}, {known}])"

    def _invoke(self, function: str, payload: Any, custom: str, timeout: int) -> State:
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {
                "FunctionName": self.functions.get(function, function),
                "ClientContext": whole(f'$base64encode($string({{"custom": {custom}}}))'),
                "Payload": payload,
            },
            "TimeoutSeconds": timeout,
        }

    def key(self, path: str) -> str:
        """Return an expression for the idempotency key of a step."""
        prefix = literal(f"{self.workflow}/")
        return f'{prefix} & $states.context.Execution.Name & "/" & {path}'


def events_of(states: Mapping[str, Mapping[str, Any]], first: str, loops: Mapping[str, int]) -> int:
    """Return the most events that states can take, from the first one to an end.

    A map counts once for each undo that it may call. The elements of an `each` do not count: the
    machine counts them before it begins with the first.

    Args:
        states: of one level.
        first: the state to begin with.
        loops: by state, the events of the loop that it begins; 0 for the loop's other states.
    """
    most: dict[str, int] = {}

    def from_state(name: str) -> int:
        if name not in most:
            most[name] = 0  # to come back to a state is counted where its loop begins
            state = states[name]
            following = [state.get("Next"), state.get("Default")]
            following += [
                rule["Next"] for rule in (*state.get("Choices", ()), *state.get("Catch", ()))
            ]
            behind = [from_state(each) for each in following if each is not None]
            own = loops[name] if name in loops else events_in(state, loops)
            most[name] = own + max(behind, default=0)
        return most[name]

    return from_state(first)


def events_in(state: Mapping[str, Any], loops: Mapping[str, int] = MappingProxyType({})) -> int:
    """Return the events of one state: it is entered and left, and what happens between."""
    if state["Type"] == "Task":
        attempts: int = 1 + sum(retrier["MaxAttempts"] for retrier in state.get("Retry", ()))
        return 2 + 3 * attempts
    if state["Type"] == "Parallel":
        return 4 + sum(
            events_of(branch["States"], branch["StartAt"], loops) for branch in state["Branches"]
        )
    if state["Type"] == "Map":
        inner = state["ItemProcessor"]["States"]
        undos = inner[state["ItemProcessor"]["StartAt"]].get("Choices", ())
        return 4 + sum(4 + events_of(inner, undo["Next"], loops) for undo in undos)
    return 2


def compensation(node: Saga, done: str, around: StateScope, calls: LambdaCalls) -> State:
    """Return the state that takes a saga back, and then raises its error."""
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
    # The machine for one step that is taken back; its output is a path that failed.
    states: dict[str, State] = {}
    choices = []
    for step in steps:
        state = f"{node.id} undo {step.id}"[:80]
        states[state] = _undo(node, step, around, calls)
        choices.append((f"$states.input = {literal(step.id)}", state))
    states[f"{node.id} which"] = choice(*choices, default=choices[0][1])
    states[f"{node.id} not undone"] = {"Type": "Succeed"}
    return {
        "Type": "Map",
        "Items": whole(f"$reverse({done})"),
        "MaxConcurrency": 1 if node.undo == "reverse" else UNDO_AT_ONCE,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": f"{node.id} which",
            "States": states,
        },
        "Assign": {error[1:]: whole(after)},
        "Next": around.raising,
    }


def _undo(node: Saga, step: Step, around: StateScope, calls: LambdaCalls) -> State:
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
    lost = {"ErrorEquals": ["States.ALL"], "Output": whole(path), "Next": f"{node.id} not undone"}
    undo_path = f'{path} & "/undo"'
    task = calls.task(undo.function, payload, f"({undo_path})", undo.timeout, undo.retry)
    return {**task, "Output": whole("null"), "End": True, "Catch": [lost]}
