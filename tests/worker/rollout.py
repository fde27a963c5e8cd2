"""A roll-out: v1, v2 beside it, v2 alone, v1 again, both; workers and clients of each, and kills.

What was sent is in a ledger outside, and who has handled it: nothing is lost, nothing is doubled
but by a process that was killed, and no version handles what it does not take.

python -m tests.worker.rollout [--events 50000] [--runs 2000] [--kills 60] [--target local]
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, cast
from uuid import uuid4

import psycopg

from leeward.local import Local
from leeward.stores import NOT_TAKEN
from leeward.workflow.commands import StepFailure
from leeward.workflow.embedded.journal import Journal, RunRow
from leeward.workflow.model import UNKNOWN
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.opening import config_for, open_server
from tests.worker.places import Place, until

STALL: Final = 90.0
"""Seconds without any progress after which what is missing counts as lost."""

TAKES: Final = {"v1": "bill.made", "v2": "bill.cancelled"}
"""The type of events that a version's handler takes; its name is the same."""

SHOP: Final = """
import os
from leeward import App
from leeward.workflow import Flow, Ref
from notes import note

VERSION = "OWN"
app = App("shop")

@app.on_event("bills", "TYPE", name="remember")
def remember(event):
    note("end", event.type, event.data["id"], VERSION)

@app.on_message("parcels", retries=0)
def send(parcel):
    if parcel["kind"] == "letter" and not os.path.exists("mended"):
        raise ValueError
    note("end", parcel["kind"], parcel["id"], VERSION)

@app.on_schedule("* * * * *")
def tick(moment):
    note("end", "tick", moment.timestamp(), VERSION)

@app.function(effect="unsafe")
def charge(order):
    note("charge", order["id"], VERSION)

@app.function(name="only-" + VERSION, effect="idempotent")
def only(order):
    note("only", order["id"], VERSION)

@app.workflow("ship")
def ship(w: Flow, order: Ref) -> None:
    w.step("charge", order)
    w.wait(1)
    w.step("only-" + VERSION, order)
"""

WORK: Final = """
import sys
from importlib import import_module
from leeward.worker import Worker
from notes import note
worker = Worker(import_module(sys.argv[1]).app, concurrency=8)
rows = worker.stores.deliveries
rows.policy = rows.policy._replace(lease=float(sys.argv[2]))
worker.start()
note("ready", sys.argv[1])
worker.run()
"""

SEND: Final = """
import json, sys
from importlib import import_module
from leeward import Client
from leeward.errors import Throttled
from notes import note

def send(kind, id):
    if kind == "run":
        client.start_workflow("ship", {"id": id}, id=id)
    elif kind in ("message", "letter"):
        client.enqueue("parcels", {"kind": kind, "id": id})
    else:
        client.publish_event("bills", kind, {"id": id})

with Client(app=import_module(sys.argv[1]).app) as client:
    for kind, id in json.load(sys.stdin):
        while True:
            try:
                send(kind, id)
                break
            except Throttled:  # refused before it ran: others keep the database busy
                pass
        note("sent", kind, id, sys.argv[1])
"""


class Size(NamedTuple):
    """How much a roll-out sends, how often it kills, and how many workers a version has.

    A row of a process that was killed waits until its lease is over.
    """

    events: int
    runs: int
    kills: int
    workers: int = 2
    lease: float = 30.0


class Line(NamedTuple):
    """A line of the ledger."""

    word: str
    kind: str
    id: str
    version: str
    pid: int


def _error_of(run: RunRow | None) -> str | None:
    answer = None if run is None else run.answer
    return answer.name if isinstance(answer, StepFailure) else None


