"""A workflow written in Python: a function that runs once, when it is imported.

Its arguments are references, not values, so Python cannot compare them or loop over them. Each call
on the `Flow` adds a node to the definition::

    @workflow("order", timeout="24h")
    def order_flow(w: Flow, order: Ref) -> None:
        with w.saga("booking"):
            payment = w.step(take_payment, order, undo=refund_payment, effect="keyed")
            w.step(ship_order, {"order": order, "payment": payment})
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeAlias

from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward.values import Effect, EffectName, Json
from leeward.workflow import model
from leeward.workflow.checks import check_definition
from leeward.workflow.model import (
    Block,
    Branch,
    Case,
    Condition,
    ErrorHandler,
    Node,
    Reference,
    Template,
    freeze,
)
from leeward.workflow.reading import STEP_TIMEOUT, UNDO_RETRY, settle_of
from leeward.workflow.retry import Retry, check_retry, seconds_of
from leeward.workflow.symbols import Ref, Test, Trace, condition_of, users_line


class FlowFunction(NamedTuple):
    """A function as its app knows it.

    Attributes:
        name: the logical name.
        effect: what repeating a call would do.
        timeout: seconds that it may take, or None.
        settles: it keeps records of its keys, and answers from them; None if unknown.
    """

    name: str
    effect: Effect = Effect.UNSAFE
    timeout: float | None = None
    settles: bool | None = None


Function: TypeAlias = str | Callable[..., Any]
"""A logical name, or a function of the app."""

Resolve: TypeAlias = Callable[[Callable[..., Any]], FlowFunction]
"""Returns the name by which a function object is called."""


def by_own_name(function: Callable[..., Any]) -> FlowFunction:
    """Return the name of a function without an app: its own, with hyphens."""
    named: Any = function
    name = getattr(named, "__name__", None)
    if not isinstance(name, str):
        raise ConfigError(f"a {kind_of(function)} has no name; give a logical name")
    return FlowFunction(name.strip("_").lower().replace("_", "-"))


def template_of(value: Any, where: str) -> Template:
    """Return JSON with references in it as a template."""
    return freeze(_replace_references(value, where))


def _replace_references(value: Any, where: str) -> Any:
    if isinstance(value, Ref):
        return value.reference
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise ConfigError(f"{where}: a field is named by a {kind_of(name)}, not by a text")
        return {name: _replace_references(part, where) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_references(part, where) for part in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ConfigError(f"{where}: a value of class {kind_of(value)} is neither JSON nor a reference")


def effect_of(given: Effect | str | None, default: Effect, where: str) -> Effect:
    """Return the effect that was given, else the default."""
    try:
        return default if given is None else Effect(given)
    except ValueError:
        names = ", ".join(effect.value for effect in Effect)
        raise ConfigError(f"{where}: effect must be one of {names}") from None


def retry_of(retry: Retry | None, default: Retry, where: str) -> Retry:
    """Return the retry that was given, checked, else the default."""
    try:
        return check_retry(retry, default).with_proofs()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def whole_seconds(seconds: float | None) -> int | None:
    """Return seconds as a whole number, at least one; None for None."""
    return None if seconds is None else max(1, int(seconds))


def kind_of(value: object) -> str:
    """Return the name of a value's type, for messages."""
    return type(value).__name__


class AttemptBlock:
    """The block of `Flow.attempt`: `on` adds a handler."""

    def __init__(self, trace: Trace, id: str) -> None:
        self._trace = trace
        self._id = id

    @contextmanager
    def on(self, *errors: str) -> Iterator[Ref]:
        """Handle errors of these names with the block; `ANY` is every name.

        ``as`` gets a reference to the error, with the fields `name` and `steps`.

        Raises:
            ConfigError: other nodes were added since the attempt.
        """
        self._trace.last_attempt(self._id)
        with self._trace.collect() as body:
            yield Ref(Reference(self._id))
        self._trace.add_handler(self._id, ErrorHandler(errors, tuple(body)))


