"""A workflow's definition: a frozen tree of steps and of the blocks around them.

Nothing in it runs. `leeward.workflow.kernel` defines what each node means, for every engine and
export. As a document in JSON or YAML it is::

    leeward: workflow/1
    workflow: order
    timeout: 24h
    do:
      - step: validate-order
        payload: $input
      - saga: booking
        do:
          - step: take-payment
            payload: {order: $input.id}
            effect: keyed
            undo: {call: refund-payment}

A text that begins with ``$`` is a reference; ``$$`` stands for the sign itself. A field whose name
has other signs than letters, digits, ``_`` and ``-`` is written ``$input["order id"]``.
`document_of` writes every field, so that equal definitions are equal documents with one digest.
`leeward.workflow.reading` has what a document may leave out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from leeward.json_text import encode
from leeward.records import NamedTuple
from leeward.values import Effect, Json
from leeward.workflow.retry import Retry

INPUT = "input"
"""The name of a flow's input."""

ANY = "*"
"""Every error; see `Handler`."""

THROTTLED = "Call.Throttled"
"""Refused before the function ran."""
NOT_SENT = "Call.NotSent"
"""No byte of the call left, or it was settled: it did not and will not run."""
REFUSED = "Call.Refused"
"""There is no such function, or it may not be called. It did not run."""
TIMEOUT = "Call.Timeout"
"""The step's time is over; the function may have run, or still run."""
UNKNOWN = "Call.Unknown"
"""The function may have run."""
TOO_LARGE = "Call.TooLarge"
"""The function ran, and its result is more than a run may hold."""
FAILED = "Call.Failed"
"""The function ran and failed, and the platform does not pass on the class of its error."""
DEADLINE = "Flow.Deadline"
"""The time of the whole run is over. Handlers see it, but do not end it."""
CANCELLED = "Flow.Cancelled"
"""Somebody has cancelled the run. Handlers see it, but do not end it."""
COMPENSATION_FAILED = "Flow.CompensationFailed"
"""At least one undo of a saga failed for good; the error's `steps` names the steps."""
NO_EVENT = "Flow.NoEvent"
"""The time of a wait for an event is over, and none has come."""
TOO_MANY_ROUNDS = "Flow.TooManyRounds"
"""A loop has done all its rounds, and its condition does not hold."""
TOO_DEEP = "Flow.TooDeep"
"""A flow that a flow runs stands too many levels deep."""
NOT_A_TIME = "Flow.NotATime"
"""A value that a wait takes its time from is not one."""

PROVED = (THROTTLED, NOT_SENT)
"""Errors that prove that a function did not run, and that may not come again."""
AMBIGUOUS = (TIMEOUT, UNKNOWN)
"""Errors that leave open whether a function ran."""
UNSTOPPABLE = (DEADLINE, CANCELLED)
"""Errors that a handler sees and does not end."""
NAMED = (
    *(THROTTLED, NOT_SENT, REFUSED, TIMEOUT, UNKNOWN, TOO_LARGE, FAILED),
    *(DEADLINE, CANCELLED, COMPENSATION_FAILED, NO_EVENT, TOO_MANY_ROUNDS, TOO_DEEP, NOT_A_TIME),
)
"""Errors of leeward's own. Their names have a dot, so no class of a function can pass for one. Any
other name is the class of a function's exception."""


class Reference(NamedTuple):
    """A value when the flow runs: a name, and a path of fields below it.

    A missing value is null at every level.
    """

    name: str
    path: tuple[str, ...] = ()


Template: TypeAlias = Any
"""JSON with `Reference` in it, frozen: tuples for lists, read-only mappings for objects."""

Scalar: TypeAlias = bool | int | float | str | None


class Compare(NamedTuple):
    """``left op right``. Values of different types are never equal and have no order."""

    left: Reference
    op: Literal["==", "!=", "<", "<=", ">", ">="]
    right: Reference | Scalar
    kind: Literal["compare"] = "compare"


class OneOf(NamedTuple):
    """Whether a value is one of a few."""

    left: Reference
    values: tuple[Scalar, ...]
    kind: Literal["in"] = "in"


class Present(NamedTuple):
    """Whether a value is there, and not null."""

    left: Reference
    kind: Literal["present"] = "present"


