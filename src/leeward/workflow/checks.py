"""Checks that every engine can run a definition, when it is made.

An error names the user's line, the engine that sets the limit, and the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Final

from leeward._operations.arguments import check_name
from leeward.errors import ConfigError, InvalidRequest, NotFound
from leeward.json_text import encode
from leeward.records import NamedTuple
from leeward.values import Effect, Json
from leeward.workflow import model
from leeward.workflow.limits import LIMITS, excess, most
from leeward.workflow.retry import Retry

_WORK: Final = (model.Step, model.Child)
Where = Callable[[model.Node | None], str]
"""Returns the place of a node for messages; for None, of the whole definition."""

DEEPEST: Final = 50
"""Levels of blocks, of tests, and of lists and objects in a payload: reading or running a document
takes one or more stack frames for each."""

_ID: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RUN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_CHILD_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,200}")  # of what another run has started
_ERROR: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
EVENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
EVENT_RULE: Final = "an event's name is 1 to 80 letters, digits, '.', '-' and '_', like order.paid"


def check_definition(definition: model.Definition, where: Where) -> None:
    """Check that every engine can run a definition.

    Raises:
        ConfigError: it names the place, the engine and the remedy.
    """
    name = definition.name
    if not _is_id(name):
        raise ConfigError(f"{where(None)}: the workflow's name {name!r} is not an id; {_id_rule()}")
    check = _Check(where)
    check.block(definition.body, _Scope(frozenset({model.INPUT})))
    if not any(isinstance(node, _WORK) for node in model.nodes(definition.body)):
        raise ConfigError(f"{where(None)}: the workflow {name!r} has no step; add one")
    try:
        size = len(encode(model.document_of(definition)))
    except UnicodeEncodeError:
        flaw = f"the workflow {name!r} has a text with half of a pair of surrogates; leave it out"
        raise ConfigError(f"{where(None)}: {flaw}") from None
    if size > most("definition"):
        flaw = f"the workflow {name!r} has {size} {excess('definition')}"
        raise ConfigError(f"{where(None)}: {flaw}")


def check_portable(definition: model.Definition) -> None:
    """Check that a cloud's engine can run a definition: not only leeward's own.

    Raises:
        ConfigError: it names the node, and the remedy.
    """
    for node in model.nodes(definition.body):
        is_new = isinstance(node, model.EventNode | model.Repeat | model.Child) or (
            isinstance(node, model.Each) and node.collect is not None
        )
        if is_new or (isinstance(node, model.Wait) and type(node.seconds) is not int):
            limit = LIMITS["events"]
            raise ConfigError(
                f"the workflow {definition.name!r} cannot be exported: its {node.kind} "
                f"{node.id!r} needs {limit.what}; {limit.instead}"
            )


def check_input(value: Json) -> None:
    """Check the size of a run's input.

    Raises:
        InvalidRequest: not every engine takes it.
    """
    size = len(encode(value))
    if size > most("input"):
        raise InvalidRequest(f"the input has {size} {excess('input')}", field="value")


def check_event(name: object, id: object, value: Json) -> None:
    """Check the name, the id and the size of an event.

    Raises:
        InvalidRequest: one of them is wrong.
    """
    for field, text in (("event", name), ("id", id)):
        if not isinstance(text, str) or not EVENT.fullmatch(text):
            rule = EVENT_RULE if field == "event" else EVENT_RULE.replace("name", "id")
            raise InvalidRequest(rule, field=field)
    size = len(encode(value))
    if size > most("input"):
        raise InvalidRequest(f"the event has {size} {excess('input')}", field="value")


def check_run_id(workflow: object, id: object, *, of_child: bool = False) -> str:
    """Check the name of a workflow and the id of a run; return the id.

    Raises:
        InvalidRequest: not every engine takes it.
    """
    check_name(workflow, "workflow")
    pattern = _CHILD_ID if of_child else _RUN_ID
    if not isinstance(id, str) or not pattern.fullmatch(id):
        raise InvalidRequest(
            "the id of a run must be 1 to 80 letters, digits, '-' and '_'", field="id"
        )
    return id


class _Scope(NamedTuple):
    """The surroundings of one place of a definition.

    Attributes:
        names: that may be referred to.
        in_saga: a saga is around it, and no `each` between.
        levels: of `parallel` and `each` around it.
        depth: blocks around it.
        each_in_saga: an `each` is around it, and a saga around that.
    """

    names: frozenset[str]
    in_saga: bool = False
    levels: int = 0
    depth: int = 0
    each_in_saga: bool = False


class _Check:
    """One walk over a definition."""

    def __init__(self, where: Where) -> None:
        self.where = where
        self.ids: set[str] = {model.INPUT}

    def block(self, block: model.Block, scope: _Scope) -> frozenset[str]:
        """Check the nodes of a block; return the names that may be referred to behind it."""
        names = scope.names
        for node in block:
            self.need(
                node, scope.depth <= DEEPEST, f"stands in more than {DEEPEST} blocks; {_FLAT}"
            )
            names = self.node(node, scope._replace(names=names, depth=scope.depth + 1))
        return names

    def node(self, node: model.Node, scope: _Scope) -> frozenset[str]:
        """Check one node; return the names that may be referred to behind it."""
        self.id(node, node.id)
        names: frozenset[str] = getattr(self, node.kind)(node, scope)
        return names

    def saga(self, node: model.Saga, scope: _Scope) -> frozenset[str]:
        return self.block(node.body, scope._replace(in_saga=True))

    def repeat(self, node: model.Repeat, scope: _Scope) -> frozenset[str]:
        self.most(node, node.at_most, "rounds")
        names = self.block(node.body, scope._replace(names=scope.names | {node.id}))
        self.condition(node, node.until, scope._replace(names=names))
        return names

    def wait(self, node: model.Wait, scope: _Scope) -> frozenset[str]:
        is_one = (node.seconds is None) is not (node.until is None)
        self.need(node, is_one, "needs seconds or `until`, and not both")
        return self.time(node, scope)

    def fail(self, node: model.Fail, scope: _Scope) -> frozenset[str]:
        flaw = f"fails with {node.error!r}; an error is named like a class: OrderFailed"
        self.need(node, _ERROR.fullmatch(node.error) is not None, flaw)
        return scope.names

    def time(self, node: model.Wait | model.EventNode, scope: _Scope) -> frozenset[str]:
        given = (node.seconds, node.until)
        self.references(node, [at for at in given if isinstance(at, model.Reference)], scope)
        if isinstance(node.seconds, int):
            self.most(node, node.seconds, "year")
        return scope.names

    def event(self, node: model.EventNode, scope: _Scope) -> frozenset[str]:
        self.time(node, scope)
        is_one = node.seconds is None or node.until is None
        self.need(node, is_one, "has a timeout and `until`; leave one out")
        self.template(node, node.question, scope)
        self.most(node, len(node.names), "names")
        self.need(node, len({*node.names}) == len(node.names), "names an event twice")
        for name in node.names:
            self.need(node, EVENT.fullmatch(name) is not None, f"waits for {name!r}; {EVENT_RULE}")
        return scope.names | {node.id}

    def stop(self, node: model.Stop, scope: _Scope) -> frozenset[str]:
        self.template(node, node.result, scope)
        if scope.levels:
            raise self.refusal(node, "stop")
        return scope.names

    def choose(self, node: model.Choose, scope: _Scope) -> frozenset[str]:
        self.need(node, bool(node.cases), "has no case; add one with `when`")
        for case in node.cases:
            self.condition(node, case.when, scope)
        return scope.names.union(*(self.block(block, scope) for block in model.blocks_of(node)))

    def step(self, step: model.Step, scope: _Scope) -> frozenset[str]:
        self.need(step, bool(step.function), "calls a function without a name; name it")
        self.template(step, step.payload, scope)
        self.most(step, step.timeout, "timeout")
        self.retry(step, step.retry)
        unproved = [error for error in step.retry.on if error not in model.PROVED]
        self.need(
            step,
            step.effect is not Effect.UNSAFE or step.retry.attempts == 1 or not unproved,
            f"is unsafe to repeat, so it may be tried again only on {' and '.join(model.PROVED)}, "
            f"which prove that it did not run; take out {', '.join(unproved)}, or declare its "
            "effect, if it is keyed or idempotent",
        )
        if step.undo is not None:
            self.undo(step, step.undo, scope)
        return scope.names | {step.id}

    def run(self, node: model.Child, scope: _Scope) -> frozenset[str]:
        flaw = f"runs the workflow {node.flow!r}, which is not an id; {_id_rule()}"
        self.need(node, _is_id(node.flow), flaw)
        self.template(node, node.input, scope)
        if node.undo is not None:
            self.undo(node, node.undo, scope)
        return scope.names | {node.id}

    def undo(self, step: model.Step | model.Child, undo: model.Undo, scope: _Scope) -> None:
        self.need(step, bool(undo.function), "has an undo without a name; name the function")
        self.most(step, undo.timeout, "timeout")
        self.retry(step, undo.retry)
        self.need(
            step,
            scope.in_saga,
            "has an undo and no saga around it; put it into `saga`",
            "undo in each",
        )
        self.need(
            step,
            not scope.each_in_saga,
            "has an undo inside an `each`, and the saga around that could not take it back; leave "
            "the outer saga out",
            "undo in each",
        )

    def retry(self, step: model.Step | model.Child, retry: Retry) -> None:
        self.most(step, retry.attempts, "attempts")
        for name in retry.on:
            self.error(step, name)

    def attempt(self, node: model.AttemptNode, scope: _Scope) -> frozenset[str]:
        names = self.block(node.body, scope)
        self.need(node, bool(node.handlers), "has no handler; add one with `on`")
        inside = scope._replace(names=names | {node.id})
        taken: set[str] = set()
        after = names | {node.id}
        for handler in node.handlers:
            self.need(
                node, bool(handler.errors), "has a handler without an error; name one, or ANY"
            )
            for name in handler.errors:
                self.error(node, name)
                self.need(node, name not in taken, f"handles {name!r} twice; keep one of them")
                self.need(
                    node, model.ANY not in taken, f"handles {name!r} behind ANY; put ANY last"
                )
                taken.add(name)
            after |= self.block(handler.body, inside)
        return after

    def parallel(self, node: model.Parallel, scope: _Scope) -> frozenset[str]:
        self.need(node, len(node.branches) > 1, "has fewer than two branches; add one")
        self.most(node, len(node.branches), "branches")
        inside = self.deeper(node, scope)
        after = scope.names
        for branch in node.branches:
            self.id(node, branch.id)
            after |= self.block(branch.body, inside)
        return after

    def each(self, node: model.Each, scope: _Scope) -> frozenset[str]:
        self.references(node, [node.items], scope)
        self.most(node, node.at_once, "at_once")
        inside = self.deeper(node, scope)
        names = scope.names | {node.id}
        around = scope.in_saga or scope.each_in_saga
        inside = inside._replace(names=names, in_saga=False, each_in_saga=around)
        inside = inside._replace(names=self.block(node.body, inside))
        self.template(node, node.collect, inside)
        return scope.names if node.collect is None else scope.names | {node.id}

    def deeper(self, node: model.Node, scope: _Scope) -> _Scope:
        self.most(node, scope.levels + 1, "nesting")
        return scope._replace(levels=scope.levels + 1)

    def condition(self, node: model.Node, condition: model.Condition, scope: _Scope) -> None:
        deep = f"has tests more than {DEEPEST} deep inside each other; {_FLAT}"
        self.need(node, _depth(condition) <= DEEPEST, deep)
        parts = list(model.conditions(condition))
        self.need(node, bool(parts), "has a condition without a comparison; add one")
        self.most(node, len(parts), "conditions")
        for part in parts:
            self.references(node, [part.left], scope)
            if isinstance(part, model.Compare) and isinstance(part.right, model.Reference):
                self.references(node, [part.right], scope)
            elif isinstance(part, model.Compare):
                self.scalar(node, part.right)
            elif isinstance(part, model.OneOf):
                for value in part.values:
                    self.scalar(node, value)

    def references(
        self, node: model.Node, references: Iterable[model.Reference], scope: _Scope
    ) -> None:
        for reference in references:
            text = model.write_template(reference)
            self.need(
                node,
                reference.name in scope.names,
                f"reads {text}, which is not known there: the input is, and what steps before it "
                "return, but not those of a branch beside it",
            )
            self.most(node, len(text), "reference")

    def template(self, node: model.Node, template: model.Template, scope: _Scope) -> None:
        self.literals(node, template, 0)
        self.references(node, model.references(template), scope)

    def literals(self, node: model.Node, template: object, depth: int) -> None:
        if isinstance(template, Mapping):
            template = tuple(template.values())
        if isinstance(template, model.Reference):
            return
        if not isinstance(template, tuple):
            self.scalar(node, template)
            return
        self.need(node, depth < DEEPEST, f"has a payload more than {DEEPEST} deep; {_FLAT}")
        for part in template:
            self.literals(node, part, depth + 1)

    def scalar(self, node: model.Node, value: object) -> None:
        self.need(
            node,
            value is None or type(value) in (bool, int, float, str),
            f"has a {type(value).__name__} where a text, a number, true, false or null must be",
        )
        if type(value) is float:
            self.need(node, isfinite(value), f"has {value}, which JSON has not; write a text")
        if type(value) is int:
            self.need(node, abs(value) <= most("integer"), f"has {value} {excess('integer')}")

    def error(self, node: model.Node, name: str) -> None:
        is_known = name in model.NAMED or name == model.ANY or _ERROR.fullmatch(name) is not None
        self.need(
            node,
            is_known,
            f"names the error {name!r}; write the class of the function's exception, or one of "
            f"{', '.join(model.NAMED)}",
        )

    def id(self, node: model.Node, id: str) -> None:
        self.need(node, _is_id(id), f"is not named by an id; give it one with id=: {_id_rule()}")
        self.need(node, id not in self.ids, "has an id that is taken; give it another with id=")
        self.ids.add(id)

    def most(self, node: model.Node, number: int, limit: str) -> None:
        self.need(node, number >= 1, f"has {number} {LIMITS[limit].what}; at least 1 is needed")
        self.need(node, number <= most(limit), f"has {number} {excess(limit)}")

    def need(self, node: model.Node, sound: bool, flaw: str, limit: str | None = None) -> None:
        if not sound:
            why = "" if limit is None else f" ({LIMITS[limit].engine}: {LIMITS[limit].instead})"
            raise ConfigError(f"{self.where(node)}: the {node.kind} {node.id!r} {flaw}{why}")

    def refusal(self, node: model.Node, limit: str) -> ConfigError:
        limited = LIMITS[limit]
        return ConfigError(
            f"{self.where(node)}: the {node.kind} {node.id!r} needs {limited.what}, which "
            f"{limited.engine} cannot do; {limited.instead}"
        )


_FLAT: Final = "flatten it, or make two workflows"


def _depth(condition: model.Condition) -> int:
    """Return how many tests stand inside each other; those beyond `DEEPEST` are not counted."""
    depth, level = 0, [condition]
    while level and depth <= DEEPEST:
        depth += 1
        inner = [part for part in level if isinstance(part, model.Not | model.All | model.Some)]
        level = [
            below
            for part in inner
            for below in ((part.inner,) if isinstance(part, model.Not) else part.inner)
        ]
    return depth


def _is_id(text: object) -> bool:
    return isinstance(text, str) and len(text) <= most("id") and _ID.fullmatch(text) is not None


def _id_rule() -> str:
    return f"small letters, digits and single hyphens, at most {most('id')}, like take-payment"


def by_name(definitions: Iterable[model.Definition]) -> dict[str, model.Definition]:
    """Return definitions by their names.

    Raises:
        ConfigError: one of them is something else, or two have one name.
    """
    named: dict[str, model.Definition] = {}
    for definition in definitions:
        if not isinstance(definition, model.Definition):
            raise ConfigError(
                f"a workflow is a Definition, not a {type(definition).__name__}; decorate "
                'the function with @workflow("name")'
            )
        # A module that is both run and imported makes its flow twice.
        if named.setdefault(definition.name, definition).digest != definition.digest:
            raise ConfigError(f"two workflows are named {definition.name!r}; rename one of them")
    return named


def known_in(definitions: Mapping[str, model.Definition], workflow: str) -> model.Definition:
    """Return the definition of a workflow.

    Raises:
        NotFound: no such workflow is known here.
    """
    definition = definitions.get(workflow)
    if definition is None:
        names = ", ".join(sorted(definitions)) or "none"
        raise NotFound(
            f"no workflow {workflow!r} is known here (known: {names}); give its definition to "
            "the client, or name it under `workflows` in leeward.toml"
        )
    return definition
