import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward._sqlite import database
from leeward.errors import Outcome
from leeward.leases.rules import DeliveryPolicy
from leeward.local import Context, Local
from leeward.values import Event
from tests.local.calls import (
    PATIENT,
    Child,
    HandClock,
    child,
    dispatcher_of,
    event,
    load,
    publish,
    store,
    value_of,
)

Opener = Callable[..., Local]

KEEPER = """
import threading
cloud = Local(path=sys.argv[1])
never = threading.Event()
cloud.subscribe("orders", name="remember")(lambda event: never.wait())
cloud.function("f")(lambda payload: never.wait())
value_of(cloud.perform(store({"n": 1}), 5))
print("COMMITTED")
assert value_of(cloud.perform(publish(event("1", data={"n": 2})), 5))[0].outcome is Outcome.OK
print("PUBLISHED")
value_of(cloud.perform(enqueue("f", b'{"n": 3}'), 5))
print("ACCEPTED")
never.wait()
"""


def later() -> HandClock:
    """A clock on which every lease of a killed process has ended."""
    clock = HandClock()
    clock.time += 10**10
    return clock


def test_what_was_promised_survives_a_kill(opened: Opener, path: Path) -> None:
    """After kill -9 the item is there, and the event and the queued call are delivered."""
    with child(KEEPER, str(path)) as process:
        for promise in ("COMMITTED", "PUBLISHED", "ACCEPTED"):
            process.wait_for(promise)
        process.kill()
    cloud = opened(path=path, clock=later())
    found = value_of(cloud.perform(load(), 5))
    assert found is not None
    assert found.item["n"] == 1
    seen: list[object] = []

    @cloud.subscribe("orders", name="remember")
    def remember(event: Event) -> None:
        seen.append(event.data)

    cloud.function("f")(seen.append)
    cloud.wait_idle(PATIENT)
    assert sorted(map(str, seen)) == ["{'n': 2}", "{'n': 3}"]


HURRIED = """
import itertools, os, signal, time
cloud = Local(path=sys.argv[1])
numbers = itertools.count()
@cloud.subscribe("orders", name="remember")
def remember(event):
    if next(numbers) >= 40:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
cloud.perform(publish(*[event(str(n)) for n in range(120)]), 60)
time.sleep(60)
"""


def test_a_kill_costs_an_attempt_of_what_had_begun(opened: Opener, path: Path) -> None:
    """What was leased ahead of its turn has its first attempt still before it."""
    with child(HURRIED, str(path)) as process:
        process.process.wait(PATIENT)
    cloud = opened(path=path, clock=later())
    attempts: list[int | None] = []

    @cloud.subscribe("orders", name="remember")
    def remember(event: Event, context: Context) -> None:
        attempts.append(context.attempt)

    cloud.wait_idle(PATIENT)
    assert len(attempts) >= 120 - 40
    assert set(attempts) <= {1, 2}
    assert attempts.count(2) <= DeliveryPolicy().concurrency


WRITER = """
cloud = Local(path=sys.argv[1])
for number in range(1000000):
    value_of(cloud.perform(store({"n": number}), 60))
    print(number)
"""


def test_a_kill_at_any_moment_loses_nothing_acknowledged(opened: Opener, path: Path) -> None:
    """Whatever step a write is at, the last acknowledged one or a later one is there."""
    for rounds in (1, 2, 3, 5, 8, 13):
        with child(WRITER, str(path)) as process:
            for _ in range(rounds):
                acknowledged = int(process.line())
            process.kill()
            acknowledged = max([acknowledged, *map(int, rest(process))])
        cloud = opened(path=path)
        found = value_of(cloud.perform(load(), PATIENT))
        assert found is not None
        assert found.item["n"] in {acknowledged, acknowledged + 1}
        cloud.close()


def rest(process: Child) -> list[bytes]:
    """Give the lines that a killed child has still said, without a last half one."""
    assert process.process.stdout is not None
    return process.process.stdout.read().split(b"\n")[:-1]


ADDER = """
cloud = Local(path=sys.argv[1])
print("ready")
sys.stdin.readline()
added = 0
while added < 20:
    found = value_of(cloud.perform(load(), 60))
    count = 0 if found is None else found.item["n"]
    condition = {"if_absent": True} if found is None else {"if_revision": found.revision}
    result = cloud.perform(store({"n": count + 1}, **condition), 60)
    assert result.outcome in (Outcome.OK, Outcome.CONFLICT), result
    added += result.outcome is Outcome.OK
print("done")
"""


def test_two_processes_share_a_file(opened: Opener, path: Path) -> None:
    """Conditions hold between processes: no increment is lost."""
    with child(ADDER, str(path)) as one, child(ADDER, str(path)) as other:
        for process in (one, other):
            process.wait_for("ready")
        for process in (one, other):
            process.say("go")
        for process in (one, other):
            process.wait_for("done")
    found = value_of(opened(path=path).perform(load(), 5))
    assert found is not None
    assert found.item["n"] == 40


WORKER = """
cloud = Local(path=sys.argv[1])
cloud.subscribe("orders", name="shared")(lambda event: print(event.id))
value_of(cloud.perform(load(), 60))
print("ready")
sys.stdin.readline()
"""


def test_a_process_takes_over_from_one_that_died(opened: Opener, path: Path) -> None:
    """A running process with the same subscription delivers what another one left."""
    with child(WORKER, str(path)) as worker:
        worker.wait_for("ready")
        cloud = opened(path=path, clock=later())
        cloud.subscribe("orders", name="shared")(lambda event: None)
        dispatcher_of(cloud).close()
        value_of(cloud.perform(publish(event("left")), 5))
        worker.wait_for("left")


