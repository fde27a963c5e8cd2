"""Messages over workers and a server that are killed: ``python -m tests.postgres.messages``.

Every message ends once: it is acknowledged, or it is a dead letter with its reason. Those that must
not run twice run once at most; those of one lane run in order. A snapshot is held throughout, and
the tables stay small.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import psycopg

from leeward._delivery.dispatcher import AttemptFailed, Dispatcher, Receiver
from leeward.adapter import Driver
from leeward.calls import Publish
from leeward.clock import SystemClock
from leeward.cloudevents import from_json, mint
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.json_text import decode
from leeward.leases.rules import DeliveryPolicy
from leeward.stores import LeasedRow, Recipient, Stores
from leeward.values import Event
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.opening import config_for
from tests.postgres.server import Server

BUS: Final = "proof"
KINDS: Final = ("plain", "once", "lane", "fails", "flaky")
"""Of messages, each with a subscriber of its own: ``once`` must not run twice."""
LANES: Final = 25
WORKERS: Final = 4
BATCH: Final = 50
POLICY: Final = DeliveryPolicy(
    max_attempts=40, first_retry=0.02, longest_retry=0.5, lease=2.0, ahead=8
)
"""Few are leased ahead: what a killed worker has leased comes back one row at a time."""
PATIENCE: Final = 120.0
"""Seconds without any progress that count as a loss."""

_ACKNOWLEDGED: Final = """
CREATE TABLE ended (id bigint, subscriber text, document text);
CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO leeward.ended VALUES (OLD.id, OLD.subscriber, OLD.document);
    RETURN NULL;
END $$;
CREATE TRIGGER note_end AFTER DELETE ON leeward.deliveries FOR EACH ROW
    WHEN (OLD.lease IS NOT NULL) EXECUTE FUNCTION note_end();
