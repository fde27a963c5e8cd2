"""Processes that are killed, stopped and given another time, and a ledger of what steps have done.

Starts and events are sent to them early, late and again, until one of them has acknowledged each.

The ledger is a file that steps append to, beside the journal and without its help: one line for
each effect. When all is over it is held against the runs:

- no unsafe step has run twice;
- no start that was acknowledged is lost, and each has ended;
- an event that was acknowledged has been counted by its run, each under one key;
- a run that did not end well has no charge without a refund behind it, however late a call of a
  process that was stopped goes out: the functions of the charges keep records of their keys, and a
  stop is shorter by seconds than the lease of a key, which an announced effect may not outlive.
  The records know nothing of a call that was sent before they began, so by a clock an hour behind:
  these charges are counted;
- a step that kills its process is not called more often than it may be.

`python -m tests.workflow.killing --kills 500 --stops 30` does it at length.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from importlib import import_module
from pathlib import Path
from random import Random
from typing import NamedTuple

from leeward.clock import Clock
from leeward.values.runs import RunState
from leeward.values.settled import Verdict
from leeward.workflow import ANY, Flow, Ref, Retry, workflow
from leeward.workflow.commands import StepVerdict
from leeward.workflow.embedded.journal import Journal, RunRow
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from tests.house.workspace import ROOT

UNSAFE = ("update-inventory", "ship-order")
BIDS = 3
"""Events of a deal: it ends when it has counted as many."""
CHARGES = {"update-inventory": "restore-inventory", "take-payment": "refund-payment"}
ATTEMPTS = 3
STEP_SECONDS = 0.004
PATIENCE = 60.0
"""Seconds in which at least one run ends, once nobody kills any more."""
MOST_STARTS = 0.4
"""Of the times at which a run could be started: more than are ended would only wait."""


def open_journal(folder: Path, clock: Clock | None = None) -> Journal:
    """Open the journal of a folder."""
    return SqliteJournal(folder / "journal.sqlite3", clock)


@workflow("order", timeout="20h")
def order_flow(w: Flow, order: Ref) -> None:
    """Two charges, one of which nobody may repeat; some orders have a step that kills."""
    with w.attempt("all") as all_, w.saga("booking"):
        w.step("update-inventory", order, undo="restore-inventory", settle=True)
        with w.parallel("both") as both:
            with both.branch("pay"):
                often = Retry(attempts=30)
                w.step("take-payment", order, undo="refund-payment", effect="keyed", retry=often)
            with both.branch("check"), w.choose("fate") as fate:
                with fate.when(order["fate"] == "poison"):
                    w.step("die", order, effect="keyed", retry=Retry(attempts=ATTEMPTS))
                with fate.when(order["fate"] == "pause"):
                    w.wait(1)
        w.step("ship-order", order)
    with all_.on(ANY):
        w.step("tell", order, effect="idempotent", retry=Retry(on=(ANY,), attempts=30))
        w.fail("OrderFailed")


@workflow("bid")
def bid_flow(w: Flow, bid: Ref) -> None:
    """Count one bid."""
    w.step("count", bid, effect="keyed", retry=Retry(attempts=30))


@workflow("deal")
def deal_flow(w: Flow, deal: Ref) -> None:
    """Wait for bids, and run a flow for each."""
    with w.repeat("bids", at_most=BIDS) as number:
        w.run(bid_flow, w.event("bid", id="bid"), id="count")
        number.until(number == BIDS)


WORKER = """
import logging, os, sys, time
from importlib import import_module
from pathlib import Path
from leeward import Client
from leeward.app import App
from leeward.app.idempotency import idempotent
from leeward.clock import SystemClock
from leeward.errors import LeewardError, NotFound
from leeward.local import Local
from leeward.workflow.embedded import workers
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.steps import functions_called_by
from tests.workflow.killing import STEP_SECONDS, bid_flow, deal_flow, order_flow

logging.disable()
folder, lease, ahead = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
if lease:
    workers.LEASE = lease
ledger = os.open(folder / "ledger", os.O_APPEND | os.O_WRONLY)

def effect(payload, context):
    os.write(ledger, f"{context.idempotency_key}\\n".encode())
    time.sleep(STEP_SECONDS)

def die(payload, context):
    effect(payload, context)
    os.kill(os.getpid(), 9)

def count(payload, context):
    os.write(ledger, f"{context.idempotency_key} bid {payload}\\n".encode())

