"""What becomes of an event that no target takes, in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from leeward import AsyncClient, Client, Event, Verdict
from leeward._delivery import relay, spool
from leeward._delivery.relay import SPOOL, RunStart, SpoolStatus, WaitingCall, call_in, row_of
from leeward._operations.protocols import EventSpool
from leeward.calls import Enqueue, Result
from leeward.config import BusConfig, Config, SpoolConfig
from leeward.errors import (
    AllTargetsUnavailable,
    CallError,
    ConfigError,
    InvalidRequest,
    NotFound,
    Outcome,
    OutcomeUnknown,
    SpoolFull,
)
from leeward.leases.faults import DatabaseFault
from leeward.stores import Recipient
from leeward.values import Effect, Promise
from leeward_contract_tests.rows import each_row
from tests.local.calls import PATIENT, event, publish
from tests.spool import ledger, outage

RECIPIENT = Recipient(SPOOL, f"{ledger.BUS} (targets one,two)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder whose targets are down: they refuse."""
    ledger.begin_outage(tmp_path, "refuse")
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    """Give a client of these targets."""
    with ledger.open_client(folder) as client:
        yield client


def status_of(client: Any) -> SpoolStatus:
    """Give what waits for the bus."""
    (status,) = ledger.spool_of(client).status()
    assert isinstance(status, SpoolStatus)
    return status


