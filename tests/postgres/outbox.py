"""Commit and roll back transactions with events in them, kill everybody, and compare.

python -m tests.postgres.outbox [--transactions N] [--kills N] [--seed N]

Two writers insert rows of the user's, each with an event for this database and one for another
target, and roll half of the transactions back. A relay makes the calls. Writers, relay and server
are killed now and then. Exit status 1 if the events are not those of the rows that are there.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import NamedTuple

import psycopg

from leeward import Client
from leeward._delivery.relay import OUTBOX, open_outboxes
from leeward.config import Config
from leeward.leases.rules import DeliveryPolicy
from leeward_postgres import deliveries, outbox
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.house.workspace import ROOT
from tests.postgres.opening import config_for
from tests.postgres.server import Server
from tests.spool import ledger

WRITERS = 2
KEYS = 20
LEASE = 2.0
"""Seconds: what a killed relay holds is due again so soon."""

PATIENCE = 300.0
"""Seconds in which all is relayed, once nobody is killed any more."""

_TABLES = """CREATE TABLE paid (number integer PRIMARY KEY);
INSERT INTO leeward.subscriptions VALUES ('orders', 'seen', NULL)"""


class Report(NamedTuple):
    """What is in the database, and what was made of it."""

    begun: int
    committed: int
    lost_here: int
    phantoms_here: int
    doubled_here: int
    lost_there: int
    phantoms_there: int
    disordered: int
    killed_writers: int
    killed_relays: int
    killed_servers: int
    seconds: float

    @property
    def is_wrong(self) -> bool:
        """Return whether a promise was broken."""
        return any(self[2:8])


def write(url: str, folder: Path, writer: int, transactions: int) -> None:
    """Make every second one, from where the last writer was killed. A process of its own."""
    progress = folder / f"writer-{writer}"
    number = int(progress.read_text() or writer) if progress.exists() else writer
    connection: psycopg.Connection | None = None
    while number < transactions:
        progress.write_text(str(number))
        try:
            if connection is None or connection.closed:
                connection = psycopg.connect(url)
            _transact(connection, number)
        except psycopg.Error as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, psycopg.errors.UniqueViolation):  # else it was committed
                time.sleep(0.05)
                continue  # the server was killed
        number += WRITERS
    progress.write_text(str(number))


def _transact(connection: psycopg.Connection, number: int) -> None:
    key = f"k{number % KEYS}"
    text = f"{key} {number}"
    connection.execute("INSERT INTO paid VALUES (%s)", (number,))
    outbox(connection, config=Config()).publish_event("orders", "paid", text, ordering_key=key)
    there = outbox(connection, to="one", config=Config())
    there.publish_event(ledger.BUS, "paid", text, ordering_key=key)
    if number // WRITERS % 2:
        connection.rollback()
    else:
        connection.commit()


def relay(url: str, folder: Path) -> None:
    """Make the calls until it is killed. A process of its own."""
    vars(deliveries)["DeliveryPolicy"] = partial(DeliveryPolicy, lease=LEASE)
    drivers = [open_driver(config_for(url)), ledger.RecordingDriver("one", folder)]
    with Client(drivers, config=Config(data_target="postgres")) as client:
        (own,) = open_outboxes(client._operations)
        while True:
            own.wake()
            time.sleep(0.5)


def play(folder: Path, transactions: int, kills: int, seed: int) -> Report:
    """Play with a server of its own; kill `kills` times each kind of process."""
    random, began, server = Random(seed), time.monotonic(), Server()
    killed: Counter[str] = Counter()
    processes: dict[str, Popen[bytes]] = {}
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
            connection.execute(_TABLES)
        plan = random.sample(["writer", "relay", "server"] * kills, 3 * kills)
        while (done := _begun(folder)) < transactions or len(plan) > 0:
            _start_absent(processes, server, folder, transactions)
            if plan and done >= transactions * (sum(killed.values()) + 1) / (3 * kills + 1):
                kind = plan.pop()
                killed[kind] += 1
                _kill(kind, processes, server, random)
            time.sleep(0.02)
        _await_empty(processes, server, folder, transactions)
        return _report(server, folder, transactions, killed, time.monotonic() - began)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
        server.stop()


def _start_absent(
    processes: dict[str, Popen[bytes]], server: Server, folder: Path, transactions: int
) -> None:
    roles = {f"writer-{n}": ["write", str(n), str(transactions)] for n in range(WRITERS)}
    for name, role in {**roles, "relay": ["relay"]}.items():
        process = processes.get(name)
        if process is None or process.poll() not in (None, 0):
            command = [sys.executable, "-m", "tests.postgres.outbox", "--role", *role]
            command += ["--folder", str(folder), "--url", server.url]
            processes[name] = Popen(command, cwd=ROOT)


def _kill(kind: str, processes: dict[str, Popen[bytes]], server: Server, random: Random) -> None:
    if kind == "server":
        server.kill()
        server.restart()
        return
    name = random.choice([name for name in processes if name.startswith(kind)])
    processes[name].kill()
    processes[name].wait()


def _begun(folder: Path) -> int:
    files = [folder / f"writer-{writer}" for writer in range(WRITERS)]
    return min(int((file.exists() and file.read_text()) or 0) for file in files)


def _await_empty(
    processes: dict[str, Popen[bytes]], server: Server, folder: Path, transactions: int
) -> None:
    deadline = time.monotonic() + PATIENCE
    sql = "SELECT count(*) FROM leeward.deliveries WHERE bus = %s"
    with psycopg.connect(server.url, autocommit=True) as connection:
        while connection.execute(sql, (OUTBOX,)).fetchone() != (0,):
            _start_absent(processes, server, folder, transactions)
            assert time.monotonic() < deadline, "nothing is relayed any more"
            time.sleep(0.1)


def _report(
    server: Server, folder: Path, transactions: int, killed: Counter[str], seconds: float
) -> Report:
    number = "(document::json->>'data')"
    with psycopg.connect(server.url) as connection:
        paid = {row[0] for row in connection.execute("SELECT number FROM paid")}
        sql = f"SELECT split_part({number}, ' ', 2)::int FROM leeward.deliveries"
        rows = [row[0] for row in connection.execute(sql.encode())]
    there = {number for _, _, number in ledger.taken_in(folder)}
    return Report(
        transactions,
        len(paid),
        len(paid - set(rows)),
        len(set(rows) - paid),
        len(rows) - len(set(rows)),
        len(paid - there),
        len(there - paid),
        len(ledger.keys_out_of_order(folder)),
        killed["writer"],
        killed["relay"],
        killed["server"],
        seconds,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.postgres.outbox", description=__doc__)
    parser.add_argument("--transactions", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10, help="of writers, relays and servers each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--role", nargs="+", help="of a process that it starts by itself")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--url")
    options = parser.parse_args(arguments)
    logging.disable()  # thousands of lines: what they tell is counted here
    if options.role:
        word, *numbers = options.role
        if word == "write":
            write(options.url, options.folder, *map(int, numbers))
        else:
            with suppress(KeyboardInterrupt):
                relay(options.url, options.folder)
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        report = play(Path(folder), options.transactions, options.kills, options.seed)
    for name, count in report._asdict().items():
        print(f"{name:16} {count:>10,.0f}")
    return 1 if report.is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
