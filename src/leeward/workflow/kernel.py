"""Interprets a workflow: a generator that yields commands and receives their results.

Pure: no clock, no I/O, no randomness. So the same definition, input and answers give the same run
on every runner: the embedded engine, an orchestrator that replays, a test. `Machine` is the
generator as an object. `fill` and `holds` define templates and conditions, for every export, too:
a missing value is null, and only an object has fields.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from leeward.json_text import DEEPEST, is_deeper
from leeward.records import NamedTuple
from leeward.values import Effect, Json
from leeward.values.runs import child_id
from leeward.values.settled import Verdict
from leeward.workflow import model
from leeward.workflow.commands import (
    NO_LIMIT,
    UNSETTLED,
    Answer,
    Command,
    Returned,
    Sleep,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
)
from leeward.workflow.limits import most
from leeward.workflow.retry import Retry

UNDO_AT_ONCE: Final = 10
"""Undos at one time, if a saga is taken back in parallel."""

QUESTION_SECONDS: Final = 30
"""Seconds, at most, for one question what became of a step, as for `Client.settle`."""


LONGEST_CHILD: Final = 160
"""Characters of the id of a run that another one starts, so that a step's key has at most 255."""


class Together(NamedTuple):
    """Run generators concurrently, `at_once` at one time.

    The answer is the list of their results, in their order.
    """

    blocks: tuple[Running, ...]
    at_once: int


Running: TypeAlias = Generator[Command | Together, Any, Any]


class _Failed(Exception):
    def __init__(self, failure: StepFailure) -> None:
        super().__init__(failure.name)
        self.failure = failure


class _Stopped(Exception):
    def __init__(self, result: Json) -> None:
        super().__init__()
        self.result = result


class _Done(NamedTuple):
    """A step to take back if its saga fails."""

    path: str
    undo: model.Undo
    payload: Json
    result: Json


class _Scope:
    """The state of one branch."""

    __slots__ = ("done", "guarded", "kept", "run", "suffix", "variables", "workflow")

    def __init__(
        self, workflow: str, run: str, variables: dict[str, Json], kept: Mapping[str, str]
    ) -> None:
        self.workflow, self.run, self.kept = workflow, run, kept
        self.suffix = ""
        self.variables = variables
        self.guarded = True
        self.done: list[_Done] | None = None

    def branch(self, suffix: str = "") -> _Scope:
        scope = _Scope(self.workflow, self.run, dict(self.variables), self.kept)
        scope.suffix = self.suffix + suffix
        scope.guarded = self.guarded
        scope.done = None if self.done is None else []
        return scope

    def key(self, path: str) -> str:
        return f"{self.workflow}/{self.kept.get(path.removesuffix('/undo'), self.run)}/{path}"

    def conclude(
        self, node: model.Step | model.Child, path: str, payload: Json, end: _StepEnd
    ) -> None:
        """Keep a result, and what is to be undone; raise a failure."""
        value = end.answer.value if isinstance(end.answer, Returned) else None
        may_have_run = end.may_have_run or isinstance(end.answer, Returned)
        if may_have_run and node.undo is not None and self.done is not None:
            self.done.append(_Done(path, node.undo, payload, value))
        if isinstance(end.answer, StepFailure):
            raise _Failed(end.answer)
        self.variables[node.id] = value


def execution(
    definition: model.Definition, run: str, value: Json, kept: Mapping[str, str]
) -> Running:
    """Return a run as a generator, which returns a `Returned` or a `StepFailure` in the end.

    `kept` has, by path, the run whose key a step has, if that is another one.
    """
    scope = _Scope(definition.name, run, {model.INPUT: value}, kept)
    try:
        yield from _block(definition.body, scope)
    except _Stopped as stopped:
        return Returned(stopped.result)
    except _Failed as failed:
        return failed.failure
    return Returned(None)


def _block(block: model.Block, scope: _Scope) -> Running:
    for node in block:
        match node:
            case model.Choose():
                bodies = (case.body for case in node.cases if holds(case.when, scope.variables))
                yield from _block(next(bodies, node.otherwise), scope)
            case model.Stop():
                raise _Stopped(fill(node.result, scope.variables))
            case model.Fail():
                raise _Failed(StepFailure(node.error))
            case _:
                yield from _NODES[node.kind](node, scope)