"""
"""Notes each row that goes, in the transaction in which it goes."""

_FORK: Final = get_context("forkserver")


class Size(NamedTuple):
    """How much is done."""

    messages: int
    kills: int
    restarts: int


class Effect(NamedTuple):
    """What an attempt has done, as its process wrote it down."""

    time: int
    number: int
    attempt: int


def kind_of(number: int) -> str:
    """Return which kind of message this is."""
    return KINDS[number % len(KINDS)]


def run_worker(url: str, log: str) -> None:
    """Deliver until the process is killed."""
    logging.disable()
    with closing(open_driver(config_for(url))) as driver:
        stores = stores_of(driver)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        receivers = {
            Recipient(BUS, kind): Receiver(lambda row, _: handle(row, file), POLICY.max_attempts)
            for kind in KINDS
        }
        Dispatcher(stores.deliveries, lambda: receivers, SystemClock(), shared=True).wake()
        threading.Event().wait()


def stores_of(driver: Driver) -> Stores:
    """Return the stores of a target, with the policy of this proof."""
    stores = driver.stores()
    assert stores is not None
    stores.deliveries.policy = POLICY
    return stores


def handle(row: LeasedRow, file: int) -> None:
    """Have an effect: a line in a file."""
    number = from_json(decode(row.document)).data
    kind = kind_of(number)
    if kind == "fails":
        cause = ValueError(f"{number} is refused")
        raise AttemptFailed(cause, again=False, reason="refused", ran="no")
    if kind == "once" and row.is_tried:
        cause = ValueError(f"{number} may have run")
        raise AttemptFailed(cause, again=False, reason="may_have_run", ran="maybe")
    if kind == "flaky" and row.attempt == 1:
        raise AttemptFailed(ValueError("the first one fails"), again=True)
    os.write(file, f"{time.monotonic_ns()} {number} {row.attempt}\n".encode())


class Proof:
    """One run.

    Args:
        server: of its own.
        folder: for what the workers write down.
        size: how much is done.
        seed: of the choice who is killed.
    """

    def __init__(self, server: Server, folder: Path, size: Size, seed: int) -> None:
        self._server = server
        self._folder = folder
        self._size = size
        self._random = random.Random(seed)
        self._workers: list[Any] = []
        self._numbers = iter(range(10**6))
        self._is_over = threading.Event()
        self._kills = self._restarts = 0
        self.most_pages = 0
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute((schema_sql("leeward") + _ACKNOWLEDGED).encode())
        with closing(open_driver(config_for(server.url))) as driver:
            recipients = stores_of(driver).recipients
            assert recipients is not None
            recipients.claim("", {Recipient(BUS, kind): kind for kind in KINDS})

    def run(self) -> None:
        """Publish, deliver and kill, until nothing waits."""
        threads = [threading.Thread(target=each) for each in (self._publish, self._hold)]
        for _ in range(WORKERS):
            self._start_worker()
        for each in threads:
            each.start()
        try:
            self._kill_along()
        finally:
            self._is_over.set()
            for each in threads:
                each.join()
            for worker in self._workers:
                worker.kill()
                worker.join()

    def effects(self) -> Iterator[Effect]:
        """Return what the attempts have done, in the order of time."""
        lines = [line for path in self._folder.iterdir() for line in path.read_text().splitlines()]
        return iter(sorted(Effect(*map(int, line.split())) for line in lines))

    def _start_worker(self) -> None:
        log = str(self._folder / str(next(self._numbers)))
        worker = _FORK.Process(target=run_worker, args=(self._server.url, log), daemon=True)
        worker.start()
        self._workers.append(worker)

    def _publish(self) -> None:
        """Publish everything; what is not known to be there is published again with its id."""
        with closing(open_driver(config_for(self._server.url))) as driver:
            for first in range(0, self._size.messages, BATCH):
                while first > self._next_blow() + BATCH and not self._is_over.wait(0.01):
                    pass  # however slow this machine is, nothing ends before it was struck
                numbers = range(first, min(first + BATCH, self._size.messages))
                call = Publish(BUS, tuple(map(event_of, numbers)))
                while driver.perform(call, 5.0).outcome is not Outcome.OK:
                    time.sleep(0.05)

    def _hold(self) -> None:
        """Hold a snapshot for as long as the server lives, and the next one after that."""
        while not self._is_over.is_set():
            with suppress(psycopg.Error), psycopg.connect(self._server.url) as reader:
                reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                reader.execute("SELECT FROM leeward.version")
                while not self._is_over.wait(0.2):
                    reader.execute("SELECT")
            self._is_over.wait(0.1)

    def _next_blow(self) -> float:
        """Return how many messages have ended when somebody is killed next."""
        size = self._size
        kill = (self._kills + 1) * size.messages / (size.kills + 2)
        restart = (self._restarts + 1) * size.messages / (size.restarts + 1.5)
        return min(
            kill if self._kills < size.kills else size.messages,
            restart if self._restarts < size.restarts else size.messages,
        )

    def _kill_along(self) -> None:
        size = self._size
        done, since = 0, time.monotonic()
        while done < size.messages:
            time.sleep(0.02)
            count = self._count_ended()
            if count > done:
                done, since = count, time.monotonic()
            assert time.monotonic() - since < PATIENCE, f"{size.messages - done} are lost"
            if done < self._next_blow() or done >= size.messages:
                continue
            if self._kills < size.kills and done >= (
                (self._kills + 1) * size.messages / (size.kills + 2)
            ):
                self._kills += 1
                worker = self._workers.pop(self._random.randrange(WORKERS))
                worker.kill()
                worker.join()
                self._start_worker()
            else:
                self._restarts += 1
                self._server.kill()
                self._server.restart()
        assert (self._kills, self._restarts) == (size.kills, size.restarts)

    def _count_ended(self) -> int:
        sql = (
            "SELECT (SELECT count(*) FROM ended), "
            "pg_relation_size('leeward.deliveries_0') + pg_relation_size('leeward.deliveries_1')"
        )
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            ((count, size),) = connection.execute(sql.encode()).fetchall()
        self.most_pages = max(self.most_pages, size // 8192)
        return int(count)


def event_of(number: int) -> Event:
    """Return the message of this number."""
    now, kind = time.time(), kind_of(number)
    lane = f"lane {number // len(KINDS) % LANES}" if kind == "lane" else None
    event = Event(kind, number, ordering_key=lane)
    return mint(event, id=new_id(now), source="/proof", now=now)


def check(proof: Proof, server: Server, size: Size) -> str:
    """Check how every message has ended; return the figures."""
    with psycopg.connect(server.url) as connection:
        ended = connection.execute("SELECT id, document::json->>'data' FROM ended").fetchall()
        dead = connection.execute(
            "SELECT id, (document::json->>'data')::integer, reason, ran, error "
            "FROM leeward.dead_letters"
        ).fetchall()
        ((left,),) = connection.execute("SELECT count(*) FROM leeward.deliveries").fetchall()
    ends = Counter(int(number) for _, number in ended)
    assert left == 0
    assert sorted(ends) == list(range(size.messages)), "a message is lost"
    assert set(ends.values()) == {1}, "a message has ended twice"
    reasons = Counter((kind_of(number), reason, ran) for _, number, reason, ran, _ in dead)
    assert set(reasons) <= {("fails", "refused", "no"), ("once", "may_have_run", "maybe")}, reasons
    assert reasons["fails", "refused", "no"] == size.messages // len(KINDS)
    effects = list(proof.effects())
    runs = Counter(effect.number for effect in effects)
    given_up = {number for _, number, *_ in dead}
    for number in range(size.messages):
        least = 0 if number in given_up else 1
        most = 1 if kind_of(number) == "once" else POLICY.max_attempts
        assert least <= runs[number] <= most, (number, runs[number])
    assert not any(runs[number] for number in given_up if kind_of(number) == "fails")
    check_lanes(effects)
    again = sum(count - 1 for count in runs.values())
    return (
        f"{size.messages} messages, {size.kills} kills of workers, {size.restarts} of the server: "
        f"0 lost, 0 acknowledged twice; {len(dead)} dead letters with their reason, of them "
        f"{reasons['once', 'may_have_run', 'maybe']} that may have run once; {again} attempts of "
        f"safe ones ran again; the tables had {proof.most_pages} pages at most"
    )


def check_lanes(effects: list[Effect]) -> None:
    """Check that nothing of a lane runs once a later message of it has run."""
    last: dict[int, int] = {}
    for effect in effects:
        if kind_of(effect.number) != "lane":
            continue
        lane = effect.number // len(KINDS) % LANES
        assert effect.number >= last.get(lane, -1), (lane, effect, last[lane])
        last[lane] = effect.number


def prove(size: Size, seed: int, tell: Callable[[str], object]) -> None:
    """Do the whole proof, and tell its figures."""
    began = time.monotonic()
    server = Server()
    try:
        with TemporaryDirectory() as folder:
            proof = Proof(server, Path(folder), size, seed)
            proof.run()
            tell(f"{check(proof, server, size)}; {time.monotonic() - began:.0f} s")
    finally:
        server.stop()


def main() -> None:
    """Read the size, and prove it."""
    parser = ArgumentParser(prog="python -m tests.postgres.messages", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    size = Size(chosen.messages, chosen.kills, chosen.restarts)
    prove(size, chosen.seed, lambda told: sys.stdout.write(f"{told}\n"))


if __name__ == "__main__":
    main()