def undo(payload, context):
    os.write(ledger, f"{payload['key']} undone\\n".encode())

class Clock(SystemClock):
    def now(self):
        return time.time() + ahead

def once(payload, context):
    context.effect()
    effect(payload, context)

app = App("shop")
for name in ("update-inventory", "take-payment"):
    longer_than_a_stop = {"lease": 2 * lease + 5.0, "effects": "marked"}
    keyed = idempotent(table="keys", principal=None, name=name, **longer_than_a_stop)
    app.function(name=name)(keyed(once))
local = Local(path=folder / "shop.sqlite3")
for name in ("ship-order", "tell"):
    local.function(name)(effect)
for name in ("restore-inventory", "refund-payment"):
    local.function(name)(undo)
local.function("die")(die)
local.function("count")(count)

def obey(what, id, word):
    if what == "bid":
        engine.send("deal", id, "bid", int(word), f"bid-{word}")
    else:
        engine.start(what, {"id": id, "fate": word}, id)

with Client(local, app=app) as client:
    journal = import_module(sys.argv[4]).open_journal(folder, Clock())
    engine = Engine(functions_called_by(client), [order_flow, deal_flow, bid_flow], journal)
    engine.wake()
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            obey(*line.split())
            answer = "ok"
        except NotFound:
            answer = "early"
        except LeewardError:
            answer = "unknown"
        print(answer, line.strip(), flush=True)
    engine.close()
