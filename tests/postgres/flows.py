"""Flows on PostgreSQL against the embedded engine: ``python -m tests.postgres.flows``.

``--flows 2000`` runs random flows on both; every other one once more with a worker that dies.
``--waits 5000`` runs flows that wait and run each other against what they mean, each once more
with a worker that dies. ``--sagas 500`` runs sagas with payments whose answers are lost.
``--kills 500`` kills processes, three of which share the journal at a time, while the server that
has it is lost again and again and its standby promoted.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from random import Random
from threading import Event, Thread

import psycopg

from leeward.values.runs import RunState
from leeward.workflow.commands import StepQuestion, StepVerdict
from tests.postgres.journals import Journals, make_schema
from tests.postgres.server import DATABASE, USER, Server
from tests.workflow import meaning
from tests.workflow.crashing import OpenJournal, World, faults_of, open_in_memory
from tests.workflow.killing import Plan, kill
from tests.workflow.sagas import flaws_of
from tests.workflow.strategies import INPUTS, Functions, definition_of

FAILOVER_SECONDS = 3.0
_IN_STEP = "SELECT sync_state FROM pg_stat_replication"


def difference_of(seed: int, journals: Journals) -> str | None:
    """Return how a random flow runs otherwise than on the embedded engine; None if alike."""
    expected, found = (_run(seed, each) for each in (open_in_memory, journals.open))
    return None if expected == found else f"{found}, not {expected}"


def _run(seed: int, open_journal: OpenJournal) -> object:
    """Run a random flow; return how it ended, what it has called, and what was noted."""
    functions = Functions(seed)

    def telling(question: StepQuestion) -> StepVerdict:
        return functions.verdict(question.function, question.key, question.attempt)

    definition = definition_of(seed)
    world = World(functions.answer, telling, open_journal)
    began = world.clock.now()
    with closing(world.journal):
        row = world.finish(definition, "run", INPUTS[seed % len(INPUTS)])
        noted = [
            (*place, round(record.began - began, 3), record.answer)
            for place, record in world.journal.events(row.key).items()
        ]
    return row.state, row.answer, row.digest, world.calls, world.payloads, sorted(noted, key=repr)


def flaws_of_death(seed: int, journals: Journals) -> list[str]:
    """Run a random flow whose worker dies at a random point; return what went wrong."""
    points = faults_of(seed, None, journals.open)[2].point
    wrong, row, _ = faults_of(seed, Random(seed).randint(1, points), journals.open)
    return [*wrong, *(["it does not end"] if row.state is RunState.RUNNING else [])]


def main() -> int:
    """Run them, and print what is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flows", type=int, default=0)
    parser.add_argument("--waits", type=int, default=0)
    parser.add_argument("--sagas", type=int, default=0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable()
    server = Server()
    try:
        make_schema(server)
        wrong = 0
        with closing(Journals(server.url)) as journals:
            seeds = range(options.seed, options.seed + options.flows)
            wrong += _report("flows", seeds, lambda seed: difference_of(seed, journals))
            odd = [seed for seed in seeds if seed % 2]
            wrong += _report("deaths", odd, lambda seed: flaws_of_death(seed, journals))
            seeds = range(options.seed, options.seed + options.waits)
            for what, check in (
                ("waits", meaning.difference_of),
                ("deaths", meaning.flaws_of_death),
            ):
                wrong += _report(what, seeds, partial(check, open_journal=journals.open))
            seeds = range(options.seed, options.seed + options.sagas)
            wrong += _report("sagas", seeds, lambda seed: flaws_of(seed, None, journals.open)[0])
        if options.kills:
            wrong += _kill(server, options.kills, options.seed)
    finally:
        server.stop()
    return min(wrong, 1)


def _report(what: str, seeds: range | list[int], run: Callable[[int], object]) -> int:
    began, wrong = time.monotonic(), 0
    for seed in seeds:
        flaw = run(seed)
        if flaw:
            wrong += 1
            sys.stdout.write(f"{what}, seed {seed}: {flaw}\n")
    seconds = time.monotonic() - began
    sys.stdout.write(f"{len(seeds)} {what}, {wrong} wrong, in {seconds:.0f} s\n")
    return wrong


def _kill(primary: Server, kills: int, seed: int) -> int:
    """Kill processes, while the server that takes writes is lost again and again."""
    standby = Server(primary)
    failovers = _Failovers(primary, standby)
    hosts = ",".join(f"127.0.0.1:{each.port}" for each in (primary, standby))
    url = f"postgresql://{USER}@{hosts}/{DATABASE}"
    with ExitStack() as stack:
        stack.callback(standby.stop)
        name = stack.enter_context(tempfile.TemporaryDirectory())
        (Path(name) / "url").write_text(url, encoding="utf-8")
        began = time.monotonic()
        plan = Plan(kills, kills // 10, 3, 3.0, seed, "tests.postgres.journals")
        outcome = kill(Path(name), plan, failovers)
    figures = {**outcome.figures, "failovers": failovers.count}
    sys.stdout.writelines(f"{each}\n" for each in outcome.wrong)
    told = ", ".join(f"{name} {number}" for name, number in sorted(figures.items()))
    seconds = time.monotonic() - began
    sys.stdout.write(f"{told}; {len(outcome.wrong)} wrong, in {seconds:.0f} s\n")
    return len(outcome.wrong)


class _Failovers(Thread):
    """For a block: loses the primary, and promotes its standby, which the old one then follows.

    A commit waits until the other server has it; what was acknowledged is never lost.
    """

    def __init__(self, primary: Server, standby: Server) -> None:
        super().__init__(name="failovers")
        self.count = 0
        self._servers = [primary, standby]
        self._end = Event()
        self._wait_for_commits()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()

    def run(self) -> None:
        """Fail over until the block ends."""
        while not self._end.wait(FAILOVER_SECONDS):
            lost, taker = self._servers
            lost.kill()
            taker.promote()
            lost.follow(taker)
            self._servers = [taker, lost]
            self._wait_for_commits()
            self.count += 1

    def _wait_for_commits(self) -> None:
        """Let commits wait for the standby from now on."""
        primary = self._servers[0]
        primary.set(synchronous_standby_names="*")
        with psycopg.connect(primary.url, autocommit=True) as connection:
            while connection.execute(_IN_STEP).fetchone() != ("sync",):
                time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
