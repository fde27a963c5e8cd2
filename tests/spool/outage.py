"""Publish over an outage of all targets, kill publishers and drainers, and look for what is lost.

python -m tests.spool.outage [--events N] [--keys N] [--kills N] [--seed N]

A publisher writes down the receipt of each event. It is killed now and then, and another one goes
on behind its last receipt. When all are spooled the targets come back, and two processes drain at
once, which are killed, too. Exit status 1 if an event with a receipt was taken by no target, or
events of a key were taken in another order than they were published.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import NamedTuple

from tests.house.workspace import ROOT
from tests.spool import ledger

PATIENCE = 300.0
"""Seconds without progress: only a broken spool needs so long."""


class Report(NamedTuple):
    """What has become of the events."""

    receipts: int
    lost: int
    disordered: int
    repeats: int
    left: int
    killed: int
    seconds: float

    @property
    def is_wrong(self) -> bool:
        """Return whether a promise was broken."""
        return bool(self.lost or self.disordered or self.left)


def play(folder: Path, events: int, keys: int, kills: int, seed: int) -> Report:
    """Publish over an outage, drain, and count; kill each kind of process `kills` times."""
    random, began = Random(seed), time.monotonic()
    ledger.begin_outage(folder)
    killed = _publish_all(folder, events, keys, kills, random)
    ledger.end_outage(folder)
    killed += _drain_all(folder, kills, random)
    receipts = _receipts(folder)
    taken = {id for id, _, _ in ledger.taken_in(folder)}
    lines = len((folder / "ledger").read_text().splitlines())
    return Report(
        len(receipts),
        len(set(receipts) - taken),
        len(ledger.keys_out_of_order(folder)),
        lines - len(taken),
        _waiting(folder),
        killed,
        time.monotonic() - began,
    )


def publish(folder: Path, first: int, events: int, keys: int) -> None:
    """Publish the events from number `first` on; write down each receipt. A process of its own."""
    with ledger.open_client(folder) as client, (folder / "receipts").open("a") as receipts:
        for number in range(first, events):
            key = f"k{number % keys}"
            text = f"{key} {number}"
            receipt = client.publish_event(ledger.BUS, "counted", text, ordering_key=key)
            receipts.write(f"{number} {receipt.id} {receipt.promise.value}\n")
            receipts.flush()


def drain(folder: Path) -> None:
    """Drain until nothing waits. A process of its own."""
    with ledger.open_client(folder) as client:
        spool = ledger.spool_of(client)
        spool.relay.wake()
        while any(each.waiting for each in spool.status()):
            time.sleep(0.1)


def _publish_all(folder: Path, events: int, keys: int, kills: int, random: Random) -> int:
    killed, ends = 0, sorted(random.sample(range(1, events), kills))
    while (first := _next_number(folder)) < events:
        with _process(folder, "publish", str(first), str(events), str(keys)) as process:
            while process.poll() is None:
                if killed < kills and _next_number(folder) > ends[killed]:
                    process.kill()
                    process.wait()
                    killed += 1
                    break
                time.sleep(0.005)
            else:
                assert process.returncode == 0
    return killed


def _drain_all(folder: Path, kills: int, random: Random) -> int:
    killed, deadline = 0, time.monotonic() + PATIENCE
    while _waiting(folder):
        assert time.monotonic() < deadline, "nothing is drained any more"
        with _process(folder, "drain") as one, _process(folder, "drain") as two:
            while one.poll() is None and two.poll() is None:
                taken = len(ledger.taken_in(folder))
                if killed < kills and taken:
                    time.sleep(random.uniform(0.0, 1.0))
                    random.choice((one, two)).kill()
                    killed += 1
                    deadline = time.monotonic() + PATIENCE
                    break
                time.sleep(0.1)
            if killed >= kills:
                for process in (one, two):
                    process.wait()
    return killed


@contextmanager
def _process(folder: Path, *words: str) -> Iterator[Popen[bytes]]:
    command = [
        sys.executable,
        "-m",
        "tests.spool.outage",
        "--role",
        *words,
        "--folder",
        str(folder),
    ]
    with Popen(command, cwd=ROOT) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _receipts(folder: Path) -> list[str]:
    file = folder / "receipts"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.split()[1] for line in lines]


def _next_number(folder: Path) -> int:
    """Return the number behind that of the last receipt."""
    file = folder / "receipts"
    lines = file.read_bytes().splitlines() if file.exists() else []
    return int(lines[-1].split()[0]) + 1 if lines else 0


def _waiting(folder: Path) -> int:
    with ledger.open_client(folder) as client:
        return sum(each.waiting for each in ledger.spool_of(client).status())


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.spool.outage", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--kills", type=int, default=10, help="of publishers, and of drainers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--role", nargs="+", help="of a process that it starts by itself")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    logging.disable()  # thousands of lines: what they tell is counted here
    if options.role:
        word, *numbers = options.role
        if word == "publish":
            publish(options.folder, *map(int, numbers))
        else:
            drain(options.folder)
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        report = play(Path(folder), options.events, options.keys, options.kills, options.seed)
    for name, count in report._asdict().items():
        print(f"{name:12} {count:>10,.0f}")
    return 1 if report.is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