"""


class Plan(NamedTuple):
    """How much is done.

    Attributes:
        kills: of processes.
        stops: for longer than a lease.
        processes: at one time.
        lease: seconds.
        seed: of what is random.
        journal: the module whose `open_journal` opens the journal of a folder.
    """

    kills: int
    stops: int
    processes: int
    lease: float
    seed: int
    journal: str = "tests.workflow.killing"

    def open_journal(self, folder: Path) -> Journal:
        """Open the journal."""
        opened: Journal = import_module(self.journal).open_journal(folder)
        return opened


class Outcome(NamedTuple):
    """What came of it: what is wrong, and how much was done."""

    wrong: list[str]
    figures: dict[str, int]


class _Process:
    """One process that goes on with runs, and obeys lines: ``order ID FATE``, ``bid ID NUMBER``."""

    def __init__(self, folder: Path, lease: float, ahead: float, journal: str) -> None:
        words = [sys.executable, "-c", WORKER, str(folder), str(lease), str(ahead), journal]
        self.child = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.began = time.monotonic()
        self._text = b""

    def send(self, line: str) -> None:
        """Ask for a run, or send an event to one."""
        assert self.child.stdin is not None
        with suppress(BrokenPipeError):
            self.child.stdin.write(f"{line}\n".encode())

    def lines(self) -> Iterator[str]:
        """Return what it has said since."""
        assert self.child.stdout is not None
        while select.select([self.child.stdout], [], [], 0)[0]:
            said = os.read(self.child.stdout.fileno(), 65536)
            if not said:
                break
            self._text += said
        *lines, self._text = self._text.split(b"\n")
        yield from (line.decode() for line in lines)

    def end(self, number: int) -> None:
        """Send a signal that ends it, and wait for that."""
        self.child.send_signal(number)
        self.child.communicate()


class _Storm:
    """Kills and stops processes that go on with runs."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.lines: list[str] = []
        self.acknowledged: set[str] = set()
        self.figures: Counter[str] = Counter(kills=plan.kills, stops=plan.stops)
        self._folder = folder
        self._plan = plan
        self._random = Random(plan.seed)
        self._ready: set[_Process] = set()
        self._stopped: dict[_Process, float] = {}
        self._left = [*["kill"] * plan.kills, *["stop"] * plan.stops]
        self._random.shuffle(self._left)
        (folder / "ledger").touch()
        self._processes = [self._process() for _ in range(plan.processes)]

    def blow(self) -> None:
        """Do all that the plan says."""
        while self._left or self._stopped:
            self._listen()
            self._replace()
            running = [
                each for each in self._processes if each in self._ready - self._stopped.keys()
            ]
            for each in [each for each in running if self._random.random() < MOST_STARTS]:
                self._add_run()
                self._send_some(each)
            time.sleep(self._random.uniform(0.0, 0.06))
            for each in [each for each, at in self._stopped.items() if at <= time.monotonic()]:
                del self._stopped[each]
                each.child.send_signal(signal.SIGCONT)
            if self._left and len(running) > 1 and self.acknowledged:
                self._strike(self._random.choice(running))

    def _add_run(self) -> None:
        """Think of a run, and of the events that it waits for."""
        id = f"r{len(self.lines)}"
        if self._random.random() < 0.3:
            self.lines += [f"deal {id} well", *(f"bid {id} {each}" for each in range(BIDS))]
        else:
            (fate,) = self._random.choices(("well", "pause", "poison"), (40, 8, 1))
            self.lines.append(f"order {id} {fate}")

    def _send_some(self, process: _Process) -> None:
        """Send what nobody has acknowledged yet, the latest first to be sent, and some of all."""
        left = [line for line in self.lines if line not in self.acknowledged]
        lines = {*self._random.sample(left, min(3, len(left))), *left[-1:]}
        lines |= {self._random.choice(self.lines)}
        for line in self._random.sample(sorted(lines), len(lines)):
            self.figures["events sent"] += line.startswith("bid")
            process.send(line)

    def let_end(self) -> None:
        """Wait until no run goes on, with processes that nobody kills any more."""
        self._wait_for_runs()
        # Those have started meanwhile what they were told last.
        self._processes = [self._process()]
        self._wait_for_runs()

    def _wait_for_runs(self) -> None:
        journal = self._plan.open_journal(self._folder)
        left, until = -1, time.monotonic() + PATIENCE
        while left and time.monotonic() < until:
            self._listen()
            self._replace()
            for each in self._ready.intersection(self._processes):
                self._send_some(each)
            time.sleep(0.2)
            now = sum(row.state is RunState.RUNNING for row in journal.runs(None, 10**6))
            now += len(self.lines) - len(self.acknowledged)
            if now != left:
                left, until = now, time.monotonic() + PATIENCE
        journal.close()
        self._listen()
        for each in self._processes:
            each.child.communicate(timeout=100)

    def _process(self) -> _Process:
        self.figures["processes"] += 1
        most = 20 + 3 * (self._plan.kills + len(self.lines))
        assert self.figures["processes"] < most, "processes end by themselves"
        ahead = self._random.choice((0.0, 3600.0, -3600.0))
        return _Process(self._folder, self._plan.lease, ahead, self._plan.journal)

    def _strike(self, victim: _Process) -> None:
        if self._left.pop() == "stop":
            victim.child.send_signal(signal.SIGSTOP)
            seconds = self._plan.lease * self._random.uniform(0.5, 2.0)
            self._stopped[victim] = time.monotonic() + seconds
            return
        self._listen()
        victim.end(signal.SIGKILL)
        self._processes[self._processes.index(victim)] = self._process()

    def _replace(self) -> None:
        """Begin a process for each that a step of its own has ended."""
        for index, each in enumerate(self._processes):
            if each.child.poll() is not None:
                self.figures["ended by a step"] += 1
                each.child.communicate()
                self._stopped.pop(each, None)
                self._processes[index] = self._process()

    def _listen(self) -> None:
        for each in self._processes:
            for line in each.lines():
                word, _, rest = line.partition(" ")
                self.figures[f"lines {word}"] += 1
                if word == "ready":
                    self._ready.add(each)
                elif word == "ok":
                    self.acknowledged.add(rest)


def kill(folder: Path, plan: Plan, beside: AbstractContextManager[None] | None = None) -> Outcome:
    """Kill and stop processes, let the last ones end all runs, and look what was done.

    `beside` goes on while processes are killed.
    """
    storm = _Storm(folder, plan)
    with beside or nullcontext():
        storm.blow()
    storm.let_end()
    with closing(plan.open_journal(folder)) as journal:
        return _judged(folder, journal, storm)


def _judged(folder: Path, journal: Journal, storm: _Storm) -> Outcome:
    figures = storm.figures
    rows = {(row.key.workflow, row.key.id): row for row in journal.runs(None, 10**6)}
    lines = (folder / "ledger").read_text().splitlines()
    figures["effects"] = len(lines)
    done: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        key, _, what = line.partition(" ")
        done[key].append(what or "done")
    wrong: list[str] = []
    for line in sorted(storm.acknowledged):
        flow, id, word = line.split()
        figures["acknowledged events" if flow == "bid" else "acknowledged starts"] += 1
        figures["deadly runs"] += word == "poison"
        if ("deal" if flow == "bid" else flow, id) not in rows:
            wrong.append(f"{line!r} was acknowledged and is lost")
    for (flow, _), row in rows.items():
        figures[f"{flow}s {row.state.value}"] += 1
        if flow == "deal":
            wrong += _flaws_of_deal(row, done)
        elif flow == "order":
            wrong += _flaws_of_order(row, done, journal, figures)
    return Outcome(wrong, dict(figures))


