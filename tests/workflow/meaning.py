"""What a flow that waits means, said once more: an interpreter that knows no kernel and no time.

``python -m tests.workflow.meaning --runs 5000`` compares random flows of flows with it, each once
more with a worker that dies.

It walks over a definition and calls what it names, one thing after the other. That is enough,
because random functions answer by what they are called with, and not by when. `holds` and `fill`
are the kernel's: they have tests of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from random import Random
from typing import Any, NamedTuple

from leeward.values import Json
from leeward.workflow import model
from leeward.workflow.commands import Answer, Returned
from leeward.workflow.embedded.journal import RunRow
from leeward.workflow.kernel import fill, holds, look_up
from leeward.workflow.retry import Retry
from tests.workflow.crashing import OpenJournal, World, keyed, open_in_memory
from tests.workflow.strategies import INPUTS, Functions, waiting_flows_of

Answering = Callable[[str, str, int], Answer]
"""Answers a call by its function, its key and its attempt."""
Sent = Callable[[str], Json | None]
"""Returns the value of the event of a name; None if none is sent."""


class Failed(Exception):
    """An error of the flow.

    Attributes:
        is_open: its step or run may have had effects that are left.
        is_undone: its step is undone, because it may be tried again after unknown ends.
    """

    def __init__(self, name: str, *, is_open: bool = False, is_undone: bool = False) -> None:
        super().__init__(name)
        self.name, self.is_open, self.is_undone = name, is_open, is_open or is_undone
        self.steps: tuple[str, ...] = ()

    def with_steps(self, steps: list[str]) -> Failed:
        """Return it, with the steps that could not be undone."""
        self.steps = tuple(steps)
        return self


class Stopped(Exception):
    """The end of a flow by its own word."""

    def __init__(self, value: Json) -> None:
        super().__init__()
        self.value = value


class Place(NamedTuple):
    """Where the interpreter is: the key before a path, what is behind it, values, steps to undo."""

    prefix: str
    suffix: str
    values: dict[str, Json]
    done: list[tuple[str, model.Undo]]


class Meaning:
    """Interprets flows, and counts their calls by function and key."""

    def __init__(
        self, flows: Mapping[str, model.Definition], answering: Answering, sent: Sent
    ) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self._flows, self._answer, self._sent = flows, answering, sent

    def run(self, flow: str, run: str, value: Json) -> Json:
        """Return the result of a run; raise `Failed` as it fails."""
        place = Place(f"{flow}/{run}/", "", {model.INPUT: value}, [])
        try:
            self._block(self._flows[flow].body, place)
        except Stopped as stopped:
            return stopped.value
        return None

    def _block(self, block: model.Block, at: Place) -> None:
        for node in block:
            getattr(self, f"_{node.kind}")(node, at)

    def _call(self, function: str, key: str, retry: Retry) -> Json:
        is_undone = retry.attempts > 1 and any(map(retry.covers, model.AMBIGUOUS))
        is_open = False
        for attempt in range(1, retry.attempts + 1):
            self.calls[function, key] += 1
            answer = self._answer(function, key, attempt)
            if isinstance(answer, Returned):
                return answer.value
            is_open = is_open or answer.ambiguous
            if attempt == retry.attempts or not retry.covers(answer.name):
                raise Failed(answer.name, is_open=is_open, is_undone=is_undone)
        raise AssertionError("it has an attempt")

    def _step(self, node: model.Step, at: Place) -> None:
        path = node.id + at.suffix
        is_left = True
        try:
            at.values[node.id] = self._call(node.function, at.prefix + path, node.retry)
        except Failed as failed:
            is_left = failed.is_undone
            raise
        finally:
            if node.undo is not None and is_left:
                at.done.append((path, node.undo))

    def _run(self, node: model.Child, at: Place) -> None:
        workflow, run = at.prefix[:-1].split("/")
        path = node.id + at.suffix
        child = f"{workflow}.{run}.{path.replace('/', '_')}"
        is_left = True
        try:
            value = fill(node.input, at.values)
            at.values[node.id] = self.run(node.flow, child, value)
        except Failed as failed:
            is_left = failed.is_open or bool(failed.steps)
            steps = [f"{path}/{step}" for step in failed.steps]
            raise Failed(failed.name, is_open=is_left).with_steps(steps) from None
        finally:
            if node.undo is not None and is_left:
                at.done.append((path, node.undo))

    def _event(self, node: model.EventNode, at: Place) -> None:
        path = node.id + at.suffix
        names = node.names if node.question is None else (path.replace("/", "."),)
        for name in names:
            value = self._sent(at.prefix + name)
            if value is not None:
                at.values[node.id] = {"event": name, "value": value} if len(names) > 1 else value
                return
        raise Failed(model.NO_EVENT)

    def _wait(self, node: model.Wait, at: Place) -> None:
        given: Any = 0 if node.until is None else look_up(node.until, at.values)
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise Failed(model.NOT_A_TIME)  # no random text is a time

    def _repeat(self, node: model.Repeat, at: Place) -> None:
        before = dict(at.values)
        for number in range(1, node.at_most + 1):
            at.values.clear()
            at.values.update(before | {node.id: number})
            self._block(node.body, at._replace(suffix=f"{at.suffix}/{number}"))
            if holds(node.until, at.values):
                return
        raise Failed(model.TOO_MANY_ROUNDS)

    def _each(self, node: model.Each, at: Place) -> None:
        items: Any = look_up(node.items, at.values)
        bodies = [
            (node.body, at._replace(suffix=f"{at.suffix}/{index}", values={node.id: item}, done=[]))
            for index, item in enumerate(items if isinstance(items, list) else ())
        ]
        ends = self._beside(bodies, at)
        if node.collect is not None:
            at.values[node.id] = [fill(node.collect, end.values) for end in ends]

    def _parallel(self, node: model.Parallel, at: Place) -> None:
        bodies = [(each.body, at._replace(values={}, done=[])) for each in node.branches]
        self._beside(bodies, at, keeps=True)

    def _beside(
        self, bodies: list[tuple[model.Block, Place]], at: Place, *, keeps: bool = False
    ) -> list[Place]:
        """Do blocks, all to their ends; the error of the first one that has one counts."""
        known, errors, ends = dict(at.values), list[Failed](), list[Place]()
        for body, place in bodies:
            inner = place._replace(values=known | place.values)
            try:
                self._block(body, inner)
            except Failed as failed:
                errors.append(failed)
            at.done.extend(inner.done)
            ends.append(inner)
            if keeps:
                at.values.update({k: v for k, v in inner.values.items() if k not in known})
        if errors:
            raise errors[0]
        return ends

    def _attempt(self, node: model.AttemptNode, at: Place) -> None:
        try:
            self._block(node.body, at)
        except Failed as failed:
            for handler in node.handlers:
                if failed.name in handler.errors or model.ANY in handler.errors:
                    at.values[node.id] = {"name": failed.name, "steps": list(failed.steps)}
                    return self._block(handler.body, at)
            raise

    def _saga(self, node: model.Saga, at: Place) -> None:
        inner = at._replace(done=[])
        try:
            self._block(node.body, inner)
        except Failed:
            lost = []
            for path, undo in reversed(inner.done):
                try:
                    self._call(undo.function, f"{at.prefix}{path}/undo", undo.retry)
                except Failed:
                    lost.append(path)
            if lost:
                raise Failed(model.COMPENSATION_FAILED).with_steps(lost) from None
            raise
        at.done.extend(inner.done)

    def _choose(self, node: model.Choose, at: Place) -> None:
        bodies = [case.body for case in node.cases if holds(case.when, at.values)]
        self._block((*bodies, node.otherwise)[0], at)

    def _stop(self, node: model.Stop, at: Place) -> None:
        raise Stopped(fill(node.result, at.values))

    def _fail(self, node: model.Fail, at: Place) -> None:
        del at
        raise Failed(node.error)


def event_of(seed: int, name: str) -> Json | None:
    """Return the value of the event of a name; None for every fourth."""
    drawn = hashlib.sha256(f"{seed} sends {name}".encode()).digest()[0]
    return None if drawn % 4 == 0 else INPUTS[1 + drawn // 4 % (len(INPUTS) - 1)]


def difference_of(seed: int, open_journal: OpenJournal = open_in_memory) -> str | None:
    """Return how random flows run otherwise than they mean; None if alike."""
    flows = {flow.name: flow for flow in waiting_flows_of(seed)}
    functions, value = Functions(seed), INPUTS[seed % len(INPUTS)]
    meaning = Meaning(flows, functions.answer, lambda name: event_of(seed, name))
    try:
        expected: tuple[Any, ...] = ("ok", meaning.run("first", "r", value))
    except Failed as failed:
        expected = (failed.name, failed.steps)
    world = World(functions.answer, open_journal=open_journal)
    with closing(world.journal):
        found = _end(world.finish_flows(flows, value, lambda name: event_of(seed, name)))
    calls = Counter({(world.names[key], key): len(done) for key, done in world.calls.items()})
    if found != expected:
        return f"ends with {found}, not {expected}"
    return (
        None
        if calls == meaning.calls
        else f"calls {calls - meaning.calls}, {meaning.calls - calls}"
    )


def flaws_of_death(seed: int, open_journal: OpenJournal = open_in_memory) -> str | None:
    """Return how flows of keyed steps end otherwise if a worker dies; None if alike.

    A step that fails after a death may have run before it, so it may be undone once more.
    """
    flows = {flow.name: keyed(flow) for flow in waiting_flows_of(seed)}
    ends: list[tuple[object, object]] = []
    points = 0
    for dies in (False, True):
        world = World(
            lambda function, key, _: (
                Returned() if "undo" in function else Functions(seed).answer(function, key, 1)
            ),
            open_journal=open_journal,
        )
        world.dies_at = Random(seed).randint(1, points) if dies else None
        with closing(world.journal):
            row = world.finish_flows(flows, INPUTS[1], lambda name: event_of(seed, name))
        points = world.point
        ends.append((_end(row), {key for key in world.names if not key.endswith("/undo")}))
    return None if ends[0] == ends[1] else f"ends with {ends[1]}, not {ends[0]}"


def _end(row: RunRow) -> tuple[Any, ...]:
    answer = row.answer
    assert answer is not None
    return ("ok", answer.value) if isinstance(answer, Returned) else (answer.name, answer.steps)


def main() -> int:
    """Compare random flows, and print what is otherwise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable()
    wrong = 0
    for seed in range(options.seed, options.seed + options.runs):
        for flaw in filter(None, (difference_of(seed), flaws_of_death(seed))):
            wrong += 1
            sys.stdout.write(f"seed {seed}: {flaw}\n")
    sys.stdout.write(f"{options.runs} flows, as many deaths, {wrong} wrong\n")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
