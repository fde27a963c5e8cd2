"""Random definitions, and random functions for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from leeward.values import Effect, Json
from leeward.values.settled import Verdict
from leeward.workflow import model
from leeward.workflow.checks import check_definition
from leeward.workflow.commands import Answer, Returned, StepCall, StepFailure, StepVerdict
from leeward.workflow.model import freeze
from leeward.workflow.reading import settle_of
from leeward.workflow.retry import NEVER, Retry
from leeward.workflow.steps import RESULT_LOST

ERRORS = (
    "Declined",
    "Busy",
    model.THROTTLED,
    model.NOT_SENT,
    model.REFUSED,
    model.TIMEOUT,
    model.UNKNOWN,
)
FIELDS = ("a", "b")
SCALARS: tuple[Any, ...] = (None, True, False, 0, 1, 2.5, "", "x", "1", "$a")
INPUTS: tuple[Json, ...] = (
    None,
    {"a": 1, "b": "x"},
    {"a": {"a": True, "b": None}, "b": [1, "x", {"a": 2.5}]},
    [1, 2],
    {"a": [], "b": ["x", "1"]},
)


class Maker:
    """Makes one definition. Ids are numbered, so that each is there once."""

    def __init__(
        self, random: Random, *, late: bool = False, flows: tuple[str, ...] | None = None
    ) -> None:
        self.random = random
        self.late = late
        self.flows = flows
        self.is_repeated = False
        self.count = 0
        self.each_in_saga = False

    def id(self, kind: str) -> str:
        """Return a new id."""
        self.count += 1
        return f"{kind}-{self.count}"

    def pick(self, *values: Any) -> Any:
        """Draw one of `values`."""
        return self.random.choice(values)

    def block(
        self, depth: int, names: list[str], *, levels: int = 0, in_saga: bool = False
    ) -> model.Block:
        """Draw a block; what it adds to `names` may be read behind it."""
        return tuple(self.node(depth, names, levels, in_saga) for _ in range(self.pick(1, 2, 3, 3)))

    def node(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw a node."""
        kinds = ["step"] * 6 + ["wait", "fail"]
        if levels == 0:
            kinds.append("stop")
        if depth:
            kinds += ["attempt", "attempt", "saga", "saga", "choose"]
            if levels < 2:
                kinds += ["parallel", "each"]
        if self.flows is not None:
            kinds += [
                "event",
                "event",
                "until",
                *["repeat"] * bool(depth),
                *["run"] * len(self.flows),
            ]
        make = getattr(self, self.pick(*kinds))
        node: model.Node = make(depth, names, levels, in_saga)
        return node

    def step(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw a step, whose function has its own name."""
        del depth, levels
        id = self.id("step")
        effect = self.pick(*Effect)
        payload = self.template(names)
        undo = model.Undo(f"undo-{id}", 5, Retry(on=(model.ANY,), attempts=2))
        undone = undo if in_saga and not self.each_in_saga else None
        names.append(id)
        retry, undo_of_step = self.retry(effect), self.pick(undone, undone, None)
        settle = settle_of(self.pick(None, True, False) if self.flows is None else False, effect)
        return model.Step(id, id, payload, effect, 5, retry, undo_of_step, settle)

    def retry(self, effect: Effect) -> Retry:
        """Draw a retry that this effect may have."""
        proved = Retry(on=(model.THROTTLED, model.NOT_SENT), attempts=3)
        if effect is Effect.UNSAFE:
            return NEVER if self.pick(True, False) else proved
        some = self.random.sample(ERRORS, self.pick(1, 2, 3))
        return Retry(
            on=self.pick((model.ANY,), tuple(some)), attempts=self.pick(1, 2, 3)
        ).with_proofs()

    def template(self, names: list[str]) -> Any:
        """Draw a payload."""
        one, other = self.reference(names), self.reference(names)
        value: Any = {"one": one, "list": [other, self.pick(*SCALARS)], "x": self.pick(*SCALARS)}
        return freeze(self.pick(value, [one, other], one))

    def reference(self, names: list[str]) -> model.Reference:
        """Draw a reference to what is known."""
        return model.Reference(self.pick(*names), self.pick((), ("a",), ("b",), ("a", "b")))

    def attempt(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw an attempt with one or two handlers."""
        id = self.id("attempt")
        body = self.block(depth - 1, names, levels=levels, in_saga=in_saga)
        if self.late:
            body = (self.step(0, ["input"], levels, in_saga), *body)
        names.append(id)
        first = self.pick(
            "Declined", "Broken", "Flow.CompensationFailed", model.THROTTLED, model.TIMEOUT
        )
        if self.late:
            first = self.pick(first, model.DEADLINE)
        known = list(names)
        handlers = []
        for errors in ((first, "Busy"), (model.ANY,))[: self.pick(1, 2)]:
            inner = list(known)
            deep = self.pick(*range(depth)) if self.late else 0
            body_of = self.block(deep, inner, levels=levels, in_saga=in_saga)
            if self.late and levels == 0:
                body_of = (*body_of, self.stop(0, inner))
                if self.pick(True, False):
                    body_of = (model.Saga(self.id("saga"), body_of),)
            handlers.append(model.ErrorHandler(errors, body_of))
            names += inner[len(known) :]
        return model.AttemptNode(id, body, tuple(handlers))

    def saga(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw a saga."""
        del in_saga
        id = self.id("saga")
        body = self.block(depth - 1, names, levels=levels, in_saga=True)
        return model.Saga(id, body, self.pick("reverse", "parallel"))

    def parallel(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw branches that know nothing of each other."""
        id = self.id("parallel")
        known, branches = list(names), []
        for _ in range(self.pick(2, 3)):
            inner = list(known)
            body = self.block(depth - 1, inner, levels=levels + 1, in_saga=in_saga)
            branches.append(model.Branch(self.id("branch"), body))
            names += inner[len(known) :]
        return model.Parallel(id, tuple(branches))

    def choose(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw a choice."""
        id = self.id("choose")
        known = list(names)
        added: list[str] = []

        def body() -> model.Block:
            inner = list(known)
            found = self.block(depth - 1, inner, levels=levels, in_saga=in_saga)
            added.extend(inner[len(known) :])
            return found

        cases = tuple(model.Case(self.condition(2, known), body()) for _ in range(self.pick(1, 2)))
        otherwise = body() if self.pick(True, False) else ()
        names += added
        return model.Choose(id, cases, otherwise)

    def condition(self, depth: int, names: list[str]) -> model.Condition:
        """Draw a condition."""
        left = self.reference(names)
        right = self.pick(self.reference(names), *SCALARS)
        plain: model.Condition = self.pick(
            model.Compare(left, self.pick("==", "!=", "<", "<=", ">", ">="), right),
            model.OneOf(left, (self.pick(*SCALARS), self.pick(*SCALARS))),
            model.Present(left),
        )
        if not depth:
            return plain
        inner = self.condition(depth - 1, names)
        both = (plain, inner)
        found: model.Condition = self.pick(
            plain, model.Not(inner), model.All(both), model.Some(both[::-1])
        )
        return found

    def each(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw a block for each element of a list that is there or not."""
        id = self.id("each")
        items = self.reference(names)
        before, self.each_in_saga = self.each_in_saga, self.each_in_saga or in_saga
        inner = [*names, id]
        body = self.block(depth - 1, inner, levels=levels + 1)
        self.each_in_saga = before
        collect = None if self.flows is None else self.pick(None, self.template(inner))
        if collect is not None:
            names.append(id)
        return model.Each(id, items, body, self.pick(1, 2), collect)

    def repeat(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw a loop of a few rounds."""
        id, before = self.id("repeat"), self.is_repeated
        inner, self.is_repeated = [*names, id], True
        body = self.block(depth - 1, inner, levels=levels, in_saga=in_saga)
        self.is_repeated = before
        names += inner[len(names) :]
        return model.Repeat(id, body, self.condition(1, inner), self.pick(1, 2, 3))

    def event(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw a wait for one of two events; or a question, which may be asked several times."""
        del depth, in_saga
        id = self.id("event")
        is_once = levels == 0 and not self.is_repeated
        both, question = ((f"{id}-a", f"{id}-b"), None) if is_once else ((id,), "may it?")
        events = self.pick(both, both[:1])
        names.append(id)
        return model.EventNode(id, events, self.pick(5, 500), None, question)

    def until(self, depth: int, names: list[str], *_: Any) -> model.Node:
        """Draw a wait for a time that has passed, or is not one."""
        del depth
        return model.Wait(self.id("wait"), None, self.reference(names))

    def run(self, depth: int, names: list[str], levels: int, in_saga: bool) -> model.Node:
        """Draw a run of another flow."""
        del depth, levels
        id = self.id("run")
        undo = model.Undo(f"undo-{id}", 5, Retry(on=(model.ANY,), attempts=2))
        undone = undo if in_saga and not self.each_in_saga else None
        value = self.template(names)
        names.append(id)
        return model.Child(id, self.pick(*self.flows or ("random",)), value, undone)

    def wait(self, *_: Any) -> model.Node:
        """Draw a pause."""
        return model.Wait(self.id("wait"), self.pick(1, 2))

    def stop(self, depth: int, names: list[str], *_: Any) -> model.Node:
        """Draw an end."""
        del depth
        return model.Stop(self.id("stop"), self.template(names))

    def fail(self, *_: Any) -> model.Node:
        """Draw an error of the flow's own."""
        return model.Fail(self.id("fail"), self.pick("Declined", "Broken"))


HOUR: Final = 3600.0


def definition_of(seed: int, *, late: bool = False) -> model.Definition:
    """Make a definition that every engine can run; the same for the same seed.

    Args:
        seed: of what is drawn.
        late: whether its time is over behind the first step, whose function takes an hour.
    """
    maker = Maker(Random(seed), late=late)
    if late:
        undo = model.Undo("undo-hour", 5, Retry(on=(model.ANY,), attempts=2))
        hour = model.Step("hour", "hour", freeze({}), Effect.IDEMPOTENT, 5, NEVER, undo)
        behind = maker.attempt(2, ["input", "hour"], 0, True)
        outer = model.Saga(
            "outer", (hour, behind, *maker.block(1, ["input", "hour"], in_saga=True)), "reverse"
        )
        definition = model.Definition("random", (outer,), timeout=int(HOUR) // 2)
    else:
        first = maker.step(0, ["input"], 0, False)
        body = (first, *maker.block(3, ["input", first.id]))
        definition = model.Definition("random", body)
    check_definition(definition, lambda node: node.id if node else "random")
    return definition


def waiting_flows_of(seed: int) -> list[model.Definition]:
    """Make three flows that wait; the first one may run the others, and the second the third."""
    made = []
    for at, flows in enumerate((("second", "third"), ("third",), ())):
        maker = Maker(Random(seed * 3 + at), flows=flows)
        first = maker.step(0, ["input"], 0, False)
        body = (first, *maker.block(3 if at == 0 else 2, ["input", first.id]))
        made.append(model.Definition(("first", "second", "third")[at], body))
        check_definition(made[-1], lambda node: node.id if node else "random")
    return made


def definitions() -> st.SearchStrategy[model.Definition]:
    """Draw definitions. They are made by seed: drawn piece by piece, most would be tiny."""
    return st.integers(0, 2**32).map(definition_of)


class Functions:
    """Functions that answer by what they are called with, and not by when."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, call: StepCall) -> Answer:
        """Answer a call of the kernel."""
        return self.answer(call.function, call.key, call.attempt)

    def answer(self, function: str, key: str, attempt: int) -> Answer:
        """Return how the attempt of a call ends; most end well."""
        text = f"{self.seed} {function} {key} {attempt}"
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        failing = number % 8 == 0 if function.startswith("undo-") else number % 5 == 0
        if failing:
            name = ERRORS[number // 8 % len(ERRORS)]
            return StepFailure(name, ambiguous=name in (model.TIMEOUT, model.UNKNOWN))
        return Returned(INPUTS[number // 8 % len(INPUTS)])

    def verdict(self, function: str, key: str, number: int) -> StepVerdict:
        """Return what a function says became of a step, by the number of the question."""
        text = f"{self.seed} settles {function} {key} {number}"
        drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        verdict = (Verdict.RAN, Verdict.NOT_RUN, Verdict.NOT_RUN, Verdict.RUNNING, Verdict.UNKNOWN)[
            drawn % 5
        ]
        if verdict is Verdict.NOT_RUN:
            return StepVerdict(verdict, voids=number)
        if verdict is not Verdict.RAN:
            return StepVerdict(verdict, retry_after=drawn // 5 % 4)
        answers = (
            Returned(INPUTS[drawn // 5 % len(INPUTS)]),
            StepFailure("Declined"),
            StepFailure("Busy"),
            RESULT_LOST,
        )
        return StepVerdict(verdict, answers[drawn // 25 % len(answers)])

    def __repr__(self) -> str:
        """Show what makes it again."""
        return f"Functions({self.seed})"


def counted(calls: Any) -> Mapping[tuple[str, str], int]:
    """Count calls by function and key."""
    found: dict[tuple[str, str], int] = {}
    for function, key in calls:
        found[function, key] = found.get((function, key), 0) + 1
    return found