class Not(NamedTuple):
    """Whether a condition does not hold."""

    inner: Condition
    kind: Literal["not"] = "not"


class All(NamedTuple):
    """Whether every one of several conditions holds."""

    inner: tuple[Condition, ...]
    kind: Literal["all"] = "all"


class Some(NamedTuple):
    """Whether at least one of several conditions holds."""

    inner: tuple[Condition, ...]
    kind: Literal["any"] = "any"


Condition: TypeAlias = Compare | OneOf | Present | Not | All | Some


class Undo(NamedTuple):
    """The function that takes back a step, called with ``{"key", "payload", "result"}``.

    These are the key, the payload and the result of the step; the result is null if the step may
    not have run. So the undo must be harmless for a step that did nothing.
    """

    function: str
    timeout: int
    retry: Retry


class Step(NamedTuple):
    """Call a function; its result is readable under `id` from then on.

    Attributes:
        function: its logical name.
        payload: with references in it.
        effect: what repeating it would do.
        timeout: seconds for each attempt.
        retry: which failures are tried again.
        undo: takes it back, for the saga around it.
        settle: before the step fails as unknown, its function is asked what became of it. None, as
            in definitions of older versions, means no.
    """

    id: str
    function: str
    payload: Template
    effect: Effect
    timeout: int
    retry: Retry
    undo: Undo | None = None
    settle: bool | None = None
    kind: Literal["step"] = "step"


class ErrorHandler(NamedTuple):
    """The block for errors of these names; `ANY` is every error.

    The flow continues after the attempt. But an `UNSTOPPABLE` error continues to the handlers
    further out, and `Stop` in such a handler ends the handler, not the run.
    """

    errors: tuple[str, ...]
    body: Block


class AttemptNode(NamedTuple):
    """A block with error handlers; the first one for the name handles an error.

    Handlers read ``{"name", "steps"}`` of the error under `id`.
    """

    id: str
    body: Block
    handlers: tuple[ErrorHandler, ...]
    kind: Literal["attempt"] = "attempt"


class Saga(NamedTuple):
    """A block that is taken back as a whole if an error leaves it.

    The undo of each step that ended well or may have run is called. If one fails for good, the
    others are still called, and the error becomes `COMPENSATION_FAILED`.
    """

    id: str
    body: Block
    undo: Literal["reverse", "parallel"] = "reverse"
    kind: Literal["saga"] = "saga"


class Branch(NamedTuple):
    """One of the blocks of a `Parallel`."""

    id: str
    body: Block


class Parallel(NamedTuple):
    """Blocks that run concurrently.

    All end; then the error of the first branch that has one counts, by order, not by time.
    """

    id: str
    branches: tuple[Branch, ...]
    kind: Literal["parallel"] = "parallel"


class Case(NamedTuple):
    """A block that is taken if a condition holds."""

    when: Condition
    body: Block


class Choose(NamedTuple):
    """The first case whose condition holds, else `otherwise`."""

    id: str
    cases: tuple[Case, ...]
    otherwise: Block = ()
    kind: Literal["choose"] = "choose"


class Each(NamedTuple):
    """A block for each element of a list; inside, the element is readable under `id`.

    All end; then the error of the first element that has one counts. Results of steps inside are
    not readable behind it; but with `collect`, `id` is then the list of what it is for each
    element. A value that is not a list has no elements.
    """

    id: str
    items: Reference
    body: Block
    at_once: int = 1
    collect: Template = None
    kind: Literal["each"] = "each"


class Repeat(NamedTuple):
    """A block again and again, until a condition holds behind it; at most so many rounds.

    The number of the round, from 1 on, is readable under `id`.
    """

    id: str
    body: Block
    until: Condition
    at_most: int
    kind: Literal["repeat"] = "repeat"


class Wait(NamedTuple):
    """Wait for some seconds, or until a time: a text like RFC 3339 has it, or Unix seconds."""

    id: str
    seconds: int | Reference | None
    until: Reference | None = None
    kind: Literal["wait"] = "wait"


class EventNode(NamedTuple):
    """Wait for the first of some events; its value is readable under `id`.

    With several names that is an object with `event`, the name, and `value`.

    Attributes:
        names: of the events.
        seconds, until: how long, as for `Wait`; both None for no limit.
        question: what a person is asked, whose answer is the event; None for other events.
    """

    id: str
    names: tuple[str, ...]
    seconds: int | Reference | None = None
    until: Reference | None = None
    question: Template = None
    kind: Literal["event"] = "event"


