"""Many writes whose answers are lost, and settled: ``python -m tests.postgres.lost_writes``.

A connection carries many stores without a wait for their answers, and breaks at any byte. The rest
never arrives, or it arrives while all are settled, or after that; some stand still at a lock; and
the server is killed behind some. What is said of each store is held against its item at the end.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from random import Random
from typing import Any, Final, NamedTuple

import psycopg

from leeward.adapter import Driver
from leeward.calls import SettleWrite, Store
from leeward.errors import Outcome
from leeward.values.settled import Verdict
from leeward_postgres.driver import open_driver
from leeward_postgres.statements import name_schema
from leeward_postgres.tables import store_item
from tests.postgres.opening import SECONDS, config_for, open_server, store_of
from tests.postgres.server import Server

TABLE: Final = "lost"
AT_ONCE: Final = 100
"""Writes that one broken connection loses."""
SETTLERS: Final = 4
FATES: Final = ("never", "meanwhile", "late")
"""When the rest of a connection's bytes arrives."""


class Verdicts(NamedTuple):
    """What was said of the writes of one fate.

    Attributes:
        ran: how many have taken place.
        not_run: how many never will.
        unknown: of how many nothing was said.
        wrong: of how many the item shows something else.
    """

    ran: int
    not_run: int
    unknown: int
    wrong: int


class Line:
    """A connection on which many writes go out together, and no answer is read.

    Args:
        server: where they go.
        writes: each a transaction of its own.
        share: of their bytes that arrive at first, from 0 to 1.
    """

    def __init__(self, server: Server, writes: Sequence[Store], share: float) -> None:
        self._connection = psycopg.connect(server.url, autocommit=True)
        sent = b"".join(_message_of(self._connection, write) for write in writes)
        cut = int(len(sent) * share)
        self._rest = sent[cut:]
        self._socket = socket.socket(fileno=os.dup(self._connection.pgconn.socket))
        self._socket.settimeout(SECONDS)
        self._socket.sendall(sent[:cut])

    def send_rest(self) -> None:
        """Let the rest arrive; a server that has gone gets nothing."""
        with suppress(OSError):
            self._socket.sendall(self._rest)

    def finish(self) -> None:
        """Wait until the server has ended the session, and so everything that it began."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while self._socket.recv(1 << 20):
                pass
        self._socket.close()
        self._connection.close()


def _message_of(connection: psycopg.Connection[Any], write: Store) -> bytes:
    """Return the adapter's statement of a write as a message of the protocol, a simple query.

    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """
    statement = next(store_item(write, SECONDS))
    sql = name_schema(statement.sql, "leeward")
    text = psycopg.ClientCursor(connection).mogrify(sql, statement.values).encode()
    return b"Q" + struct.pack("!I", len(text) + 5) + text + b"\0"


def lose(server: Server, driver: Driver, number: int, count: int, luck: Random) -> Counter[Any]:
    """Lose `count` writes, settle them, and return what was said, and what is so."""
    writes = [store_of(TABLE, f"{number}-{at}", at) for at in range(count)]
    fate = luck.choice(FATES)
    line = Line(server, writes, luck.random())
    with ExitStack() as stack:
        if luck.random() < 0.25:  # one stands still in the middle, and so do those behind it
            stack.enter_context(_hold(server, luck.choice(writes)))
        said = _settle(driver, writes, luck, line if fate == "meanwhile" else None)
    if fate == "late":
        line.send_rest()
    line.finish()
    return _judge(server, fate, writes, said)


def lose_by_kill(server: Server, driver: Driver, number: int, count: int, luck: Random) -> Any:
    """Do the same, with a server that is killed at once behind the writes."""
    writes = [store_of(TABLE, f"{number}-{at}", at) for at in range(count)]
    line = Line(server, writes, 1.0)
    time.sleep(luck.random() * 0.2)
    server.kill()
    line.finish()
    server.restart()
    return _judge(server, "killed", writes, _settle(driver, writes, luck, None))


def play(writes: int, kills: int, seed: int) -> dict[str, Verdicts]:
    """Lose about so many writes, and return the verdicts by fate."""
    luck, counts = Random(seed), Counter[Any]()
    rounds = max(writes // AT_ONCE, 1)
    killed = set(luck.sample(range(rounds), min(kills, rounds)))
    with open_server() as server, closing(open_driver(config_for(server.url))) as driver:
        for number in range(rounds):
            play_round = lose_by_kill if number in killed else lose
            counts += play_round(server, driver, number, min(AT_ONCE, writes), luck)
    fates = sorted({fate for fate, _, _ in counts})
    return {fate: _verdicts_of(counts, fate) for fate in fates}


def _hold(server: Server, write: Store) -> psycopg.Connection[Any]:
    """Return a transaction that has inserted the item of a write, and is rolled back at the end."""
    connection = psycopg.connect(server.url)
    with suppress(psycopg.errors.LockNotAvailable):
        connection.execute("SET LOCAL lock_timeout = 50")  # the write has been first
        connection.execute(
            "INSERT INTO leeward.items (name, key, item) VALUES (%s, %s, '{}') "
            "ON CONFLICT DO NOTHING",
            (TABLE, list(write.key.values)),
        )
    return connection


def _settle(
    driver: Driver, writes: Sequence[Store], luck: Random, line: Line | None
) -> dict[str, Verdict]:
    """Settle writes in any order, while the rest of a line arrives."""

    def settle(write: Store) -> tuple[str, Verdict]:
        while True:
            result: Any = driver.perform(SettleWrite(TABLE, write), SECONDS)
            if result.outcome is Outcome.OK:
                return write.write_id, result.value.verdict
            assert result.outcome in (Outcome.NOT_SENT, Outcome.AMBIGUOUS), result

    arriving = threading.Thread(target=line.send_rest) if line else None
    with ThreadPoolExecutor(SETTLERS) as threads:
        if arriving:
            arriving.start()
        said = dict(threads.map(settle, luck.sample(writes, len(writes))))
    if arriving:
        arriving.join()
    return said


def _judge(
    server: Server, fate: str, writes: Sequence[Store], said: dict[str, Verdict]
) -> Counter[Any]:
    """Count verdicts, and whether each is so."""
    with psycopg.connect(server.url) as connection:
        found = connection.execute(
            "SELECT revision FROM leeward.items WHERE name = %s AND revision = ANY(%s)",
            (TABLE, list(said)),
        ).fetchall()
    there = {revision for (revision,) in found}
    assert len(said) == len(writes)
    return Counter(
        (fate, verdict, (id in there) is (verdict is Verdict.RAN)) for id, verdict in said.items()
    )


def _verdicts_of(counts: Counter[Any], fate: str) -> Verdicts:
    def total(verdict: Verdict | None, *, is_so: bool | None = None) -> int:
        return sum(
            count
            for (own, said, so), count in counts.items()
            if own == fate and verdict in (said, None) and is_so in (so, None)
        )

    wrong = total(Verdict.RAN, is_so=False) + total(Verdict.NOT_RUN, is_so=False)
    return Verdicts(total(Verdict.RAN), total(Verdict.NOT_RUN), total(Verdict.UNKNOWN), wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.postgres.lost_writes", description=__doc__)
    parser.add_argument("--writes", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20, help="of the server, 100 writes each")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    report = play(options.writes, options.kills, options.seed)
    for fate, verdicts in report.items():
        told = ", ".join(f"{count:,} {name}" for name, count in verdicts._asdict().items())
        print(f"{fate:10} {told}")
    return 1 if any(each.wrong or each.unknown for each in report.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
