"""Clocks that are set, stores that are rolled back, records that expire: what meets there."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from leeward import App, Client
from leeward.app import Problem
from leeward.clock import SystemClock
from leeward.local import Local

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