def _step(step: model.Step, scope: _Scope) -> Running:
    path = step.id + scope.suffix
    payload = fill(step.payload, scope.variables)
    if step.undo is not None and is_deeper(payload, DEEPEST - 1):
        # Its undo has the payload one level deeper, and would be refused.
        raise _Failed(StepFailure(model.REFUSED))
    call = StepCall(
        path,
        1,
        step.function,
        payload,
        scope.key(path),
        step.effect,
        step.timeout,
        scope.guarded,
        step.retry.attempts,
    )
    end = yield from _attempts(call, step.retry, settles=bool(step.settle))
    scope.conclude(step, path, payload, end)


def _run(node: model.Child, scope: _Scope) -> Running:
    path, value = node.id + scope.suffix, fill(node.input, scope.variables)
    id = child_id(scope.workflow, scope.run, path)
    if id.count(".") > 2 * most("children") or len(id) > LONGEST_CHILD:
        raise _Failed(StepFailure(model.TOO_DEEP))
    if node.undo is not None and is_deeper(value, DEEPEST - 1):
        raise _Failed(StepFailure(model.REFUSED))
    names = (f"{node.flow}/{id}",)
    answer = yield Sleep(path, 1, NO_LIMIT, scope.guarded, names=names, input=value)
    end = _StepEnd(answer)
    if isinstance(answer, StepFailure):
        steps = tuple(f"{path}/{step}" for step in answer.steps)
        end = _StepEnd(answer._replace(steps=steps), answer.ambiguous)
    scope.conclude(node, path, value, end)


def _wait(node: model.Wait | model.EventNode, scope: _Scope) -> Running:
    path, question = node.id + scope.suffix, None
    names: tuple[str, ...] = ()
    if isinstance(node, model.EventNode):
        names, question = node.names, fill(node.question, scope.variables)
        if node.question is not None:  # an answer is of one round and one element
            names, question = (path.replace("/", "."),), node.id if question is None else question
    seconds, until = _time(node.seconds, scope), _time(node.until, scope)
    limit = NO_LIMIT if seconds is None else seconds
    answer = yield Sleep(path, 1, limit, scope.guarded, until, names, question)
    if isinstance(answer, StepFailure):
        raise _Failed(answer)
    if names:
        scope.variables[node.id] = answer.value


def _time(given: int | model.Reference | None, scope: _Scope) -> float | None:
    """Return seconds, given or referred to: a number, or a text with a time (RFC 3339)."""
    if not isinstance(given, model.Reference):
        return given
    value = look_up(given, scope.variables)
    try:
        if isinstance(value, str):
            from datetime import datetime

            moment = datetime.fromisoformat(value)
            value = None if moment.tzinfo is None else moment.timestamp()
        if type(value) in (int, float) and 0 <= value < NO_LIMIT:
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise _Failed(StepFailure(model.NOT_A_TIME))


def _repeat(node: model.Repeat, scope: _Scope) -> Running:
    suffix, before = scope.suffix, scope.variables
    for number in range(1, node.at_most + 1):
        scope.variables = {**before, node.id: number}  # nothing of the round before
        scope.suffix = f"{suffix}/{number}"  # so that each round has keys of its own
        try:
            yield from _block(node.body, scope)
        finally:
            scope.suffix = suffix
        if holds(node.until, scope.variables):
            return
    raise _Failed(StepFailure(model.TOO_MANY_ROUNDS))


def repeats_ambiguous(retry: Retry) -> bool:
    """Return whether a step may be tried again although it may have run.

    Then its last error does not show whether it ran, so it is always taken back.
    """
    return retry.attempts > 1 and any(retry.covers(name) for name in model.AMBIGUOUS)


class _StepEnd(NamedTuple):
    """How a step ended, and whether it may have run although it failed."""

    answer: Answer
    may_have_run: bool = False


def _attempts(
    call: StepCall, retry: Retry, *, settles: bool = False
) -> Generator[Command, Any, _StepEnd]:
    """Make a call, as often as its retry allows.

    If it `settles`, a call that may have run is settled before the step fails. If it ran, its
    result counts; if it did not, it is tried again by its retry.
    """
    doubts: tuple[StepFailure, ...] = ()
    patience = Patience(call.timeout)
    while True:
        answer: Answer = yield call
        if isinstance(answer, Returned):
            return _StepEnd(answer)
        # If one attempt may have run, later attempts do not change that.
        doubts = (*doubts, answer) if answer.ambiguous or answer.doubtful else doubts
        answer = answer._replace(ambiguous=any(doubt.ambiguous for doubt in doubts))
        may_have_run = answer.ambiguous or (
            repeats_ambiguous(retry) and answer.name not in model.UNSTOPPABLE
        )
        asks = settles and (may_have_run or doubts)
        if asks and not _is_tried_again(answer, call, retry):
            targets = _targets_of(doubts)
            verdict, patience = yield from _settle(call, targets, patience)
            answer, may_have_run = _end_after(answer, verdict, may_have_run=may_have_run)
            if isinstance(answer, Returned):
                return _StepEnd(answer)
            if verdict.verdict is not Verdict.UNKNOWN:
                call, doubts = call._replace(voids=max(call.voids, verdict.voids)), ()
        if not _is_tried_again(answer, call, retry):
            return _StepEnd(answer._replace(spent=False, targets=()), may_have_run)
        random_unit = _jitter(call.key, call.attempt) if retry.jitter == "full" else 1.0
        pause = retry.pause(call.attempt, random_unit)
        yield Sleep(f"{call.path}/pause", call.attempt, pause, guarded=False)
        call = call._replace(attempt=call.attempt + 1, guarded=False)