class RollOut:
    """One roll-out at one place.

    Args:
        place: where rows and runs lie.
        size: of it.
        seed: of what is random.
    """

    def __init__(self, place: Place, size: Size, seed: int) -> None:
        self._place = place
        self._size = size
        self._random = random.Random(seed)
        self._workers: dict[str, list[subprocess.Popen[bytes]]] = {"v1": [], "v2": []}
        self._killed: set[int] = set()
        self._numbers = iter(range(10**9))
        self.figures: dict[str, int] = {}
        assert place.stores.open_journal is not None
        self._opens_journal = place.stores.open_journal
        for version, type in TAKES.items():
            place.write(SHOP.replace("OWN", version).replace("TYPE", type), version)

    def run(self) -> list[str]:
        """Go through the versions; return what is wrong."""
        events, runs = self._size.events, self._size.runs
        try:
            self._start(*["v1"] * self._size.workers)
            self._send({"v1": (["bill.made"] * (events // 4), runs // 4)})
            self._start(*["v2"] * self._size.workers)
            both = (["bill.made", "bill.cancelled"] * (events // 8), runs // 4)
            self._send({"v1": both, "v2": both})
            self._stop("v1")
            self._send({"v2": (["bill.cancelled"] * (events // 10), runs // 4)})
            self._start(*["v1"] * self._size.workers)
            self._stop("v2")
            self._send({"v1": (["bill.made", "bill.cancelled"] * (events // 13), runs // 4)})
            self._start(*["v2"] * self._size.workers)
            (self._place.folder / "mended").touch()
            self._wait_for_progress()
            return self._flaws()
        finally:
            for each in (worker for workers in self._workers.values() for worker in workers):
                each.kill()
                each.wait()

    def _start(self, *versions: str) -> None:
        wanted = self._count("ready") + len(versions)
        for version in versions:
            with (self._place.folder / "log").open("ab") as log:
                worker = subprocess.Popen(
                    [sys.executable, "-c", WORK, version, str(self._size.lease)],
                    cwd=self._place.folder,
                    env=self._env(),
                    stderr=log,
                    stdout=log,
                )
            self._workers[version].append(worker)
        until(lambda: self._count("ready") >= wanted)

    def _stop(self, version: str) -> None:
        """Stop the workers of a version as a deploy does."""
        workers, self._workers[version] = self._workers[version], []
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait(60)

    def _kill_one(self) -> None:
        """Kill a worker, and start another one of its version."""
        version = self._random.choice([each for each, some in self._workers.items() if some])
        worker = self._workers[version].pop(0)
        worker.kill()
        worker.wait()
        self._killed.add(worker.pid)
        self._start(version)

    def _send(self, by_version: dict[str, tuple[list[str], int]]) -> None:
        """Send from a process of each version, and kill workers meanwhile."""
        senders = []
        for version, (types, runs) in by_version.items():
            kinds = types + ["run"] * (runs // len(by_version))
            kinds += ["message"] * (len(types) // 5) + ["letter"] * 3
            self._random.shuffle(kinds)
            todo = [(kind, f"{version}-{next(self._numbers)}") for kind in kinds]
            sender = subprocess.Popen(
                [sys.executable, "-c", SEND, version],
                cwd=self._place.folder,
                env=self._env(),
                stdin=subprocess.PIPE,
            )
            assert sender.stdin is not None
            sender.stdin.write(json.dumps(todo).encode())
            sender.stdin.close()
            senders.append(sender)
        for _ in range(self._size.kills // 4):
            time.sleep(self._random.uniform(0.1, 0.5))
            self._kill_one()
        for sender in senders:
            assert sender.wait(3600) == 0, "a sender has failed"

    def _env(self) -> dict[str, str]:
        return os.environ | {"LEEWARD_CONFIG": "leeward.toml"}

    def _lines(self) -> Iterator[Line]:
        for line in self._place.ledger():
            word, *about, pid = line
            kind, id, version = ["", "", *about][-3:]
            yield Line(word, kind, id, version, int(pid))

    def _count(self, word: str) -> int:
        return len(self._place.ledger(word))

    def _redrive(self) -> None:
        """Have the letters of what failed handled again; what nobody took comes back by itself."""
        for row in self._place.stores.deliveries.dead_rows():
            if row.failure.reason != NOT_TAKEN:
                self._place.stores.deliveries.redrive(row.id)

    def _wait_for_progress(self) -> None:
        """Wait until all that was sent has ended, or nothing more does."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < STALL:
            self._redrive()
            left = len(self._missing()) + len([run for run in self._runs() if not run.ended])
            if not left:
                return
            if left != seen:
                seen, since = left, time.monotonic()
            time.sleep(0.5)

    def _sent(self) -> set[tuple[str, str]]:
        return {(each.kind, each.id) for each in self._lines() if each.word == "sent"}

    def _missing(self) -> set[tuple[str, str]]:
        ends = {(each.kind, each.id) for each in self._lines() if each.word == "end"}
        return {each for each in self._sent() - ends if each[0] != "run"}

    def _runs(self) -> list[RunRow]:
        journal = cast("Journal", self._opens_journal())
        try:
            return journal.runs("ship", 10**6)
        finally:
            journal.close()

    def _flaws(self) -> list[str]:
        lines, runs, sent = list(self._lines()), self._runs(), self._sent()
        ends: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
        for each in lines:
            if each.word == "end":
                ends[each.kind, each.id].append(each)
        flaws = [f"lost: {' '.join(each)}" for each in sorted(self._missing())]
        flaws += [f"wrong: {each}" for each in lines if _is_of_another_version(each)]
        flaws += [
            f"doubled: {about}"
            for about, some in ends.items()
            if sum(each.pid not in self._killed for each in some) > 1
        ]
        charges = Counter(each.id for each in lines if each.word == "charge")
        flaws += [f"charged twice: {id}" for id, times in charges.items() if times > 1]
        by_id = {run.key.id: run for run in runs}
        for kind, id in sorted(sent):
            run = by_id.get(id)
            if kind == "run" and (run is None or not run.ended):
                flaws.append(f"lost run: {id} {run and run.state}")
            elif kind == "run" and _error_of(run) not in (None, UNKNOWN):
                flaws.append(f"failed: {id} {_error_of(run)}")
        unknown = sum(_error_of(run) == UNKNOWN for run in runs)
        if unknown > 32 * max(1, len(self._killed)):
            flaws.append(f"{unknown} runs are unknown after {len(self._killed)} kills")
        self.figures = {
            "sent": len(sent),
            "runs": len(runs),
            "unknown": unknown,
            "kills": len(self._killed),
            "repeats": sum(len(some) - 1 for some in ends.values()),
            "moments": sum(kind == "tick" for kind, _ in ends),
        }
        return flaws


def _is_of_another_version(line: Line) -> bool:
    """Return whether a version has handled what it does not take."""
    if line.word == "only":
        return not line.id.startswith(line.version)
    return line.word == "end" and line.kind in TAKES.values() and TAKES[line.version] != line.kind


@contextmanager
def open_place(target: str, folder: Path) -> Iterator[Place]:
    """Open an empty place in a folder; PostgreSQL with a server of its own."""
    with ExitStack() as stack:
        if target == "local":
            file = folder / "shop.sqlite3"
            place = Place(folder, "local", {"path": str(file)}, Local(path=file))
        else:
            server = stack.enter_context(open_server())
            schema = f"rollout_{uuid4().hex}"
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(schema_sql(schema).encode())
            config = config_for(server.url, schema=schema)
            place = Place(folder, "postgres", config.options, open_driver(config))
        stack.callback(place.close)
        yield place


def main(say: Callable[[str], object] = sys.stdout.write) -> int:
    """Read the size, and prove it; return 1 if something is wrong."""
    parser = ArgumentParser(prog="python -m tests.worker.rollout", description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=["local", "postgres"], action="append")
    chosen = parser.parse_args()
    wrong = 0
    for target in chosen.target or ["local", "postgres"]:
        with TemporaryDirectory() as folder, open_place(target, Path(folder)) as place:
            began = time.monotonic()
            rollout = RollOut(place, Size(chosen.events, chosen.runs, chosen.kills), chosen.seed)
            flaws = rollout.run()
            told = ", ".join(f"{count} {name}" for name, count in rollout.figures.items())
            say(f"{target}: {told}; {len(flaws)} wrong, in {time.monotonic() - began:.0f} s\n")
            say("".join(f"  {flaw}\n" for flaw in flaws[:40]))
            wrong += len(flaws)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
