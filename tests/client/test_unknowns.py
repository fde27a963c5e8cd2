"""Calls whose outcome nobody knows are left in a table, beside the calls and never in their way."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from leeward import (
    AsyncClient,
    CallError,
    Client,
    Config,
    ConfigError,
    Event,
    OutcomeUnknown,
)
from leeward._operations import unknowns
from leeward._operations.unknowns import UnknownCall, scan_rows
from leeward.calls import Call, Delete, Enqueue, FunctionFault, Invoke, Publish, Result, Store
from leeward.cli.unknown_calls import error_of_unknown, unknown_in
from leeward.config import TableConfig
from leeward.envelope import NOT_KEPT
from leeward.errors import Outcome
from leeward.local import Local
from leeward.values import Effect
from leeward_contract_tests.rows import each_row
from tests.scripted import AMBIGUOUS, OK, Scripted

CANARY = "canary-7b21"
HOMES = {"orders": TableConfig(home="a"), "two": TableConfig(("a", "b"))}


def config(**fields: Any) -> Config:
    return Config(**{"data_target": "local", "tables": HOMES, "unknowns": "open", **fields})


def client(driver: Scripted, **fields: Any) -> Client:
    return Client([driver, Local()], config=config(**fields))


def left(client: Client) -> list[UnknownCall]:
    """Return what stands in the table once the thread has nothing to write any more."""
    thread = client._operations.unknowns._thread  # type: ignore[union-attr]
    if thread is not None:
        thread.join(60)
    found = [unknown_in(row.item, "id") for row in scan_rows(client._operations, "open")]
    assert None not in found
    return [each for each in found if each is not None]


def invoke(cloud: Client) -> object:
    return cloud.invoke("charge", {"n": CANARY}, idempotency_key="k-1", effect="keyed")


def enqueue(cloud: Client) -> object:
    return cloud.enqueue("charge", {"n": CANARY}, idempotency_key="k-1", targets="a")


def publish(cloud: Client) -> object:
    return cloud.publish_event("bus", "order.created", {"n": CANARY}, id="k-1", targets="a")


def store(cloud: Client) -> object:
    return cloud.store_data("orders", {"id": "k-1", "n": CANARY}, expires_in=60)


def delete(cloud: Client) -> object:
    return cloud.delete_data("orders", "k-1", if_revision="r1")


@each_row(
    "make, verb, subject, kind",
    {
        "invoke": (invoke, "invoke", "charge", Invoke),
        "enqueue": (enqueue, "enqueue", "charge", Enqueue),
        "publish": (publish, "publish", "bus", Publish),
        "store": (store, "store", "orders", Store),
        "delete": (delete, "delete", "orders", Delete),
    },
)
def test_each_verb_is_left_with_what_settling_needs_and_without_what_was_sent(
    make: Callable[[Client], object], verb: str, subject: str, kind: type[Call]
) -> None:
    """Unless the operator wants the payload there; then the call can be made of it again."""
    for with_payload in (False, True):
        driver = Scripted("a", *[AMBIGUOUS] * 9)
        with client(driver, unknowns_payload=with_payload) as cloud:
            with pytest.raises(OutcomeUnknown) as caught:
                make(cloud)
            (unknown,) = left(cloud)
            (row,) = scan_rows(cloud._operations, "open")
        made: Any = driver.calls[0]
        assert (unknown.verb, unknown.subject, unknown.key) == (verb, subject, ("k-1",))
        assert (unknown.targets, unknown.error) == (("a",), "OutcomeUnknown")
        assert 0 <= time.time() - unknown.sent < 60
        assert row.expires_at is not None
        assert 30 < (row.expires_at - time.time()) / 86_400 < 32
        assert (CANARY in str(row.item)) is (with_payload and kind is not Delete)
        assert CANARY not in repr(unknown)
        again = error_of_unknown(unknown)
        if not with_payload and kind in (Publish, Store):
            assert again is None, "of what was sent nothing is there"
            continue
        assert again is not None
        rebuilt: Any = again.call
        assert isinstance(again.call, kind)
        assert [at.target for at in again.attempts] == [caught.value.attempts[0].target]
        if with_payload:
            assert _stripped(rebuilt) == _stripped(made)
        elif kind in (Invoke, Enqueue):
            assert rebuilt.payload == b""


def _stripped(call: Any) -> Any:
    """Return a call without what its row rounds or leaves out."""
    gone = {"sent": 0, "now": 0, "expires_at": 0, "time_limit": 0, "marks": 0, "settles": 0}
    return call._replace(**{name: value for name, value in gone.items() if name in call._fields})


def test_what_the_call_knew_of_its_key_is_left() -> None:
    """A call that knows of a void is not the one that was voided."""
    (unknown,) = unknowns.unknown_calls(
        Invoke("charge", b"1", "k", Effect.KEYED, voids=3, sent=5.0),
        OutcomeUnknown("x"),
        9.0,
        with_payload=False,
    )
    again = error_of_unknown(unknown)
    assert again is not None
    assert (again.call.voids, again.call.sent) == (3, 5.0)


def _fault(ran: Any) -> Result[Any]:
    told = None if ran is None else False
    fault = FunctionFault("ValueError", CANARY, ran=ran, retryable=told)
    return Result(Outcome.APP_ERROR, fault=fault)


@each_row(
    "answer, effect, count",
    {
        "it went well": (OK, "keyed", 0),
        "it is proved that it did not run": (Result(Outcome.REJECTED), "keyed", 0),
        "it only reads": (AMBIGUOUS, "read_only", 0),
        "it ran, and the result was not kept": (
            AMBIGUOUS._replace(reason=NOT_KEPT, executed=True),
            "keyed",
            0,
        ),
        "it raised, and may have had an effect": (_fault("maybe"), "keyed", 1),
        "the same without a key": (_fault("maybe"), "unsafe", 0),
        "it raised before": (_fault("no"), "keyed", 0),
        "it ran and raised": (_fault("yes"), "keyed", 0),
        "another framework's raised": (_fault(None), "keyed", 0),
        "unsafe": (AMBIGUOUS, "unsafe", 1),
    },
)
def test_only_what_may_have_run_is_left(answer: Result[Any], effect: Any, count: int) -> None:
    """And what settling makes sense of."""
    with client(Scripted("a", *[answer] * 9)) as cloud:
        with suppress(CallError):
            cloud.invoke("charge", {"n": CANARY}, effect=effect, targets="a", timeout=0.5)
        rows = left(cloud)
    assert len(rows) == count
    assert CANARY not in str(rows)


def test_reads_and_the_table_itself_are_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write of an unknown call that is unknown itself would be the next one, without end."""
    monkeypatch.setattr(unknowns, "CLOSE_SECONDS", 60.0)
    driver = Scripted("a", *[AMBIGUOUS] * 50)
    tables = {"open": TableConfig(home="a"), "orders": TableConfig(home="a")}
    with Client([driver, Local()], config=config(tables=tables)) as cloud:
        with pytest.raises(OutcomeUnknown):
            cloud.load_data("orders", "1")
        with pytest.raises(OutcomeUnknown):
            cloud.store_data("open", {"id": "1"})
        with pytest.raises(OutcomeUnknown):
            cloud.delete_data("open", "1")
        keeper: Any = cloud._operations.unknowns
        assert keeper._thread is None
        with pytest.raises(OutcomeUnknown):
            cloud.store_data("orders", {"id": "1"})
        keeper.close()
        written = [call for call in driver.calls if isinstance(call, Store)]
        ids = {call.write_id for call in written if call.table == "open" and len(call.item) > 1}
        assert len(ids) == 1