def _is_tried_again(answer: StepFailure, call: StepCall, retry: Retry) -> bool:
    if answer.spent or call.attempt >= retry.attempts:
        return False
    return answer.name not in model.UNSTOPPABLE and retry.covers(answer.name)


def _targets_of(ambiguous: Sequence[StepFailure]) -> tuple[str, ...]:
    """Return where the calls may have run; empty if that is unknown for one of them."""
    if not all(failure.targets for failure in ambiguous):
        return ()
    return tuple(dict.fromkeys(target for failure in ambiguous for target in failure.targets))


class Patience(NamedTuple):
    """The time left to ask what became of a step: in all as long as the step may take.

    The pauses grow fast, because some engines keep a limited history.

    Attributes:
        left: seconds to wait for answers.
        pause: seconds before the next question, at least.
        questions: so far.
    """

    left: int
    pause: int = 1
    questions: int = 0


LONGER: Final = 4
"""The factor from one pause between questions to the next."""


def _settle(
    call: StepCall, targets: tuple[str, ...], patience: Patience
) -> Generator[Command, Any, tuple[StepVerdict, Patience]]:
    """Ask what became of the calls of a step.

    Returns:
        What became of them, UNKNOWN if they still run; and the time left.
    """
    left, pause, count = patience
    question = StepQuestion(
        f"{call.path}/settle",
        count,
        call.function,
        call.payload,
        call.key,
        call.effect,
        min(call.timeout, QUESTION_SECONDS),
        call.voids,
        targets,
    )
    while True:
        count += 1
        verdict: StepVerdict = yield question._replace(attempt=count)
        if verdict.verdict is not Verdict.RUNNING:
            return verdict, Patience(left, pause, count)
        if left <= 0:
            doubt = StepFailure(model.UNKNOWN, ambiguous=True)
            return UNSETTLED._replace(answer=doubt), Patience(left, pause, count)
        seconds = min(left, max(pause, verdict.retry_after))
        yield Sleep(f"{call.path}/settle/pause", count, float(seconds), guarded=False)
        left, pause = left - seconds, LONGER * pause


def _end_after(
    failure: StepFailure, verdict: StepVerdict, *, may_have_run: bool
) -> tuple[Answer, bool]:
    """Return how a step has ended by its verdict, and whether it may have run."""
    if verdict.verdict is Verdict.RAN and verdict.answer is not None:
        answer = verdict.answer
        if isinstance(answer, StepFailure) and not answer.ambiguous and failure.doubtful:
            return failure._replace(ambiguous=False), False  # its own error, with its own name
        return answer, isinstance(answer, StepFailure) and answer.ambiguous
    if verdict.verdict is Verdict.NOT_RUN:
        name = model.NOT_SENT if failure.name in model.AMBIGUOUS else failure.name
        return failure._replace(name=name, ambiguous=False), False
    return failure, may_have_run or verdict.answer is not None


def _jitter(key: str, attempt: int) -> float:
    """Return a number from 0 to 1, the same in each replay of a run."""
    from hashlib import sha256

    return int.from_bytes(sha256(f"{key}#{attempt}".encode()).digest()[:4], "big") / 2**32


def _attempt(node: model.AttemptNode, scope: _Scope) -> Running:
    try:
        yield from _block(node.body, scope)
        return
    except _Failed as failed:
        failure = failed.failure
    handler = handler_of(node.handlers, failure.name)
    if handler is None:
        raise _Failed(failure)
    if failure.final:
        scope.guarded = False
    scope.variables[node.id] = {"name": failure.name, "steps": list(failure.steps)}
    try:
        yield from _block(handler.body, scope)
    except _Stopped:
        if not failure.final:
            raise
    except _Failed as failed:
        # A failure in a handler replaces its error, and is as final.
        final = failure.final or failed.failure.final
        raise _Failed(failed.failure._replace(final=final)) from None
    if failure.final:
        raise _Failed(failure)