class ParallelBlock:
    """The block of `Flow.parallel`: `branch` adds a branch."""

    def __init__(self, trace: Trace) -> None:
        self.branches: list[Branch] = []
        self._trace = trace

    @contextmanager
    def branch(self, id: str) -> Iterator[None]:
        """Add the block as a branch."""
        with self._trace.collect() as body:
            yield
        self.branches.append(Branch(id, tuple(body)))


class ChooseBlock:
    """The block of `Flow.choose`: `when` adds a case, and `otherwise` the default."""

    def __init__(self, trace: Trace) -> None:
        self.cases: list[Case] = []
        self.default: Block = ()
        self._trace = trace

    @contextmanager
    def when(self, test: Test) -> Iterator[None]:
        """Add the block as a case."""
        condition = condition_of(test)
        with self._trace.collect() as body:
            yield
        self.cases.append(Case(condition, tuple(body)))

    @contextmanager
    def otherwise(self) -> Iterator[None]:
        """Run the block if no case holds."""
        with self._trace.collect() as body:
            yield
        self.default = tuple(body)


class RepeatBlock(Ref):
    """The block of `Flow.repeat`, and a reference to the number of its round."""

    def __init__(self, id: str) -> None:
        super().__init__(Reference(id))
        self.id = id
        self.condition: Condition | None = None

    def until(self, test: Test) -> None:
        """End the loop if the test holds at the end of a round."""
        self.condition = condition_of(test)


def _time(
    where: str, seconds: int | str | Ref | None, until: Ref | None
) -> tuple[int | Reference | None, Reference | None]:
    """Return how long a wait may take, and until when."""
    if not isinstance(until, Ref | None):
        raise ConfigError(f"{where}: until must be a reference to a time, not a {kind_of(until)}")
    at = None if until is None else until.reference
    if isinstance(seconds, Ref):
        return seconds.reference, at
    return None if seconds is None else seconds_of(seconds, where), at


def refuse_loose(body: list[Node], kind: str, method: str) -> None:
    """Refuse nodes that stand between the blocks of `parallel` or `choose`."""
    if body:
        raise ConfigError(
            f"{users_line()}: {body[0].id!r} stands in `{kind}` and in none of its blocks; put it "
            f"into `{method}`"
        )