FULL = """
import resource, os
path, where = sys.argv[1:]
cloud = Local(path=path)
first = value_of(cloud.perform(store({"n": 1}), 5))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
size = os.path.getsize(path) if where == "commit" else 1
resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
result = cloud.perform(store({"n": 2, "text": "x" * 50000}), 5)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(result.outcome.name, result.reason, type(result.cause).__name__)
found = value_of(cloud.perform(load(), 5))
print(found.item["n"], found.revision == first)
print(value_of(cloud.perform(store({"n": 3}, if_revision=first), 5)) != first)
"""


@pytest.mark.parametrize(
    ("where", "outcome"),
    [
        ("commit", "UNUSABLE io_error OperationalError"),
        ("journal", "UNUSABLE io_error OperationalError"),
    ],
)
def test_a_disk_that_takes_no_more(path: Path, where: str, outcome: str) -> None:
    """Nothing was written, at the commit neither; the next call works again."""
    with child(FULL, str(path), where) as process:
        process.wait_for(outcome)
        process.wait_for("1 True")
        process.wait_for("True")


@pytest.mark.parametrize(
    ("pragma", "reason"), [("max_page_count = 1", "disk_full"), ("query_only = 1", "read_only")]
)
def test_a_refused_write_is_unusable(opened: Opener, path: Path, pragma: str, reason: str) -> None:
    """A full disk or a read-only one refuses before the commit; nothing was written."""
    cloud = opened(path=path)
    value_of(cloud.perform(store({"n": 1}), 5))
    with cloud._database.read(5) as connection:
        connection.execute(f"PRAGMA {pragma}").fetchall()
    result = cloud.perform(store({"n": 2, "text": "x" * 50000}), 5)
    assert (result.outcome, result.reason) == (Outcome.UNUSABLE, reason)
    assert isinstance(result.cause, sqlite3.Error)
    found = value_of(cloud.perform(load(), 5))
    assert found is not None
    assert found.item["n"] == 1


class FailingAtTheEnd:
    """A connection whose COMMIT reports an error, whether it lands on the disk or not."""

    def __init__(self, real: sqlite3.Connection, *, lands: bool, code: int = 0) -> None:
        self.real = real
        self.code = code
        self.lands = lands
        self.closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Run the statement, or fail."""
        if statement == "COMMIT":
            if self.lands:
                self.real.execute(statement)
            failure = sqlite3.OperationalError("disk I/O error")
            failure.sqlite_errorcode = self.code
            raise failure
        return self.real.execute(statement, *values)

    def close(self) -> None:
        """Close, and remember it."""
        self.closed = True
        self.real.close()


@pytest.mark.parametrize("lands", [True, False])
def test_a_failed_commit_drops_the_handle(opened: Opener, path: Path, lands: bool) -> None:
    """The outcome is AMBIGUOUS, the handle is closed, and a new one tells what is there."""
    cloud = opened(path=path)
    value_of(cloud.perform(store({"n": 1}), 5))
    assert cloud._database._connection is not None
    failing = FailingAtTheEnd(cloud._database._connection, lands=lands)
    cloud._database._connection = failing  # type: ignore[assignment]
    result = cloud.perform(store({"n": 2}), 5)
    assert (result.outcome, result.reason) == (Outcome.AMBIGUOUS, "commit_failed")
    assert isinstance(result.cause, sqlite3.OperationalError)
    assert failing.closed
    found = value_of(cloud.perform(load(), 5))
    assert found is not None
    assert found.item["n"] == (2 if lands else 1)


@pytest.mark.parametrize(
    ("code", "journal", "outcome"),
    [
        (sqlite3.SQLITE_FULL, "truncate", Outcome.UNUSABLE),
        (sqlite3.SQLITE_IOERR_WRITE, "truncate", Outcome.UNUSABLE),
        (sqlite3.SQLITE_FULL, "wal", Outcome.AMBIGUOUS),
        (sqlite3.SQLITE_IOERR_FSYNC, "truncate", Outcome.AMBIGUOUS),
        (sqlite3.SQLITE_IOERR_TRUNCATE, "truncate", Outcome.AMBIGUOUS),
    ],
)
def test_only_a_page_without_room_proves_that_nothing_is_there(
    opened: Opener, path: Path, monkeypatch: Any, code: int, journal: str, outcome: Outcome
) -> None:
    """The journal undoes it. What fails later, or in another mode, may be on the disk."""
    cloud = opened(path=path)
    value_of(cloud.perform(store({"n": 1}), 5))
    opened_connection = cloud._database._connection
    assert opened_connection is not None
    failing: Any = FailingAtTheEnd(opened_connection, lands=False, code=code)
    cloud._database._connection = failing
    if journal != "truncate":
        monkeypatch.setattr(database, "_SETTINGS", (f"PRAGMA journal_mode = {journal}",))
    assert cloud.perform(store({"n": 2}), 5).outcome is outcome
    found = value_of(cloud.perform(load(), 5))
    assert found is not None
    assert found.item["n"] == 1


def test_a_failed_commit_in_memory_ends_the_database(cloud: Local) -> None:
    """What was there cannot be had again, and that is said instead of starting empty."""
    value_of(cloud.perform(store(), 5))
    assert cloud._database._connection is not None
    cloud._database._connection = FailingAtTheEnd(  # type: ignore[assignment]
        cloud._database._connection, lands=False
    )
    assert cloud.perform(store(), 5).outcome is Outcome.AMBIGUOUS
    result = cloud.perform(load(), 5)
    assert (result.outcome, "is gone" in str(result.message)) == (Outcome.LOCAL, True)