def handler_of(handlers: Sequence[model.ErrorHandler], name: str) -> model.ErrorHandler | None:
    """Return the first handler that takes errors of a name."""
    return next(
        (handler for handler in handlers if name in handler.errors or model.ANY in handler.errors),
        None,
    )


def _saga(node: model.Saga, scope: _Scope) -> Running:
    outer, scope.done = scope.done, []
    try:
        yield from _block(node.body, scope)
    except _Stopped:
        _keep_done(outer, scope)
        raise
    except _Failed as failed:
        done, scope.done = scope.done, outer
        lost = yield from _compensation(done, node, scope)
        if not lost:
            raise
        final = failed.failure.final
        raise _Failed(
            StepFailure(model.COMPENSATION_FAILED, steps=tuple(lost), final=final)
        ) from None
    _keep_done(outer, scope)


def _keep_done(outer: list[_Done] | None, scope: _Scope) -> None:
    """Hand the steps of a saga over to the saga around it."""
    if outer is not None and scope.done is not None:
        outer += scope.done
    scope.done = outer


def _compensation(
    done: list[_Done], node: model.Saga, scope: _Scope
) -> Generator[Any, Any, list[str]]:
    """Undo steps; return the paths of steps that could not be undone."""
    undone = tuple(_undo(step, scope) for step in reversed(done))
    at_once = 1 if node.undo == "reverse" else UNDO_AT_ONCE
    answers = yield Together(undone, at_once)
    return [
        step.path
        for step, answer in zip(reversed(done), answers, strict=True)
        if isinstance(answer, StepFailure)
    ]


def _undo(step: _Done, scope: _Scope) -> Generator[Command, Any, Answer]:
    path = f"{step.path}/undo"
    result = None if is_deeper(step.result, DEEPEST - 1) else step.result
    payload = {"key": scope.key(step.path), "payload": step.payload, "result": result}
    undo = step.undo
    call = StepCall(
        path,
        1,
        undo.function,
        payload,
        scope.key(path),
        Effect.IDEMPOTENT,
        undo.timeout,
        guarded=False,
        attempts=undo.retry.attempts,
    )
    return (yield from _attempts(call, undo.retry)).answer


def _parallel(node: model.Parallel, scope: _Scope) -> Running:
    inner = [scope.branch() for _ in node.branches]
    failure = yield from _run_parallel(
        scope, inner, [branch.body for branch in node.branches], at_once=len(node.branches)
    )
    # A result can be read behind the step, and by handlers, as on every engine.
    for branch in inner:
        added = branch.variables.keys() - scope.variables.keys()
        scope.variables.update({name: branch.variables[name] for name in sorted(added)})
    if failure is not None:
        raise _Failed(failure)


def _each(node: model.Each, scope: _Scope) -> Running:
    items = look_up(node.items, scope.variables)
    inner = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        branch = scope.branch(f"/{index}")
        branch.variables[node.id] = item
        inner.append(branch)
    failure = yield from _run_parallel(scope, inner, [node.body] * len(inner), at_once=node.at_once)
    if failure is not None:
        raise _Failed(failure)
    if node.collect is not None:
        values = [fill(node.collect, branch.variables) for branch in inner]
        scope.variables[node.id] = values


def _run_parallel(
    scope: _Scope, inner: list[_Scope], bodies: Sequence[model.Block], *, at_once: int
) -> Generator[Any, Any, StepFailure | None]:
    """Run blocks concurrently; when all have ended, return the error of the first that has one."""
    running = tuple(_catch(body, scope_) for body, scope_ in zip(bodies, inner, strict=True))
    failures = yield Together(running, at_once)
    for branch_scope in inner:
        if scope.done is not None and branch_scope.done is not None:
            scope.done += branch_scope.done
    return next((failure for failure in failures if failure is not None), None)


def _catch(body: model.Block, scope: _Scope) -> Generator[Any, Any, StepFailure | None]:
    try:
        yield from _block(body, scope)
    except _Failed as failed:
        return failed.failure
    return None


_NODES: Final[Mapping[str, Callable[[Any, _Scope], Running]]] = {
    "step": _step,
    "attempt": _attempt,
    "saga": _saga,
    "parallel": _parallel,
    "each": _each,
    "repeat": _repeat,
    "wait": _wait,
    "event": _wait,
    "run": _run,
}


