"""Two apps, each in two stages and two versions, beside each other over the same rows.

Processes begin and end as a seed says. A ledger says who has run what.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from random import Random
from typing import NamedTuple

import pytest

from leeward import App, Client, Event
from leeward.adapter import Driver
from leeward.errors import ConfigError, NotFound
from leeward.worker import Worker

Open = Callable[[str], Driver]
"""Opens the target in a stage."""

STEPS = 14
PATIENCE = 60.0


class Program(NamedTuple):
    """A version of an app, in a stage."""

    app: str
    stage: str
    version: int


class Ledger:
    """What was sent, and what was run, by whom."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.run: Counter[str] = Counter()

    def app_of(self, program: Program) -> App:
        """Return the app of a program; its handlers have the names that all others have."""
        name, stage, version = program
        app = App(name)

        @app.on_event("orders", name="remember")
        def remember(event: Event) -> None:
            self.run[f"{name} {stage} event {event.id}"] += 1

        @app.on_message(f"letters-of-{name}", name="post")
        def post(letter: dict[str, str]) -> None:
            self.run[f"{name} {stage} letter {letter['id']}"] += 1

        if version == 2:
            app.function(name=f"only-in-{name}", effect="idempotent")(lambda: None)
        return app


def roll(opens: Open, seed: int) -> Ledger:
    """Let processes begin, send and end; check that each has run its own, and once.

    Args:
        opens: opens the target.
        seed: of what happens.
    """
    random, ledger = Random(seed), Ledger()
    stages = random.sample(("prod", "test"), 2)
    working: dict[Program, Worker] = {}
    subscribed: list[str] = []
    with ExitStack() as ends:
        for step in range(STEPS):
            stage = stages[0] if step == 0 else random.choice(stages)
            program = Program(random.choice(("shop", "mail")), stage, random.randint(1, 2))
            if program in working:
                working.pop(program).drain()
                continue
            worker = Worker(ledger.app_of(program), opens(program.stage))
            ends.callback(worker.drain)
            if stage != stages[0]:
                with pytest.raises(ConfigError, match=rf"{stages[0]!r}.*{stage!r}"):
                    worker.start()
                continue
            worker.start()
            working[program] = worker
            if program.app not in subscribed:
                subscribed.append(program.app)
            _send(worker.client, ledger, program, subscribed)
        for app in subscribed:  # whatever has ended meanwhile has left it to the next
            last = Worker(ledger.app_of(Program(app, stages[0], 2)), opens(stages[0]))
            ends.enter_context(last)
        until = time.monotonic() + PATIENCE
        while ledger.run != ledger.sent and time.monotonic() < until:
            time.sleep(0.02)
    assert ledger.run == ledger.sent
    return ledger


def _send(client: Client, ledger: Ledger, program: Program, subscribed: list[str]) -> None:
    app, stage, _ = program
    for _ in range(3):
        id = str(sum(ledger.sent.values()))
        client.publish_event("orders", "made", id=id)
        ledger.sent += Counter(f"{each} {stage} event {id}" for each in subscribed)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                client.enqueue(f"letters-of-{app}", {"id": id})
            except NotFound:  # the worker has not looked for them yet
                assert time.monotonic() < until
                time.sleep(0.05)
            else:
                break
        ledger.sent[f"{app} {stage} letter {id}"] += 1