class Flow:
    """Collects the nodes of a definition, in the order of the calls.

    An id names a node in a run's events and errors. By default the id of a step is its function's
    name, and other nodes have their kind and a number.
    """

    def __init__(self, trace: Trace, resolve: Resolve) -> None:
        self._trace = trace
        self._resolve = resolve
        self._collections: list[tuple[str, list[Template]]] = []
        """The ids of the `each` around here, and what each of them collects: one value at most."""

    def step(
        self,
        function: Function,
        payload: Json | Ref = None,
        *,
        id: str | None = None,
        undo: Function | None = None,
        effect: Effect | EffectName | None = None,
        timeout: int | str | None = None,
        settle: bool | None = None,
        retry: Retry | None = None,
        undo_timeout: int | str | None = None,
        undo_retry: Retry | None = None,
    ) -> Ref:
        """Call a function. Return a reference to its result.

        Args:
            function: of the app, or a logical name.
            payload: JSON, with references in it.
            id: by default the function's name.
            undo: the function that compensates it, for the saga around it.
            effect: what repeating it would do; by default the app's declaration, else ``unsafe``.
            timeout: of each attempt; by default the function's own, else a minute.
            settle: before the step fails as unknown, ask the function what became of it. By default
                a keyed step, or an idempotent function of the app.
            retry: which failures are tried again; by default only a failure that proves that it
                did not run, twice more.
            undo_timeout: of each attempt of the undo.
            undo_retry: by default every failure, five times more.

        Raises:
            ConfigError: an argument is wrong.
        """
        named = self._resolve_function(function)
        where = f"{users_line()}: step {id or named.name!r}"
        declared = effect_of(effect, named.effect, where)
        if not isinstance(settle, bool | None):
            raise ConfigError(f"{where}: settle must be True or False, not a {kind_of(settle)}")
        step = model.Step(
            id or named.name,
            named.name,
            template_of(payload, where),
            declared,
            seconds_of(
                (whole_seconds(named.timeout) or STEP_TIMEOUT) if timeout is None else timeout,
                f"{where}: timeout",
            ),
            retry_of(retry, Retry(), where),
            None if undo is None else self._undo(undo, undo_timeout, undo_retry, where),
            settle_of(named.settles if settle is None else settle, declared),
        )
        self._trace.add(step)
        return Ref(model.Reference(step.id))

    @contextmanager
    def attempt(self, id: str | None = None) -> Iterator[AttemptBlock]:
        """Handle the errors of the block's steps, with `AttemptBlock.on` after the block."""
        id = id or self._trace.number("attempt")
        with self._trace.collect() as body:
            yield AttemptBlock(self._trace, id)
        self._trace.add(model.AttemptNode(id, tuple(body), ()))

    @contextmanager
    def saga(
        self, id: str | None = None, *, undo: Literal["reverse", "parallel"] = "reverse"
    ) -> Iterator[None]:
        """Compensate the whole block if an error leaves it.

        Args:
            id: of the saga.
            undo: one after the other, the last step first; or all at the same time.
        """
        if undo not in ("reverse", "parallel"):
            raise ConfigError(f"{users_line()}: undo must be 'reverse' or 'parallel'")
        id = id or self._trace.number("saga")
        with self._trace.collect() as body:
            yield
        self._trace.add(model.Saga(id, tuple(body), undo))

    @contextmanager
    def parallel(self, id: str | None = None) -> Iterator[ParallelBlock]:
        """Run branches at the same time; the block adds them with `ParallelBlock.branch`."""
        id = id or self._trace.number("parallel")
        block = ParallelBlock(self._trace)
        with self._trace.collect() as body:
            yield block
        refuse_loose(body, "parallel", "branch")
        self._trace.add(model.Parallel(id, tuple(block.branches)))

    @contextmanager
    def choose(self, id: str | None = None) -> Iterator[ChooseBlock]:
        """Run one of several blocks; they are added with `ChooseBlock.when` and `otherwise`."""
        id = id or self._trace.number("choose")
        block = ChooseBlock(self._trace)
        with self._trace.collect() as body:
            yield block
        refuse_loose(body, "choose", "when")
        self._trace.add(model.Choose(id, tuple(block.cases), block.default))

    @contextmanager
    def each(self, items: Ref, id: str, *, at_once: int = 1) -> Iterator[Ref]:
        """Run the block for each element of a list; ``as`` gets a reference to the element.

        `collect` inside it keeps a value of each element.

        Args:
            items: the list.
            id: of the node, and the name of the element.
            at_once: how many elements at one time.
        """
        if not isinstance(items, Ref):
            raise ConfigError(
                f"{users_line()}: each goes through a reference, not a {kind_of(items)}"
            )
        if type(at_once) is not int:
            raise ConfigError(f"{users_line()}: at_once must be a whole number")
        self._collections.append((id, []))
        with self._trace.collect() as body:
            yield Ref(model.Reference(id))
        _, kept = self._collections.pop()
        self._trace.add(model.Each(id, items.reference, tuple(body), at_once, *kept))

    def collect(self, value: Json | Ref) -> Ref:
        """Keep a value of each element of the `each` around it; return a reference to their list.

        The list can be read behind the block, and has the order of the elements.

        Raises:
            ConfigError: there is no `each` around it, or it collects something already.
        """
        if not self._collections or self._collections[-1][1]:
            raise ConfigError(f"{users_line()}: collect once, and inside an `each`")
        id, kept = self._collections[-1]
        kept.append(template_of(value, f"{users_line()}: collect"))
        return Ref(model.Reference(id))

    @contextmanager
    def repeat(self, id: str | None = None, *, at_most: int) -> Iterator[RepeatBlock]:
        """Run the block again and again, until the test of `RepeatBlock.until` holds at its end.

        If it does not hold after `at_most` rounds, the flow fails with ``Flow.TooManyRounds``. Each
        round calls its steps with keys of its own.

        Raises:
            ConfigError: the block has no test.
        """
        block = RepeatBlock(id or self._trace.number("repeat"))
        with self._trace.collect() as body:
            yield block
        if block.condition is None or type(at_most) is not int:
            raise ConfigError(
                f"{users_line()}: `repeat` needs at_most=, a whole number, and in its block a test "
                "that ends it, like loop.until(job['done'] == True)"
            )
        self._trace.add(model.Repeat(block.id, tuple(body), block.condition, at_most))

    def wait(
        self,
        seconds: int | str | Ref | None = None,
        *,
        until: Ref | None = None,
        id: str | None = None,
    ) -> None:
        """Wait; no process is needed meanwhile.

        Args:
            seconds: a whole number, a text like ``"5m"``, or a reference to a number.
            until: instead, a reference to a time: a text like ``2026-01-31T12:00:00Z``, or Unix
                seconds. If it has passed, the flow continues at once.
            id: of the node.
        """
        id = id or self._trace.number("wait")
        self._trace.add(model.Wait(id, *_time(f"{users_line()}: wait", seconds, until)))

    def event(
        self,
        *names: str,
        timeout: int | str | Ref | None = None,
        until: Ref | None = None,
        id: str | None = None,
    ) -> Ref:
        """Wait for an event that `Client.send_event` sends to the run; return its value.

        An event that came before is kept for the first wait of its name. Without one in time, the
        flow fails with ``Flow.NoEvent``.

        Args:
            names: of the events. With several, the first counts, and the value has the fields
                ``event``, its name, and ``value``.
            timeout: seconds to wait for it, as for `wait`; by default without a limit.
            until: instead, a reference to a time.
            id: by default the name, with hyphens.
        """
        return self._event(names, id, timeout, until)

    def approval(
        self,
        question: Json | Ref,
        *,
        timeout: int | str | Ref | None = None,
        until: Ref | None = None,
        id: str | None = None,
    ) -> Ref:
        """Ask a person; return the answer, with the fields ``approved``, ``by`` and ``note``.

        ``leeward status`` and the console show the question. ``leeward workflow approve`` and
        ``deny`` answer it, and so does `Client.send_event` with the node's id as the event's name;
        in a loop with the number behind it: ``may-ship.2``.

        Args:
            question: a text, or JSON with references in it.
            timeout: as for `event`.
            until: as for `event`.
            id: of the node, and the name of the event.
        """
        id = id or self._trace.number("approval")
        return self._event((id,), id, timeout, until, question)

    def _event(
        self,
        names: tuple[str, ...],
        id: str | None,
        timeout: int | str | Ref | None,
        until: Ref | None,
        question: Json | Ref = None,
    ) -> Ref:
        if not all(isinstance(name, str) for name in names):
            raise ConfigError(f"{users_line()}: the name of an event is a text")
        if id is None:
            by_name = names[0].lower().replace(".", "-").replace("_", "-") if names else ""
            id = by_name if len(names) == 1 else self._trace.number("event")
        where = f"{users_line()}: event {id!r}"
        time = _time(where, timeout, until)
        self._trace.add(model.EventNode(id, names, *time, template_of(question, where)))
        return Ref(model.Reference(id))

    def run(
        self,
        flow: str | model.Definition,
        value: Json | Ref = None,
        *,
        id: str | None = None,
        undo: Function | None = None,
        undo_timeout: int | str | None = None,
        undo_retry: Retry | None = None,
    ) -> Ref:
        """Run another workflow of the app, and wait for its end; return its result.

        It fails as the other run does, and a cancel or the end of the time reaches the other run.

        Args:
            flow: the workflow, or its name.
            value: the input, JSON with references in it.
            id: by default the workflow's name.
            undo: the function that compensates the whole run, for the saga around it, as for
                `step`. What the other run did before it failed, it has taken back itself.
            undo_timeout: of each attempt of the undo.
            undo_retry: by default every failure, five times more.
        """
        name = flow.name if isinstance(flow, model.Definition) else flow
        where = f"{users_line()}: run {name!r}"
        if not isinstance(name, str):
            raise ConfigError(f"{where}: it is a workflow or its name, not a {kind_of(flow)}")
        undone = None if undo is None else self._undo(undo, undo_timeout, undo_retry, where)
        node = model.Child(id or name, name, template_of(value, where), undone)
        self._trace.add(node)
        return Ref(model.Reference(node.id))

    def stop(self, result: Json | Ref = None, *, id: str | None = None) -> None:
        """End the run successfully, with a result."""
        id = id or self._trace.number("stop")
        self._trace.add(model.Stop(id, template_of(result, f"{users_line()}: stop {id!r}")))

    def fail(self, error: str, *, id: str | None = None) -> None:
        """Raise an error, named like a class: ``OrderFailed``."""
        if not isinstance(error, str):
            raise ConfigError(
                f"{users_line()}: fail takes the name of an error, like 'OrderFailed'"
            )
        self._trace.add(model.Fail(id or self._trace.number("fail"), error))

    def _undo(
        self, undo: Function, timeout: int | str | None, retry: Retry | None, where: str
    ) -> model.Undo:
        named = self._resolve_function(undo)
        seconds = seconds_of(
            (whole_seconds(named.timeout) or STEP_TIMEOUT) if timeout is None else timeout,
            f"{where}: undo_timeout",
        )
        return model.Undo(named.name, seconds, retry_of(retry, UNDO_RETRY, where))

    def _resolve_function(self, function: Function) -> FlowFunction:
        if isinstance(function, str):
            return FlowFunction(function)
        if not callable(function):
            raise ConfigError(
                f"{users_line()}: a step calls a function of the app, or a logical name, "
                f"not a {kind_of(function)}"
            )
        try:
            return self._resolve(function)
        except ConfigError as error:
            raise ConfigError(f"{users_line()}: {error}") from None