class Machine:
    """A run under way.

    Attributes:
        open: the commands to carry out or under way, in order.
        end: how the run ended; None before.
    """

    def __init__(
        self,
        definition: model.Definition,
        run: str,
        value: Json,
        kept: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.open: dict[tuple[str, int], Command] = {}
        self.end: Answer | None = None
        self._tasks: dict[tuple[str, int], _Task] = {}
        self._advance(_Task(execution(definition, run, value, kept), None, 0), None)

    def resolve(self, command: Command, answer: Answer | StepVerdict) -> None:
        """Record a command's result and advance: new commands are in `open`, the end in `end`."""
        place = (command.path, command.attempt)
        del self.open[place]
        self._advance(self._tasks.pop(place), answer)

    def _advance(self, task: _Task, answer: Any) -> None:
        """Advance a task, and the tasks that wait for its end."""
        ready = deque([(task, answer)])
        while ready:
            task, answer = ready.popleft()
            try:
                wanted = task.running.send(answer)
            except StopIteration as ended:
                if task.group is None:
                    self.end = ended.value
                else:
                    ready.extend(task.group.note_end(task.place, ended.value))
                continue
            if not isinstance(wanted, Together):
                place = (wanted.path, wanted.attempt)
                self.open[place] = wanted
                self._tasks[place] = task
                continue
            group = _Group(task, wanted.blocks, wanted.at_once)
            ready.extend(group.begin() or [(task, [])])


class _Task(NamedTuple):
    running: Running
    group: _Group | None
    place: int


class _Group:
    """Concurrent tasks, for which another task waits."""

    def __init__(self, waiting: _Task, blocks: tuple[Running, ...], at_once: int) -> None:
        self._waiting = waiting
        self._values: list[Any] = [None] * len(blocks)
        self._left = len(blocks)
        self._at_once = at_once
        self._pending = deque(_Task(block, self, index) for index, block in enumerate(blocks))

    def begin(self) -> list[tuple[_Task, Any]]:
        """Return the tasks that begin at once."""
        return [(self._pending.popleft(), None) for _ in range(min(self._at_once, self._left))]

    def note_end(self, index: int, value: Any) -> list[tuple[_Task, Any]]:
        """Note the end of a task; return the tasks that continue now."""
        self._values[index] = value
        self._left -= 1
        if not self._left:
            return [(self._waiting, self._values)]
        return [(self._pending.popleft(), None)] if self._pending else []


def fill(template: model.Template, variables: Mapping[str, Json]) -> Json:
    """Return a template with the values in place of its references; a name without one is null."""
    if isinstance(template, model.Reference):
        return look_up(template, variables)
    if isinstance(template, Mapping):
        return {name: fill(part, variables) for name, part in template.items()}
    if isinstance(template, tuple):
        return [fill(part, variables) for part in template]
    return template


def look_up(reference: model.Reference, variables: Mapping[str, Json]) -> Json:
    """Return the value of a reference."""
    value = variables.get(reference.name)
    for field in reference.path:
        value = value.get(field) if isinstance(value, dict) else None
    return value


def holds(condition: model.Condition, variables: Mapping[str, Json]) -> bool:
    """Return whether a condition holds."""
    if isinstance(condition, model.Compare):
        right = condition.right
        if isinstance(right, model.Reference):
            right = look_up(right, variables)
        return _compare(look_up(condition.left, variables), condition.op, right)
    if isinstance(condition, model.OneOf):
        left = look_up(condition.left, variables)
        return any(_equal(left, value) for value in condition.values)
    if isinstance(condition, model.Present):
        return look_up(condition.left, variables) is not None
    if isinstance(condition, model.Not):
        return not holds(condition.inner, variables)
    if isinstance(condition, model.All):
        return all(holds(part, variables) for part in condition.inner)
    assert isinstance(condition, model.Some)
    return any(holds(part, variables) for part in condition.inner)


def _compare(left: Json, op: str, right: Json) -> bool:
    if op == "==":
        return _equal(left, right)
    if op == "!=":
        return not _equal(left, right)
    same = _type(left) == _type(right) and _type(left) in ("number", "string")
    return same and _ORDER[op](left, right)


def _equal(left: Json, right: Json) -> bool:
    """Compare plain values; lists and objects are equal to nothing."""
    kind = _type(left)
    return kind is not None and kind == _type(right) and bool(left == right)


def _type(value: Json) -> str | None:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else None


_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