def _flaws_of_order(
    row: RunRow, done: dict[str, list[str]], journal: Journal, figures: Counter[str]
) -> list[str]:
    """Return what is wrong with an order: an effect is done twice, or not taken back."""
    id, wrong = row.key.id, []
    if row.state not in (RunState.SUCCEEDED, RunState.FAILED):
        wrong.append(f"{id} is {row.state.value}")
    effects = {key: done.get(f"order/{id}/{key}", []) for key in (*UNSAFE, *CHARGES, "die")}
    wrong += [f"{id}: {key} ran twice" for key in UNSAFE if effects[key].count("done") > 1]
    if effects["die"].count("done") > ATTEMPTS:
        wrong.append(f"{id}: it has killed {effects['die'].count('done')} processes")
    for key in CHARGES:
        if row.state is RunState.SUCCEEDED:
            if "done" not in effects[key] or "undone" in effects[key]:
                wrong.append(f"{id}: {key} of a good run: {effects[key]}")
        elif "done" in effects[key] and effects[key][-1] != "undone":
            if _is_unknown(journal, row, key):
                figures["charges behind their undo"] += 1
            else:
                wrong.append(f"{id}: {key} was not taken back: {effects[key]}")
    return wrong


def _flaws_of_deal(row: RunRow, done: dict[str, list[str]]) -> list[str]:
    """Return what is wrong with a deal: each of its events is counted, under one key."""
    id = row.key.id
    counted = sorted(
        number
        for key, numbers in done.items()
        for number in set(numbers)
        if key.startswith(f"bid/deal.{id}.")
    )
    if row.state is RunState.SUCCEEDED and counted == [f"bid {each}" for each in range(BIDS)]:
        return []
    return [f"the deal {id} is {row.state.value}, and has counted {counted}"]


def _is_unknown(journal: Journal, row: RunRow, key: str) -> bool:
    """Return whether the records of the keys did not know what had become of a charge."""
    answers = [
        record.answer
        for (path, _), record in journal.events(row.key).items()
        if path == f"{key}/settle"
    ]
    return any(isinstance(it, StepVerdict) and it.verdict is Verdict.UNKNOWN for it in answers)


def recoveries(folder: Path, times: int) -> list[float]:
    """Kill a process again and again; return the seconds until another one goes on with its run."""
    seconds: list[float] = []
    ledger = folder / "ledger"
    ledger.touch()
    while len(seconds) < times:
        first, second = (
            _Process(folder, 0.0, 0.0, Plan._field_defaults["journal"]) for _ in range(2)
        )
        for each in (first, second):
            while "ready" not in list(each.lines()):
                time.sleep(0.01)
        id = f"k{first.child.pid}"
        first.send(f"order {id} well")
        _until(ledger, [f"/{id}/update-inventory\n"])
        first.end(signal.SIGKILL)
        began, is_too_late = time.monotonic(), f"/{id}/ship-order\n" in ledger.read_text()
        _until(ledger, [f"/{id}/ship-order\n", f"/{id}/update-inventory undone\n"])
        if not is_too_late:
            seconds.append(time.monotonic() - began)
        second.child.communicate(timeout=100)
    return seconds


def _until(ledger: Path, lines: list[str]) -> None:
    until = time.monotonic() + 60
    while not any(line in text for text in [ledger.read_text()] for line in lines):
        assert time.monotonic() < until
        time.sleep(0.002)


def main() -> None:
    """Do it at length; print what was done, and what is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--stops", type=int, default=30)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--lease", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recoveries", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.recoveries:
            found = sorted(recoveries(Path(folder), options.recoveries))
            middle = found[len(found) // 2]
            sys.stdout.write(f"recovery: median {middle:.2f} s, at most {found[-1]:.2f} s\n")
            return
        began = time.monotonic()
        plan = Plan(options.kills, options.stops, options.processes, options.lease, options.seed)
        wrong, figures = kill(Path(folder), plan)
    sys.stdout.writelines(f"{each}\n" for each in wrong)
    told = ", ".join(f"{name} {number}" for name, number in sorted(figures.items()))
    sys.stdout.write(f"{told}; {len(wrong)} wrong, in {time.monotonic() - began:.0f} s\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
