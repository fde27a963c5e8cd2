"""Clocks that are set, stores that are rolled back, records that expire: what meets there."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from leeward import App, Client, Event, OutcomeUnknown, Verdict
from leeward.app import Problem, idempotent
from leeward.clock import SystemClock
from leeward.errors import Outcome
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from tests.registers import LONG

PATIENT = 20.0
HOUR = 3600.0


class Jumping(SystemClock):
    """The clock of a machine that somebody sets: all its processes see that."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time() + self.ahead


def _wait(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENT
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("ahead", [HOUR - 60, 2 * HOUR, -2 * HOUR])
def test_a_clock_that_is_set_ends_no_lease_of_a_delivery(tmp_path: Path, ahead: float) -> None:
    """Another process of the machine takes the next row, and none that is under way."""
    tmp_path.chmod(0o700)
    clock, seen, go_on = Jumping(), list[tuple[str, Any]](), Flag()

    def opened(stack: ExitStack, own: str) -> Client:
        app = App("shop")

        @app.on_message("parcels", timeout=120)
        def send(parcel: str) -> None:
            seen.append((own, parcel))
            assert parcel != "long" or go_on.wait(PATIENT)

        local = Local(path=tmp_path / "a.sqlite3", clock=clock)
        return stack.enter_context(Client(local, app=app))

    with ExitStack() as stack:
        one = opened(stack, "one")
        one.enqueue("parcels", "long", idempotency_key="1")
        _wait(lambda: seen)
        clock.ahead = ahead
        two = opened(stack, "two")
        for number in range(20):
            two.enqueue("parcels", str(number), idempotency_key=f"2/{number}")
        _wait(lambda: len(seen) == 21)
        go_on.set()
        two._operations.drivers["local"].wait_idle(PATIENT)  # type: ignore[attr-defined]
        assert two._operations.drivers["local"].dead_letters() == ()  # type: ignore[attr-defined]
    assert len(seen) == 21


def test_a_clock_that_is_set_delays_no_retry(tmp_path: Path) -> None:
    """A row that is due in half a second is, though its time was told by a clock that was ahead."""
    tmp_path.chmod(0o700)
    clock, seen = Jumping(), list[str]()
    app = App("shop")

    @app.on_message("parcels")
    def send(parcel: str) -> None:
        seen.append(parcel)
        if len(seen) == 1:
            raise Problem("busy", status=503, retry_after=0.5)

    clock.ahead = 600.0
    local = Local(path=tmp_path / "a.sqlite3", clock=clock)
    with Client(local, app=app) as client:
        client.enqueue("parcels", "x", idempotency_key="1")
        _wait(lambda: seen)
        time.sleep(0.2)
        clock.ahead = 0.0
        _wait(lambda: len(seen) == 2)


DAY = 86_400.0


def _open_shop(
    stack: ExitStack, path: Path, charged: list[str], clock: FakeClock, keep: float
) -> tuple[Client, FaultyDriver]:
    """Return a client of an app with an idempotent function, as a new process has it."""
    app = App("shop")

    @app.function(effect="keyed")
    @idempotent(table="keys", principal=None, keep=keep, clock=clock)
    def pay(id: str) -> None:
        charged.append(id)

    cloud = FaultyDriver(Local(path=path, clock=clock))
    return stack.enter_context(Client(cloud, app=app, clock=clock)), cloud


def _pay(client: Client, id: str) -> None:
    client.invoke("pay", id, idempotency_key=id, on_unknown="raise", timeout=1)


def _void(client: Client, cloud: FaultyDriver, id: str) -> Any:
    """Lose a call, and settle it; return the call, which may arrive late."""
    cloud.fail(Fault.LOSE_REQUEST, verb="invoke")
    with pytest.raises(OutcomeUnknown) as lost:
        _pay(client, id)
    cloud.heal()
    assert client.settle(lost.value).verdict is Verdict.NOT_RUN
    return next(each for each in cloud.calls if getattr(each, "idempotency_key", 0) == id)


def test_after_a_roll_back_nothing_is_denied_once_the_register_begins_anew(
    tmp_path: Path,
) -> None:
    """What the copy has is known. Calls since then are unknown, and their voids are lost."""
    tmp_path.chmod(0o700)
    path, copy = tmp_path / "a.sqlite3", tmp_path / "copy"
    charged, clock = list[str](), FakeClock()

    with ExitStack() as stack:
        client, cloud = _open_shop(stack, path, charged, clock, 30 * DAY)
        _pay(client, "before")
        clock.advance(LONG)
        early = _void(client, cloud, "void before")
    shutil.copy(path, copy)
    with ExitStack() as stack:
        client, cloud = _open_shop(stack, path, charged, clock, 30 * DAY)
        _pay(client, "since")
        late = _void(client, cloud, "void since")
    shutil.copy(copy, path)
    clock.advance(60.0)
    with ExitStack() as stack:
        client, cloud = _open_shop(stack, path, charged, clock, 30 * DAY)
        client.delete_data("keys", ":register:shop/pay")

        def settle(id: str, age: float) -> tuple[Verdict, str | None]:
            sent = clock.now() - age
            told = client.settle(id, function="pay", payload=id, sent=sent, targets="local")
            return told.verdict, told.reason

        assert settle("before", LONG + 60)[0] is Verdict.RAN
        assert settle("since", 60) == settle("void since", 60) == (Verdict.UNKNOWN, "too_new")
        answer = cloud.perform(early, PATIENT)
        assert (answer.outcome, answer.reason) == (Outcome.REJECTED, "voided")
        assert cloud.perform(late, PATIENT).outcome is Outcome.OK  # as the page says
    assert charged == ["before", "since", "void since"]


@pytest.mark.parametrize("ahead", [0.0, HOUR - 60])
def test_a_void_outlives_the_keys_own_time_and_a_clock_that_is_ahead(
    tmp_path: Path, ahead: float
) -> None:
    """A late packet of 31 days is refused, though keys are kept for a minute; older is unknown."""
    tmp_path.chmod(0o700)
    charged, clock = list[str](), FakeClock()
    with ExitStack() as stack:
        client, cloud = _open_shop(stack, tmp_path / "a.sqlite3", charged, clock, 60.0)
        _pay(client, "ran")
        clock.advance(LONG)
        sent = clock.now()
        late = _void(client, cloud, "void")
        clock.advance(31 * DAY + ahead)
        answer = cloud.perform(late, PATIENT)
        assert (answer.outcome, answer.reason) == (Outcome.REJECTED, "voided")
        told = client.settle("ran", function="pay", payload="ran", sent=sent - LONG)
        assert (told.verdict, told.reason) == (Verdict.UNKNOWN, "expired")
    assert charged == ["ran"]


def test_a_copy_in_the_place_of_the_file_is_what_all_see_at_once(tmp_path: Path) -> None:
    """Who has the old file open reads, writes and handles in the new one: nothing is kept aside."""
    tmp_path.chmod(0o700)
    path, copy, seen = tmp_path / "a.sqlite3", tmp_path / "copy", list[str]()
    app = App("shop")

    @app.on_event("orders", "paid")
    def note(event: Event) -> None:
        seen.append(str(event.data))

    with ExitStack() as stack:
        one = stack.enter_context(Client(Local(path=path), app=app))
        one.store_data("t", {"id": "before"})
        one.publish_event("orders", "paid", "before")
        _wait(lambda: seen)  # so that the copy has its handler
        one._operations.drivers["local"].wait_idle(PATIENT)  # type: ignore[attr-defined]
        shutil.copy(path, copy)
        one.store_data("t", {"id": "since"})
        copy.replace(path)
        assert one.load_data("t", "since") is None
        one.store_data("t", {"id": "after"})
        two = stack.enter_context(Client(Local(path=path)))
        assert [two.load_data("t", id) is None for id in ("before", "since", "after")] == [
            False,
            True,
            False,
        ]
        two.publish_event("orders", "paid", "after")
        _wait(lambda: len(seen) == 2)
    assert seen == ["before", "after"]


def _collect(path: Path, seconds: float | None, clock: FakeClock) -> None:
    """Delete what has expired by a store whose clock is so far ahead; None: it never does."""
    if seconds is not None:
        with closing(sqlite3.connect(path)) as connection:
            now = clock.now() + seconds
            connection.execute("DELETE FROM items WHERE expires_at <= ?", (now,))
            connection.commit()


@pytest.mark.parametrize("keep", [60.0, 30 * DAY])
@pytest.mark.parametrize("early", [None, -HOUR, 0.0, HOUR - 60])
def test_whenever_a_store_collects_no_verdict_is_wrong(
    tmp_path: Path, keep: float, early: float | None
) -> None:
    """Late, at once, or early by its clock: within their times keys replay and voids refuse.

    Afterwards a call that ran is unknown, or known still; and a register never goes.
    """
    tmp_path.chmod(0o700)
    path, charged, clock = tmp_path / "a.sqlite3", list[str](), FakeClock()
    with ExitStack() as stack:
        client, cloud = _open_shop(stack, path, charged, clock, keep)
        _pay(client, "first")
        clock.advance(LONG)
        began = clock.now()
        _pay(client, "ran")
        late = _void(client, cloud, "void")
        for age in sorted((keep / 2, keep, keep + 2 * HOUR, keep + DAY, 31 * DAY)):
            clock.advance(began + age - clock.now())
            _collect(path, early, clock)
            told = client.settle("ran", function="pay", payload="ran", sent=began)
            if age <= keep:
                assert told.verdict is Verdict.RAN
                _pay(client, "ran")
            assert told.verdict is Verdict.RAN or told.reason == "expired"
            answer = cloud.perform(late, PATIENT)
            assert (answer.outcome, answer.reason) == (Outcome.REJECTED, "voided")
        assert client.load_data("keys", ":register:shop/pay") is not None
    assert charged == ["first", "ran"]
