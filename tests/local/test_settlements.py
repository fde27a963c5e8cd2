"""A write that is settled is known for good: it has taken place, or it never will."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import Verdict
from leeward.calls import DeleteObject, PutObject, Result, SettleWrite
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.local import Local, settlements
from leeward.local.settlements import KEPT_SECONDS
from leeward.values.settled import Settled
from tests.local.calls import NOW, PATIENT, HandClock, delete, load, store, value_of

IDS: Final = [new_id(NOW + number) for number in range(8)]


def settle(cloud: Local, write: Any) -> Settled:
    """Settle a write."""
    settled: Settled = value_of(cloud.perform(SettleWrite(write[0], write), 5))
    return settled


def put(id: str, **condition: Any) -> PutObject:
    """A write of the object `name`."""
    return PutObject("bucket", "name", b"", "", id, **condition)


class Sender(NamedTuple):
    """Makes the write of an id, under the revision that was seen last."""

    name: str
    make: Callable[[str, str], Any]
    deletes: bool = False


SENDERS: Final = (
    Sender("store", lambda id, _: store(write_id=id)),
    Sender("store if_absent", lambda id, _: store(write_id=id, if_absent=True)),
    Sender("store if_revision", lambda id, seen: store(write_id=id, if_revision=seen)),
    Sender("delete", lambda id, _: delete()._replace(write_id=id), deletes=True),
    Sender(
        "delete if_revision",
        lambda id, seen: delete(if_revision=seen)._replace(write_id=id),
        deletes=True,
    ),
    Sender("put", lambda id, _: put(id)),
    Sender("put if_absent", lambda id, _: put(id, if_absent=True)),
    Sender("put if_revision", lambda id, seen: put(id, if_revision=seen)),
    Sender("delete_object", lambda id, _: DeleteObject("bucket", "name", id), deletes=True),
)

WRITERS: Final = 5

STEPS: Final = st.lists(
    st.tuples(st.sampled_from(["send", "send", "send", "settle"]), st.integers(0, WRITERS - 1)),
    min_size=WRITERS,
    max_size=24,
)


class Model:
    """What is true of each write, whatever the target says."""

    def __init__(self, cloud: Local, senders: list[Sender]) -> None:
        self._cloud = cloud
        self._senders = senders
        self._calls: dict[int, Any] = {}
        self._seen = ""
        self._in_table: str | None = None
        self._in_bucket: str | None = None
        self.ran: set[int] = set()
        self.settled: dict[int, Verdict] = {}

    def send(self, number: int) -> None:
        """Send a write, or send it once more; a settled one has no effect."""
        sender = self._senders[number]
        call = self._calls.setdefault(number, sender.make(IDS[number], self._seen or "none"))
        result = self._cloud.perform(call, 5)
        is_there = self._revision_at(call) is not None
        if number in self.settled:
            assert (result.outcome, result.reason) == (Outcome.CONFLICT, "settled")
            return
        if result.outcome is Outcome.OK and (is_there or not sender.deletes):
            self.ran.add(number)
            self._put_at(call, None if sender.deletes else result.value)

    def settle(self, number: int) -> None:
        """Settle a write; the verdict is what is true, each time."""
        sender = self._senders[number]
        call = self._calls.setdefault(number, sender.make(IDS[number], self._seen or "none"))
        settled = settle(self._cloud, call)
        assert settled.verdict is (Verdict.RAN if number in self.ran else Verdict.NOT_RUN)
        has_revision = settled.verdict is Verdict.RAN and not sender.deletes
        assert settled.result == (IDS[number] if has_revision else None)
        assert self.settled.setdefault(number, settled.verdict) is settled.verdict

    def _revision_at(self, call: Any) -> str | None:
        return self._in_table if call.verb in ("store", "delete") else self._in_bucket

    def _put_at(self, call: Any, revision: str | None) -> None:
        if call.verb in ("store", "delete"):
            self._in_table = revision
        else:
            self._in_bucket = revision
        self._seen = revision or self._seen


@given(st.lists(st.sampled_from(SENDERS), min_size=WRITERS, max_size=WRITERS), STEPS)
def test_every_interleaving_is_settled_as_it_is(
    senders: list[Sender], steps: list[tuple[str, int]]
) -> None:
    """Writes, deletions and settlings of one item and one object, in any order, repeated or not.

    In the end each write is settled, comes once more, and is settled as before.
    """
    cloud = Local()
    model = Model(cloud, senders)
    for verb, number in steps:
        getattr(model, verb)(number)
    for verb in ("settle", "send", "settle"):
        for number in range(WRITERS):
            getattr(model, verb)(number)
    cloud.close()


def test_two_processes_share_what_is_settled(opened: Callable[..., Local], path: Path) -> None:
    """One overwrites and settles what the other one has written, and refuses what comes late."""
    one, other = opened(path=path), opened(path=path)
    done, late = store(write_id=IDS[0]), store(write_id=IDS[1])
    value_of(one.perform(done, 5))
    value_of(other.perform(store(write_id=IDS[2]), 5))
    assert settle(other, done) == Settled(Verdict.RAN, IDS[0], "write_id")
    assert settle(other, late) == Settled(Verdict.NOT_RUN, None, "voided")
    refused = one.perform(late, 5)
    assert (refused.outcome, refused.reason) == (Outcome.CONFLICT, "settled")
    found = value_of(one.perform(load(), 5))
    assert found is not None
    assert found.revision == IDS[2]


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM items", "UPDATE items SET revision = 'theirs'"],
)
def test_what_another_program_replaces_has_run(
    opened: Callable[..., Local], path: Path, statement: str
) -> None:
    """It knows nothing of settling, and the write is still known."""
    cloud, call = opened(path=path), store(write_id=IDS[0])
    value_of(cloud.perform(call, 5))
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    assert settle(cloud, call).verdict is Verdict.RAN


def test_a_deletion_of_nothing_has_not_run(cloud: Local) -> None:
    """It has had no effect, and has none later."""
    call = delete()._replace(write_id=IDS[0])
    assert cloud.perform(call, 5).outcome is Outcome.OK
    assert settle(cloud, call).verdict is Verdict.NOT_RUN
    value_of(cloud.perform(store(), 5))
    assert cloud.perform(call, 5).reason == "settled"
    assert value_of(cloud.perform(load(), 5)) is not None


def test_a_deletion_costs_two_statements(cloud: Local) -> None:
    """It looks for a verdict while it deletes, and keeps its own id; a trigger keeps the other."""
    statements: list[str] = []
    value_of(cloud.perform(store(), 5))
    with cloud._database.read(5) as connection:
        connection.set_trace_callback(statements.append)
    value_of(cloud.perform(delete()._replace(write_id=IDS[0]), 5))
    # A statement whose trigger runs is told again.
    own = list(dict.fromkeys(each.split()[0] for each in statements))
    assert own[own.index("BEGIN") :] == ["BEGIN", "DELETE", "INSERT", "COMMIT"]


def test_a_write_without_an_id_is_unknown(cloud: Local) -> None:
    """No trace can be told from another's."""
    assert settle(cloud, delete()) == Settled(Verdict.UNKNOWN, reason="no_write_id")