class Child(NamedTuple):
    """Run another flow, and wait for its end; its result is readable under `id`.

    It fails as the other run does; see `leeward.workflow.commands.end_of_child`.

    Attributes:
        flow: the name of the workflow.
        input: of the run.
        undo: takes it back, for the saga around it: the whole run, once it has ended well.
    """

    id: str
    flow: str
    input: Template = None
    undo: Undo | None = None
    kind: Literal["run"] = "run"


class Stop(NamedTuple):
    """End the run well, with a result."""

    id: str
    result: Template = None
    kind: Literal["stop"] = "stop"


class Fail(NamedTuple):
    """Raise an error, which handlers and sagas around it treat like any other."""

    id: str
    error: str
    kind: Literal["fail"] = "fail"


Node: TypeAlias = (
    Step
    | AttemptNode
    | Saga
    | Parallel
    | Choose
    | Each
    | Repeat
    | Wait
    | EventNode
    | Child
    | Stop
    | Fail
)
Block: TypeAlias = tuple[Node, ...]


class Definition(NamedTuple):
    """A workflow.

    Attributes:
        name: by which it is started.
        body: its nodes.
        timeout: seconds for a whole run, checked before each step; None for no limit.
    """

    name: str
    body: Block
    timeout: int | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical document, in hex, however the definition was written."""
        from hashlib import sha256
        from json import dumps

        document = document_of(self)
        text = dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return sha256(text.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<Definition {self.name!r}: {sum(1 for _ in nodes(self.body))} nodes>"


def blocks_of(node: Node) -> tuple[Block, ...]:
    """Return the blocks right below a node, in the order of the definition."""
    if isinstance(node, AttemptNode):
        return (node.body, *(handler.body for handler in node.handlers))
    if isinstance(node, Saga | Each | Repeat):
        return (node.body,)
    if isinstance(node, Parallel):
        return tuple(branch.body for branch in node.branches)
    if isinstance(node, Choose):
        return (*(case.body for case in node.cases), node.otherwise)
    return ()


def nodes(block: Block) -> Iterator[Node]:
    """Return every node of a block, and below it, in the order of the definition."""
    for node in block:
        yield node
        for inner in blocks_of(node):
            yield from nodes(inner)


def functions_of(definition: Definition) -> Iterator[str]:
    """Return the logical names of the functions that a workflow may call, perhaps repeated."""
    for node in nodes(definition.body):
        if isinstance(node, Step):
            yield node.function
        if isinstance(node, Step | Child) and node.undo is not None:
            yield node.undo.function


def flows_of(definition: Definition) -> dict[str, str]:
    """Return the names of the workflows that a workflow runs, by the ids of the nodes."""
    return {node.id: node.flow for node in nodes(definition.body) if isinstance(node, Child)}


def references(template: Template) -> Iterator[Reference]:
    """Return every reference in a template."""
    if isinstance(template, Reference):
        yield template
    elif isinstance(template, Mapping):
        for part in template.values():
            yield from references(part)
    elif isinstance(template, tuple):
        for part in template:
            yield from references(part)


def conditions(condition: Condition) -> Iterator[Compare | OneOf | Present]:
    """Return the parts of a condition."""
    if isinstance(condition, Not):
        yield from conditions(condition.inner)
    elif isinstance(condition, All | Some):
        for part in condition.inner:
            yield from conditions(part)
    else:
        yield condition


def freeze(value: Json) -> Template:
    """Return JSON, with references in it, as immutable values."""
    if isinstance(value, Mapping):
        return MappingProxyType({name: freeze(part) for name, part in value.items()})
    if isinstance(value, list):
        return tuple(freeze(part) for part in value)
    return value


FORMAT: Final = "workflow/1"

PLAIN_FIELD: Final = r"\.[A-Za-z_][A-Za-z0-9_-]*"
"""A field in a reference; any other name is a JSON text in brackets."""


def document_of(definition: Definition) -> dict[str, Json]:
    """Return a definition as JSON, with every field."""
    return {
        "leeward": FORMAT,
        "workflow": definition.name,
        "timeout": definition.timeout,
        "do": _block(definition.body),
    }


def _block(block: Block) -> list[Json]:
    return [_node(node) for node in block]


def _node(node: Node) -> dict[str, Json]:
    return {node.kind: node.id, **_FIELDS[node.kind](node)}


def _undo(undo: Undo) -> dict[str, Json]:
    return {"call": undo.function, "timeout": undo.timeout, "retry": _retry(undo.retry)}


def _step(node: Step) -> dict[str, Json]:
    return {
        "call": node.function,
        "payload": write_template(node.payload),
        "effect": node.effect.value,
        "timeout": node.timeout,
        **({} if node.settle is None else {"settle": node.settle}),
        "retry": _retry(node.retry),
        "undo": node.undo and _undo(node.undo),
    }


def _attempt(node: AttemptNode) -> dict[str, Json]:
    handlers = [{"errors": [*on.errors], "do": _block(on.body)} for on in node.handlers]
    return {"do": _block(node.body), "on": handlers}


def _choose(node: Choose) -> dict[str, Json]:
    cases = [{"when": write_condition(case.when), "do": _block(case.body)} for case in node.cases]
    return {"cases": cases, "otherwise": _block(node.otherwise)}


def _each(node: Each) -> dict[str, Json]:
    collect = {} if node.collect is None else {"collect": write_template(node.collect)}
    items = {"in": write_template(node.items), "at_once": node.at_once, **collect}
    return {**items, "do": _block(node.body)}


def _event(node: EventNode) -> dict[str, Json]:
    question = {"question": write_template(node.question)}
    return {"names": [*node.names], **_time("timeout", node), **question}


def _time(name: str, node: Wait | EventNode) -> dict[str, Json]:
    until = {} if node.until is None else {"until": write_template(node.until)}
    return {**({} if node.seconds is None else {name: write_template(node.seconds)}), **until}


# The fields of each kind of node. What a node does not use and earlier versions did not know has no
# field, so that its digest stays.
_FIELDS: Final[Mapping[str, Callable[[Any], dict[str, Json]]]] = {
    "step": _step,
    "attempt": _attempt,
    "saga": lambda node: {"undo": node.undo, "do": _block(node.body)},
    "parallel": lambda node: {
        "branches": [{"branch": branch.id, "do": _block(branch.body)} for branch in node.branches]
    },
    "choose": _choose,
    "each": _each,
    "repeat": lambda node: {
        "until": write_condition(node.until),
        "at_most": node.at_most,
        "do": _block(node.body),
    },
    "wait": lambda node: _time("seconds", node),
    "event": _event,
    "run": lambda node: {
        "flow": node.flow,
        "input": write_template(node.input),
        **({} if node.undo is None else {"undo": _undo(node.undo)}),
    },
    "stop": lambda node: {"result": write_template(node.result)},
    "fail": lambda node: {"error": node.error},
}


def _retry(retry: Retry) -> dict[str, Json]:
    return {**retry._asdict(), "on": [*retry.on]}


def write_template(template: Template) -> Json:
    """Return a template as JSON, its references as texts."""
    if isinstance(template, Reference):
        return "$" + template.name + "".join(map(_field, template.path))
    if isinstance(template, Mapping):
        return {name: write_template(part) for name, part in template.items()}
    if isinstance(template, tuple):
        return [write_template(part) for part in template]
    return f"${template}" if isinstance(template, str) and template.startswith("$") else template


def _field(name: str) -> str:
    from json import dumps

    plain = f".{name}"
    return plain if re.fullmatch(PLAIN_FIELD, plain) else f"[{dumps(name, ensure_ascii=False)}]"


def write_condition(condition: Condition) -> Json:
    """Return a condition as JSON: an object with one field, the operator."""
    match condition:
        case Compare():
            sides = [write_template(condition.left), write_template(condition.right)]
            return {condition.op: sides}
        case OneOf():
            values = [write_template(value) for value in condition.values]
            return {"in": [write_template(condition.left), values]}
        case Present():
            return {"present": write_template(condition.left)}
        case Not():
            return {"not": write_condition(condition.inner)}
        case All() | Some():
            return {condition.kind: [write_condition(part) for part in condition.inner]}


def compact_json_of(definition: Definition) -> str:
    """Return a definition as the text that a journal or a package keeps."""
    return encode(document_of(definition)).decode()