Body: TypeAlias = Callable[[Flow, Ref], object]

_TAKES_ANY: Final = 0x04
"""Flag of code, as `inspect` names it: CO_VARARGS."""


def workflow(
    name: str, *, timeout: int | str | None = None, resolve: Resolve | None = None
) -> Callable[[Body], model.Definition]:
    """Make a definition of the decorated function, which runs once, now.

    Args:
        name: of the workflow.
        timeout: of a whole run, checked before each step: seconds, or a text like ``"24h"``.
        resolve: returns the logical name and effect of a function object. By default the name is
            the function's own, with hyphens for underscores.

    Raises:
        ConfigError: the flow is wrong, or an engine cannot run it; the message names the line.
    """
    if not isinstance(name, str):
        raise ConfigError("a workflow needs a name, in parentheses: write @app.workflow('order')")

    def trace(body: Body) -> model.Definition:
        traced = Trace()
        place = _line_of_function(body, name)
        body(Flow(traced, resolve or by_own_name), Ref(model.Reference(model.INPUT)))
        definition = model.Definition(
            name,
            tuple(traced.block),
            None if timeout is None else seconds_of(timeout, f"{place}: timeout"),
        )
        check_definition(definition, lambda node: traced.line_of(node) or place)
        return definition

    return trace


def _line_of_function(body: Body, name: str) -> str:
    """Return the file and line of a flow's function, after a check of its parameters."""
    code = getattr(body, "__code__", None)
    if code is None:
        return f"workflow {name!r}"
    place = f"{code.co_filename}:{code.co_firstlineno}"
    if code.co_argcount != 2 and not code.co_flags & _TAKES_ANY:
        raise ConfigError(
            f"{place}: the function of a workflow takes a Flow and a Ref of the input, and nothing "
            "else: def flow(w, value)"
        )
    return place