def test_of_a_batch_each_event_is_left_that_may_have_gone_out() -> None:
    """The others are not."""
    told: Result[Any] = Result.ok((OK, AMBIGUOUS, Result(Outcome.CALLER), AMBIGUOUS))
    with client(Scripted("a", told)) as cloud:
        report = cloud.publish_events("bus", [Event("t", id=str(n)) for n in range(4)], targets="a")
        assert [entry.error is None for entry in report.entries] == [True, False, False, False]
        rows = left(cloud)
    keys = {row.key for row in rows}
    assert keys >= {("1",), ("3",)}
    assert ("0",) not in keys
    assert ("2",) not in keys


def test_a_large_payload_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor an item for which the table has no room beside the facts."""
    monkeypatch.setattr(unknowns, "LARGEST_BODY", 1000)
    driver = Scripted("a", *[AMBIGUOUS] * 50)
    with client(driver, unknowns_payload=True) as cloud:
        with pytest.raises(OutcomeUnknown):
            cloud.invoke("charge", "x" * 2000)
        deep: Any = CANARY
        for _ in range(cloud._operations.limits.smallest.nesting // 2):
            deep = [deep]
        for value in ("x" * 2000, deep, CANARY):
            with pytest.raises(OutcomeUnknown):
                cloud.store_data("orders", {"id": "1", "n": value})
        rows = left(cloud)
    kept = [(row.verb, row.has_payload) for row in sorted(rows, key=lambda row: row.id)]
    assert kept == [("invoke", False), ("store", False), ("store", False), ("store", True)]


PATIENT = 20.0
"""Seconds that only what waits for a stuck home takes."""


class Stuck(Local):
    """A home whose writes wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.free = threading.Event(), threading.Event()
        self.written = 0

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if not isinstance(call, Store):
            return super().perform(call, timeout)
        self.reached.set()
        self.free.wait(10 * PATIENT)
        result = super().perform(call, timeout)
        self.written += 1
        return result


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    home = Stuck()
    yield home
    home.free.set()


