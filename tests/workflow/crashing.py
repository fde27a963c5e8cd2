"""A worker that dies at any point of a run, and another one that goes on, as often as it takes.

A point is a write of the journal or a call of a function; the worker dies right before it or right
after it. `python -m tests.workflow.crashing --runs 10000` tries random flows.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from random import Random
from threading import Lock
from typing import Any, cast

from leeward.testing import FakeClock
from leeward.values import Effect, InvokeResult, Json
from leeward.values.runs import RunState
from leeward.workflow import read_definition
from leeward.workflow.commands import (
    NO_LIMIT,
    UNSETTLED,
    Answer,
    Returned,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
)
from leeward.workflow.embedded.driving import Drive, FirstSteps, RunServices, first_steps
from leeward.workflow.embedded.journal import Journal, RunKey, RunRow, SentEvent
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from leeward.workflow.embedded.workers import LEASE
from leeward.workflow.model import PROVED, Definition, Step, document_of, nodes
from leeward_contract_tests.workflows.virtual import Died, error_of
from tests.workflow.strategies import INPUTS, Functions, definition_of

Function = Callable[[str, str, int], Answer]
"""Answers a call by its function, its key and how often it was called before, from 1."""
Verdict = Callable[[StepQuestion], StepVerdict]


def cannot_tell(_: StepQuestion) -> StepVerdict:
    """Answer every question with unknown."""
    return UNSETTLED


OpenJournal = Callable[[FakeClock], Journal]


def open_in_memory(clock: FakeClock) -> Journal:
    """Return a new journal in memory."""
    return SqliteJournal(None, clock)


class MortalJournal:
    """A journal whose writes a worker may not survive.

    Args:
        journal: does it.
        world: knows when the worker dies.
    """

    WRITES = frozenset(
        ("add", "take", "renew", "release", "finish", "advance", "make_again", "set_aside")
    )

    def __init__(self, journal: Journal, world: World) -> None:
        self._journal = journal
        self._world = world

    def __getattr__(self, name: str) -> Any:
        """Return a method of the journal, with a point before it and behind it."""
        method = getattr(self._journal, name)
        if name not in self.WRITES:
            return method

        def write(*values: Any, **more: Any) -> Any:
            self._world.pass_or_die()
            result = method(*values, **more)
            self._world.pass_or_die()
            return result

        return write


class World:
    """What outlives a worker: the journal, the functions and what they did.

    Attributes:
        calls: of functions that ran, by key, in order.
        dies_at: the number of the point at which the worker dies; None for never.
        point: how many points were passed.
    """

    def __init__(
        self,
        functions: Function,
        verdicts: Verdict = cannot_tell,
        open_journal: OpenJournal = open_in_memory,
    ) -> None:
        self.clock = FakeClock()
        self.journal = open_journal(self.clock)
        self.calls: dict[str, list[Answer]] = {}
        self.names: dict[str, str] = {}
        self.payloads: dict[str, list[Json]] = {}
        self.dies_at: int | None = None
        self.point = 0
        self.is_dead = False
        self.flows: Mapping[str, Definition] = {}
        self._functions = functions
        self._verdicts = verdicts
        self._lock = Lock()
        if isinstance(self.journal, SqliteJournal):
            self._database_write = self.journal.database.write
            self.journal.database.write = self._write  # type: ignore[method-assign]
        else:
            self.journal = cast("Journal", MortalJournal(self.journal, self))

    def invoke(self, call: StepCall) -> InvokeResult:
        """Call a function as a client does."""
        function, idempotency_key, payload = call.function, call.key, call.payload
        self._pass()
        with self._lock:
            done = self.calls.get(idempotency_key, [])
            answer = self._functions(function, idempotency_key, len(done) + 1)
            if not self.is_dead:
                self.calls[idempotency_key] = [*done, answer]
                self.names[idempotency_key] = function
                self.payloads.setdefault(idempotency_key, []).append(payload)
        self._pass()
        if isinstance(answer, StepFailure):
            raise error_of(answer.name)
        return InvokeResult(answer.value, "local", idempotency_key)

    def settle(self, question: StepQuestion, sent: float | None) -> StepVerdict:
        """Ask a function what became of a step."""
        self._pass()
        assert sent is not None
        verdict = self._verdicts(question)
        self._pass()
        return verdict

    def finish(self, definition: Definition, id: str, value: Json) -> RunRow:
        """Let workers take the run, one after the other, until it has ended; return it."""
        key = RunKey(definition.name, id)
        row, first = self._started(definition, id, value)
        for _ in range(1000):
            if row is not None:
                self._work(definition, row, first)
            first = None
            found = self.journal.find(key)
            assert found is not None
            if found.state is not RunState.RUNNING:
                return found
            due = self.journal.next_due([definition.name], 0.0)
            assert due is not None
            self.clock.advance(max(0.0, due - self.clock.now()) + 0.001)
            row = self._taken(definition.name)
        raise AssertionError("the run does not end")

    def finish_flows(
        self, flows: Mapping[str, Definition], value: Json, sent: Callable[[str], Json]
    ) -> RunRow:
        """Let workers take a run of the first flow, and all that it starts, until it has ended.

        Args:
            flows: by name.
            value: the input.
            sent: returns the value of an event by run and name; None if it is not sent.
        """
        self.flows = flows
        name = next(iter(flows))
        row, first = self._started(flows[name], "r", value)
        for _ in range(5000):
            if row is not None:
                self._work(flows[row.key.workflow], row, first)
            first = None
            found = self.journal.find(RunKey(name, "r"))
            assert found is not None
            if found.state is not RunState.RUNNING:
                return found
            self._send_events(sent)
            row = self._taken(*flows)
            if row is None:
                due = self.journal.next_due([*flows], self.clock.now() - 1.0)
                assert due is not None
                assert due < NO_LIMIT, self.journal.waits(9)
                self.clock.advance(max(0.0, due - self.clock.now()) + 0.001)
                row = self._taken(*flows)
        raise AssertionError("the run does not end")

    def _send_events(self, sent: Callable[[str], Json]) -> None:
        """Send the events for which runs wait, each twice by its id."""
        for wait in self.journal.waits(1000):
            for event in (event for event in wait.names if "/" not in event):
                value = sent(f"{'/'.join(wait.key)}/{event}")
                if value is not None:
                    arrival = SentEvent(0, event, event, value, self.clock.now())
                    for _ in range(2):
                        try:
                            self.journal.send(wait.key, arrival)
                        except Died:  # whoever sends does not know, and sends it again
                            self._revive()

    def _started(
        self, definition: Definition, id: str, value: Json
    ) -> tuple[RunRow | None, FirstSteps | None]:
        """Start the run; a starter that dies is followed by another one, who starts it again."""
        now = self.clock.now()
        first = first_steps(definition, id, json.dumps(value), now)
        start = partial(self.journal.add, definition, id, value, now, LEASE, begun=first.commands)
        try:
            return start()[0], first
        except Died:
            self._revive()
            row, is_new = start()
            return (row, first) if is_new else (None, None)

    def _taken(self, *names: str) -> RunRow | None:
        try:
            taken = self.journal.take(names, self.clock.now(), LEASE, 1)
        except Died:
            self._revive()
            return None
        return taken[0] if taken else None

    def _revive(self) -> None:
        self.is_dead, self.dies_at = False, None

    def _work(self, definition: Definition, row: RunRow, first: FirstSteps | None) -> None:
        """Be a worker, until it dies or has nothing to do."""
        means = RunServices(self.journal, self, self.clock, definitions=self.flows)
        try:
            Drive(means, row, definition, first=first).run()
        except Died:
            self._revive()

    def _pass(self) -> None:
        """Pass a point; the worker may die at it."""
        with self._lock:
            self.point += 1
            if self.dies_at is not None and self.point == self.dies_at:
                self.is_dead = True

    def pass_or_die(self) -> None:
        """Pass a point; end the worker if it is dead.

        Raises:
            Died: it is.
        """
        self._pass()
        if self.is_dead:
            raise Died

    @contextmanager
    def _write(self, timeout: float) -> Iterator[Any]:
        self.pass_or_die()
        with self._database_write(timeout) as connection:
            yield connection
        self.pass_or_die()


def wrong_repeats(definition: Definition, world: World) -> list[str]:
    """Return the keys of unsafe steps that were called again although they may have run."""
    unsafe = {
        node.function
        for node in nodes(definition.body)
        if isinstance(node, Step) and node.effect is Effect.UNSAFE
    }
    return [
        key
        for key, answers in world.calls.items()
        if world.names[key] in unsafe
        and any(isinstance(each, Returned) or each.name not in PROVED for each in answers[:-1])
    ]


def changed_payloads(world: World) -> list[str]:
    """Return the keys that came with two payloads."""
    return [key for key, found in world.payloads.items() if any(p != found[0] for p in found)]


def faults_of(
    seed: int, at: int | None, open_journal: OpenJournal = open_in_memory
) -> tuple[list[str], RunRow, World]:
    """Run a random flow whose worker dies at one point; return what went wrong."""
    definition, value = definition_of(seed), INPUTS[seed % len(INPUTS)]
    functions = Functions(seed)
    world = World(functions.answer, open_journal=open_journal)
    world.dies_at = at
    row = world.finish(definition, "r", value)
    world.journal.close()
    return wrong_repeats(definition, world) + changed_payloads(world), row, world


def differences_of(seed: int, at: int) -> list[str]:
    """Run a flow of keyed steps alone, once with a death and once without: compare the ends."""
    definition = keyed(definition_of(seed))
    value, functions = INPUTS[seed % len(INPUTS)], Functions(seed)
    ends = []
    for dies_at in (None, at):
        world = World(lambda function, key, _: functions.answer(function, key, 1))
        world.dies_at = dies_at
        row = world.finish(definition, "r", value)
        world.journal.close()
        ends.append((row.state, row.answer, world.names))
    return [] if ends[0] == ends[1] else ["another end than without the death"]


def keyed(definition: Definition) -> Definition:
    """Return a definition whose steps may all be repeated, at least once."""
    text = json.dumps(document_of(definition)).replace('"attempts": 1,', '"attempts": 2,')
    for effect in Effect:
        text = text.replace(f'"effect": "{effect.value}"', '"effect": "keyed"')
    return read_definition(json.loads(text))


def main() -> None:
    """Try random flows and random deaths; print what went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable()
    random, wrong, deaths = Random(options.seed), 0, 0
    while deaths < options.runs:
        seed = random.randrange(2**32)
        points = faults_of(seed, None)[2].point
        for at in random.sample(range(1, points + 1), min(points, 5)):
            deaths += 1
            found = faults_of(seed, at)[0] + differences_of(seed, at)
            if found:
                wrong += 1
                sys.stdout.write(f"seed {seed}, point {at}: {found}\n")
    sys.stdout.write(f"{deaths} deaths, {wrong} wrong\n")


if __name__ == "__main__":
    main()