def wait_until_drained(client: Any, dead: int = 0) -> None:
    """Wait until nothing waits, and so many were given up."""
    deadline = time.monotonic() + PATIENT
    while any(each.waiting or each.dead != dead for each in ledger.spool_of(client).status()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def send(client: Client, number: int, key: str | None = None, **options: Any) -> Promise:
    """Publish an event that the ledger can count; give the promise."""
    receipt = client.publish_event(
        ledger.BUS, "counted", f"{key} {number}", ordering_key=key, **options
    )
    return receipt.promise


@contextmanager
def nothing_relayed(client: Client) -> Iterator[None]:
    """Keep the relay from publishing in the block."""
    ledger.spool_of(client).relay.serve([RECIPIENT])
    gate = ledger.spool_of(client).relay._gates[RECIPIENT]
    gate._until = time.monotonic() + PATIENT
    yield
    gate._until = 0.0


def numbers_taken(folder: Path) -> list[int]:
    """Give the numbers of the events that were taken, in order."""
    return [number for _, _, number in ledger.taken_in(folder)]


OUTCOMES: dict[str, tuple[str, bool]] = {
    "the target cannot be reached": ("refuse", True),
    "it throttles": ("throttle", True),
    "its account is suspended": ("suspend", True),
    "nobody knows": ("lose_request", True),
}


@pytest.mark.parametrize("words", [word for word, _ in OUTCOMES.values()])
def test_an_event_that_no_target_takes_is_kept_and_published_later(
    words: str, tmp_path: Path
) -> None:
    """With the id of its receipt, and the source of the client."""
    ledger.begin_outage(tmp_path, words)
    with ledger.open_client(tmp_path) as client:
        receipt = client.publish_event(ledger.BUS, "counted", "k 1")
        assert (receipt.promise, receipt.target) == (Promise.SPOOLED, "spool")
        assert [each.outcome for each in receipt.attempts], "they say why"
        assert status_of(client).waiting == 1
        ledger.end_outage(tmp_path)
        wait_until_drained(client)
        assert (tmp_path / "ledger").read_text() == f"leeward {receipt.id} k 1\n"


@pytest.mark.parametrize(
    ("outcome", "raised"), [(Outcome.NOT_FOUND, NotFound), (Outcome.CALLER, InvalidRequest)]
)
def test_what_a_target_refuses_for_good_is_raised(
    outcome: Outcome, raised: type[Exception], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting would not help: the bus has to be made, or the event corrected."""
    monkeypatch.setitem(ledger.OUTAGES, "refuse", Result[Any](outcome))
    with ledger.open_client(folder) as client:
        with pytest.raises(raised):
            send(client, 1)
        assert ledger.spool_of(client).status() == []
        assert not (folder / "spool.sqlite3").exists()


def test_events_of_a_key_wait_behind_each_other(client: Client, folder: Path) -> None:
    """Also once targets take events again: the later one would overtake. Other keys go on."""
    promises = [send(client, number, "k") for number in range(5)]
    assert promises == [Promise.SPOOLED] * 5
    with nothing_relayed(client):
        ledger.end_outage(folder)
        for target in ("one", "two"):
            client.restore(target)
        assert send(client, 5, "k") is Promise.SPOOLED
        assert send(client, 6, "other") is Promise.PUBLISHED
        assert send(client, 7) is Promise.PUBLISHED
    wait_until_drained(client)
    assert [n for n in numbers_taken(folder) if n < 6] == [*range(6)]
    assert send(client, 8, "k") is Promise.PUBLISHED


def test_a_batch_is_kept_event_by_event(client: Client, folder: Path) -> None:
    """Also what came too late to be sent; the report has a promise for each."""
    events = [Event("counted", f"k{n % 3} {n}", ordering_key=f"k{n % 3}") for n in range(12)]
    report = client.publish_events(ledger.BUS, events, timeout=0.001)
    assert {entry.promise for entry in report.entries} == {Promise.SPOOLED}
    assert not report.failed
    ledger.end_outage(folder)
    wait_until_drained(client)
    assert sorted(numbers_taken(folder)) == [*range(12)]
    assert ledger.keys_out_of_order(folder) == []


def test_an_awaited_client_keeps_events_too(folder: Path) -> None:
    """And its loop goes on meanwhile."""

    async def play() -> list[Promise | None]:
        async with AsyncClient(
            ledger.drivers_of(folder), config=ledger.config_of(folder)
        ) as client:
            one = await client.publish_event(ledger.BUS, "counted", "k 0", ordering_key="k")
            many = await client.publish_events(
                ledger.BUS, [Event("counted", f"k {n}", ordering_key="k") for n in (1, 2)]
            )
            ledger.end_outage(folder)
            await asyncio.to_thread(wait_until_drained, client)
            last = await client.publish_event(ledger.BUS, "counted", "k 3", ordering_key="k")
            entries = [entry.promise for entry in many.entries]
            return [one.promise, *entries, last.promise]

    promises = asyncio.run(play())
    assert promises == [Promise.SPOOLED] * 3 + [Promise.PUBLISHED]
    assert numbers_taken(folder) == [0, 1, 2, 3]


def test_a_call_may_say_what_becomes_of_its_event(folder: Path) -> None:
    """Whatever is configured for the bus."""
    with ledger.open_client(folder) as client:
        with pytest.raises(AllTargetsUnavailable):
            send(client, 1, on_all_down="raise")
        receipt = client.publish_event("another", "counted", "k 2", on_all_down="spool")
        assert receipt.promise is Promise.SPOOLED
        with pytest.raises(InvalidRequest, match="'spool' or 'raise'"):
            client.publish_event("another", "counted", on_all_down="drop")  # type: ignore[arg-type]


def test_an_event_that_is_meant_for_one_target_goes_there_alone(
    client: Client, folder: Path
) -> None:
    """Its row says so."""
    assert send(client, 1, targets="two") is Promise.SPOOLED
    (backlog,) = ledger.spool_of(client).relay.store.measure(SPOOL)
    assert call_in(str(backlog.oldest)).targets == ("two",)
    ledger.end_outage(folder)
    wait_until_drained(client)
    assert numbers_taken(folder) == [1]


def test_a_store_that_is_locked_holds_a_call_up_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not anew for each look at it, and each write."""
    send(client, 1, "k")
    ledger.spool_of(client).relay.find(PATIENT)
    waits: list[float] = []

    def wait(*values: Any) -> None:
        waits.append(values[-1])
        raise DatabaseFault(Outcome.REJECTED, "busy", "another process holds it")

    for name in ("has_waiting", "measure", "add"):
        monkeypatch.setattr(ledger.spool_of(client).relay.store, name, wait)
    monkeypatch.setattr(spool, "MEASURE_SECONDS", float("-inf"))
    monkeypatch.setattr(spool, "monotonic", lambda: sum(waits))
    for key in ("k", None):
        waits.clear()
        with pytest.raises(CallError, match="could not be kept|cannot be read"):
            send(client, 2, key)
        assert 0 < sum(waits) < relay.KEEP_SECONDS + 0.5


LIMITS: dict[str, dict[str, Any]] = {
    "events": {"max_events": 3},
    "bytes": {"max_bytes": 800},
}


@each_row("limits", LIMITS)
def test_a_full_spool_refuses_what_comes_and_keeps_what_it_has(
    limits: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What is proved not to be published says so; what may be stays unknown."""
    folder = tmp_path_factory.mktemp("full")
    ledger.begin_outage(folder, "refuse")
    with ledger.open_client(folder, **limits) as client:
        kept = 0
        with suppress(SpoolFull):
            while send(client, kept, "k") is Promise.SPOOLED:
                kept += 1
        with pytest.raises(SpoolFull, match="It was not published.*leeward spool status") as raised:
            send(client, kept, "k")
        assert raised.value.reason == "spool_full"
        assert 0 < kept <= 3
        with nothing_relayed(client):
            ledger.begin_outage(folder, "lose_request")
            for target in ("one", "two"):
                client.restore(target)
            with pytest.raises(OutcomeUnknown, match=r"the spool has \d+ ") as unknown:
                client.publish_event(ledger.BUS, "counted", "longer than any before" * 30)
            assert unknown.value.reason == "spool_full"
            ledger.end_outage(folder)
        wait_until_drained(client)
        assert numbers_taken(folder) == [*range(kept)]


def test_what_waits_too_long_is_given_up_and_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a dead letter of the spool, and may be published all the same."""
    with ledger.open_client(folder, max_age=1.0) as client:
        send(client, 1, "k")
        assert status_of(client).oldest is not None
        time.sleep(1.1)
        wait_until_drained(client, dead=1)
        ledger.end_outage(folder)
        assert numbers_taken(folder) == []
        until = time.monotonic() + PATIENT  # the log follows the row
        while not (
            dead := [each for each in caplog.records if each.msg.startswith("dead_lettered")]
        ):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert [(each.args["handler"], each.args["error"]) for each in dead] == [  # type: ignore[index,call-overload]
            (RECIPIENT.subscriber, "TooOld")
        ]
        assert ledger.spool_of(client).relay.revive(SPOOL) == 1
        ledger.spool_of(client).relay.wake()
        wait_until_drained(client)
        assert numbers_taken(folder) == [1]


def test_the_log_says_when_it_begins_and_when_it_ends(
    client: Client, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once each, and nothing of the events."""
    caplog.set_level("INFO", "leeward.spool")
    for number in range(3):
        send(client, number, "k")
    ledger.end_outage(folder)
    wait_until_drained(client)
    told = [each.getMessage() for each in caplog.records if each.name == "leeward.spool"]
    assert [text.partition(" ")[0] for text in told] == ["spooling", "spool_drains"]
    assert "counted" not in "".join(told)


@pytest.mark.threat("S10")
def test_a_row_of_another_program_is_given_up(client: Client, folder: Path) -> None:
    """It keeps no other one."""
    send(client, 1)
    store = ledger.spool_of(client).relay.store
    row = row_of(RECIPIENT, WaitingCall(publish(event(data="k 2")), (), 0.0))
    store.add([row._replace(document=text) for text in ("x", "[]", "{}", '{"event": 1}')], 5)
    ledger.end_outage(folder)
    wait_until_drained(client, dead=4)
    assert numbers_taken(folder) == [1]
    assert ledger.spool_of(client).relay.revive(SPOOL) == 0
    assert ledger.spool_of(client).relay.discard(SPOOL) == 4


def test_the_next_process_publishes_what_is_left(folder: Path) -> None:
    """As soon as it publishes on a bus that spools."""
    with ledger.open_client(folder) as client:
        send(client, 1, "k")
    ledger.end_outage(folder)
    with ledger.open_client(folder) as client:
        assert send(client, 2, "k") is Promise.SPOOLED, "the first one waits"
        wait_until_drained(client)
    assert numbers_taken(folder) == [1, 2]


RUNTIMES = {
    "a function": "AWS_LAMBDA_FUNCTION_NAME",
    "another one": "FUNCTIONS_WORKER_RUNTIME",
    "a container": "K_SERVICE",
    "a pod": "KUBERNETES_SERVICE_HOST",
}


@each_row("variable", RUNTIMES)
def test_a_disk_that_ends_with_the_instance_is_refused(variable: str) -> None:
    """When the client is opened, or where a call asks for it; a volume is the operator's word."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, "x")
        config = Config(buses={"orders": BusConfig(on_all_down="spool")})
        with pytest.raises(ConfigError, match="volume = true"):
            Client("local", config=config)
        with (
            Client("local", config=Config()) as client,
            pytest.raises(ConfigError, match="spool.target"),
        ):
            client.publish_event("orders", "t", on_all_down="spool")
        kept = config._replace(spool=SpoolConfig(volume=True))
        Client("local", config=kept).close()


def test_a_target_that_keeps_no_rows_is_refused(tmp_path: Path) -> None:
    """With the key and the remedy."""
    config = ledger.config_of(tmp_path)._replace(spool=SpoolConfig(target="one"))
    with (
        Client(ledger.drivers_of(tmp_path), config=config) as client,
        pytest.raises(ConfigError, match="spool.target.*which keeps no rows"),
    ):
        send(client, 1)


CALLS = {
    "an event": WaitingCall(publish(event(data=b"\0\xff", ordering_key="k")), ("one",), 5.0),
    "a call": WaitingCall(
        Enqueue("f", b'{"a":1}', "key", Effect.KEYED, True, None, False, 5.0), (), 5.0
    ),
    "a run": WaitingCall(RunStart("order", {"id": 1}, "order-1"), ("two",), 5.0),
}


@each_row("waiting", CALLS)
def test_a_call_is_the_same_when_it_is_read_again(waiting: WaitingCall) -> None:
    """Whatever it is."""
    assert call_in(row_of(RECIPIENT, waiting).document) == waiting


def test_a_file_that_cannot_be_used_leaves_the_calls_own_error(
    client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says why the event was not kept."""
    monkeypatch.setattr(relay, "KEEP_SECONDS", 0.05)
    send(client, 1)
    database = ledger.spool_of(client)._database
    assert database is not None
    connection = database.connect()
    connection.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(AllTargetsUnavailable, match="could not be kept") as raised:
            send(client, 2)
        assert raised.value.reason == "not_spooled"
    finally:
        connection.rollback()
        connection.close()


def test_a_spool_fulfils_what_clients_know_of_it(client: Client) -> None:
    """They know it by a protocol alone."""
    spool: EventSpool = ledger.spool_of(client)
    assert spool.count_waiting() is None
    send(client, 1)
    assert spool.count_waiting() == 1


def test_nothing_is_lost_over_an_outage_with_kills(tmp_path: Path) -> None:
    """Of publishers and drainers; at length by `python -m tests.spool.outage`."""
    report = outage.play(tmp_path, events=80, keys=8, kills=1, seed=1)
    assert not report.is_wrong, report
    assert (report.receipts >= 80, report.killed) == (True, 2)


def test_an_event_that_the_spool_may_have_is_not_settled_as_not_run(
    client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No attempt is open, and still it is published later: by whoever drains the spool."""
    send(client, 1)
    add = ledger.spool_of(client).relay.store.add

    def lose(*values: Any) -> None:
        add(*values)
        raise DatabaseFault(Outcome.AMBIGUOUS, "lost", "the commit has no answer")

    monkeypatch.setattr(ledger.spool_of(client).relay.store, "add", lose)
    for key, reason in ((None, "unreachable"), ("k", "not_spooled")):
        with pytest.raises(OutcomeUnknown) as raised:
            send(client, 2, key)
        assert raised.value.reason == "not_spooled"
        settled = client.settle(raised.value, timeout=0.3)
        assert (settled.verdict, settled.reason) == (Verdict.UNKNOWN, reason)
    ledger.end_outage(folder)
    wait_until_drained(client)
    ledger.begin_outage(folder, "refuse")
    with nothing_relayed(client), pytest.raises(OutcomeUnknown) as raised:
        send(client, 3)
    ledger.end_outage(folder)
    settled = client.settle(raised.value, timeout=5)
    assert (settled.verdict, settled.reason) == (Verdict.RAN, "sent_again")