def test_no_call_waits_for_the_table_and_the_queue_has_an_end(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What finds it full is lost, and the log says so once; closing waits no longer than it may."""
    monkeypatch.setattr(unknowns, "MOST_WAITING", 3)
    monkeypatch.setattr(unknowns, "CLOSE_SECONDS", 0.2)
    driver = Scripted("a", *[AMBIGUOUS] * 99)
    with (
        caplog.at_level(logging.WARNING, "leeward.unknowns"),
        Client([driver, stuck], config=config()) as cloud,
    ):
        began, earlier = time.monotonic(), threading.enumerate()
        for number in range(5):  # one is being written, three wait
            with pytest.raises(OutcomeUnknown):
                cloud.invoke(f"charge-{number}")
            assert stuck.reached.wait(PATIENT)
        keeper: Any = cloud._operations.unknowns
        assert len(keeper._waiting) == 3
        begun = [each for each in threading.enumerate() if each not in earlier]
        assert [each.name for each in begun if "unknowns" in each.name] == ["leeward-unknowns"]
    assert time.monotonic() - began < PATIENT
    events = [record.getMessage() for record in caplog.records if record.name == unknowns.LOGGER]
    assert events == ["unknown_not_kept table='open' why='full'"]


def test_nothing_blocks_the_event_loop(stuck: Stuck) -> None:
    """The table is written beside it."""

    async def run() -> float:
        driver = Scripted("a", *[AMBIGUOUS] * 9)
        async with AsyncClient([driver, stuck], config=config()) as cloud:
            began = time.monotonic()
            with pytest.raises(OutcomeUnknown):
                await cloud.invoke("charge")
            assert await asyncio.to_thread(stuck.reached.wait, PATIENT)
            taken = time.monotonic() - began
            stuck.free.set()
        return taken

    assert asyncio.run(run()) < PATIENT


def test_closing_waits_for_what_is_to_be_written(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that ends with its call leaves it all the same."""
    monkeypatch.setattr(unknowns, "CLOSE_SECONDS", 60.0)
    with Client([Scripted("a", AMBIGUOUS), stuck], config=config()) as cloud:
        with pytest.raises(OutcomeUnknown):
            cloud.invoke("charge")
        threading.Timer(0.3, stuck.free.set).start()
    assert stuck.written == 1


def test_a_table_that_cannot_be_written_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Of a table without a home there is one line in the log."""
    driver = Scripted("a", *[AMBIGUOUS] * 9)
    with (
        caplog.at_level(logging.WARNING, "leeward.unknowns"),
        Client([driver, Local()], config=Config(unknowns="open")) as cloud,
    ):
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                cloud.invoke("charge")
        thread = cloud._operations.unknowns._thread  # type: ignore[union-attr]
        if thread is not None:
            thread.join(60)
    events = [record.getMessage() for record in caplog.records if record.name == unknowns.LOGGER]
    assert events == ["unknown_not_kept table='open' why='ConfigError'"]


def test_a_child_leaves_what_waits_to_its_parent(stuck: Stuck) -> None:
    """Else it would be there twice."""
    driver = Scripted("a", *[AMBIGUOUS] * 9)
    with Client([driver, stuck], config=config()) as cloud:
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                cloud.invoke("charge")
        keeper: Any = cloud._operations.unknowns
        assert stuck.reached.wait(PATIENT)
        assert len(keeper._waiting) == 2
        keeper.renew(held=False)
        assert (len(keeper._waiting), keeper._thread) == (0, None)
        stuck.free.set()


def test_how_many_are_open_is_counted_beside() -> None:
    """Whoever asks gets the last count, and waits for none."""
    with client(Scripted("a", *[AMBIGUOUS] * 9)) as cloud:
        keeper: Any = cloud._operations.unknowns
        assert keeper.open_count() in (None, 0)
        for _ in range(400):
            if keeper._open is not None:
                break
            time.sleep(0.05)
        assert keeper.open_count() == 0
        with pytest.raises(OutcomeUnknown):
            cloud.invoke("charge")
        assert len(left(cloud)) == 1
        assert keeper.open_count() == 1


def test_a_table_with_a_key_of_two_fields_is_refused() -> None:
    """Before anything is called."""
    with pytest.raises(ConfigError, match="key has two fields"):
        client(Scripted("a"), unknowns="two")


@each_row(
    "change",
    {
        "no verb": ("verb", None),
        "no list": ("key", 7),
        "no number": ("sent", "x"),
        "no facts": ("facts", 3),
    },
)
def test_what_is_not_leewards_is_not_read(change: tuple[str, Any]) -> None:
    """Somebody else's item in the table stays where it is."""
    row = unknowns.item_of(
        UnknownCall("1", "invoke", "f", ("k",), ("a",), 1.0, 2.0, facts={"effect": "keyed"}), "id"
    )
    name, value = change
    assert unknown_in(row, "id") is not None
    broken = {**row, name: value}
    if value is None:
        del broken[name]
    assert unknown_in(broken, "id") is None


def test_a_row_of_another_version_is_not_settled_by_guessing() -> None:
    """Whoever lists them still sees it."""
    row = UnknownCall("1", "invoke", "f", ("k",), ("a",), 1.0, 2.0, facts={"effect": "new"})
    assert error_of_unknown(row) is None
    assert error_of_unknown(row._replace(verb="fly")) is None
    assert error_of_unknown(row._replace(key=(), facts={"effect": "keyed"})) is None