def test_only_what_may_be_pruned_is_unknown(cloud: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is older than one that was pruned; each other one is still known."""
    monkeypatch.setattr(settlements, "KEPT_WRITES", 2)
    monkeypatch.setattr("leeward.local.tables.is_time_to_prune", lambda id: id == IDS[5])
    for id in IDS[1:6]:
        value_of(cloud.perform(store(write_id=id), 5))
    assert settle(cloud, store(write_id=IDS[0])).reason == "expired"  # never sent
    assert settle(cloud, store(write_id=IDS[1])).reason == "expired"  # pruned
    assert settle(cloud, store(write_id="not one of leeward's")).reason == "expired"
    verdicts = [settle(cloud, store(write_id=id)).verdict for id in IDS[2:]]
    assert verdicts == [Verdict.RAN] * 4 + [Verdict.NOT_RUN] * 2
    assert settle(cloud, store(write_id=IDS[0])).reason == "expired"
    assert cloud.perform(store(write_id=IDS[0]), 5).reason == "settled"


def test_one_of_many_writes_prunes(cloud: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its id, whichever kind it is; what is pruned does not grow with the writes."""
    monkeypatch.setattr(settlements, "KEPT_WRITES", 3)
    for number in range(40):
        last = "000" if number % 10 == 9 else "001"
        id = new_id(NOW + number)[:-3] + last
        call: Any = store(write_id=id) if number % 3 else delete()._replace(write_id=id)
        cloud.perform(call, 5)
    with cloud._database.read(5) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM writes").fetchone()
    assert kept <= 1 + 3 + 20


def test_another_programs_ids_do_not_end_certainty(
    cloud: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in no order, so that they say nothing of the ids of leeward's clients."""
    monkeypatch.setattr(settlements, "KEPT_WRITES", 1)
    monkeypatch.setattr("leeward.local.tables.is_time_to_prune", lambda id: id == IDS[2])
    for id in ("zzz", IDS[0], IDS[1], IDS[2]):
        value_of(cloud.perform(store(write_id=id), 5))
    assert settle(cloud, store(write_id=IDS[3])).verdict is Verdict.NOT_RUN


def test_a_settlement_outlives_every_request(opened: Callable[..., Local]) -> None:
    """It is kept for 31 days, and goes when another one is put up after them."""
    clock = HandClock()
    cloud, late = opened(clock=clock), store(write_id=IDS[0])
    assert settle(cloud, late).verdict is Verdict.NOT_RUN
    clock.sleep(KEPT_SECONDS)
    settle(cloud, store(write_id=IDS[1]))
    assert cloud.perform(late, 5).reason == "settled"
    clock.sleep(1.0)
    settle(cloud, store(write_id=IDS[2]))
    with cloud._database.read(5) as connection:
        rows = connection.execute("SELECT id FROM settlements ORDER BY id").fetchall()
    assert rows == [(IDS[1],), (IDS[2],)]


def test_a_lost_end_of_a_transaction_is_settled(
    cloud: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is on the disk."""
    call, commit = store(write_id=IDS[0]), cloud._database._commit
    value_of(cloud.perform(load(), 5))

    def fail(connection: sqlite3.Connection) -> None:
        from leeward._sqlite.errors import fault_at_end

        commit(connection)
        raise fault_at_end(sqlite3.OperationalError("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr(cloud._database, "_commit", fail)
        result: Result[Any] = cloud.perform(call, 5)
    assert (result.outcome, result.reason) == (Outcome.AMBIGUOUS, "commit_failed")
    value_of(cloud.perform(store(), 5))
    assert settle(cloud, call).verdict is Verdict.RAN


def test_nothing_comes_between_the_look_and_the_verdict(
    opened: Callable[..., Local], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that comes right after the look waits, and finds the verdict."""
    one, other, late = opened(path=path), opened(path=path), store(write_id=IDS[0])
    value_of(one.perform(load(), 5))
    look, commit = settlements._has_run, one._database._commit
    threads: list[Thread] = []
    arrived: list[Result[Any]] = []

    def look_and_meet(connection: sqlite3.Connection, write: Any) -> bool | None:
        has_run = look(connection, write)
        thread = Thread(target=lambda: arrived.append(other.perform(late, PATIENT)))
        thread.start()
        threads.append(thread)
        return has_run

    def commit_and_wait(connection: sqlite3.Connection) -> None:
        commit(connection)
        threads[0].join(PATIENT)

    monkeypatch.setattr(settlements, "_has_run", look_and_meet)
    monkeypatch.setattr(one._database, "_commit", commit_and_wait)
    assert settle(one, late).verdict is Verdict.NOT_RUN
    assert [each.reason for each in arrived] == ["settled"]
