"""What the handler of a signal raises amid a call: it reaches the caller, and says nothing else."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import sleep
from types import FrameType
from typing import Any, NoReturn

import pytest

from leeward import AsyncClient, Client, OutcomeUnknown
from leeward.calls import Call, Result
from leeward.leases.batches import Batches, Change
from leeward.local import Local
from tests.scripted import Scripted


class TimeIsUpError(Exception):
    """As Celery's `SoftTimeLimitExceeded` is: an `Exception`."""


def strike(*_: object) -> NoReturn:
    raise TimeIsUpError


@pytest.fixture(autouse=True)
def handled() -> Iterator[None]:
    """Handle a signal by an exception."""
    before = signal.signal(signal.SIGALRM, strike)
    yield
    signal.signal(signal.SIGALRM, before)


class Interrupted(Scripted):
    """Is interrupted while it makes a call."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        super().perform(call, timeout)
        signal.raise_signal(signal.SIGALRM)
        raise AssertionError("nothing comes after it")


def test_it_reaches_the_caller_as_itself_and_nothing_is_sent_again() -> None:
    """It tells nothing of the target, either."""
    driver = Interrupted("a")
    with Client(driver) as client:
        for _ in range(50):
            with pytest.raises(TimeIsUpError):
                client.invoke("pay", effect="idempotent")
        assert client.targets()[0].state == "closed"

    async def call() -> None:
        async with AsyncClient(driver) as awaited:
            await awaited.invoke("pay", effect="idempotent")

    with pytest.raises(TimeIsUpError):
        asyncio.run(call())
    assert len(driver.calls) == 51


@pytest.mark.parametrize(("frame", "what"), [("__enter__", "next"), ("__exit__", "__exit__")])
def test_nothing_is_locked_as_long_as_the_exception_is_kept(
    tmp_path: Path, frame: str, what: str
) -> None:
    """It may strike in the code of a `with` itself, where no block is left."""

    def watch(at: FrameType, event: str, called: Any) -> None:
        name = called.__name__ if event == "c_return" else at.f_code.co_name
        if event in ("call", "c_return") and (at.f_code.co_name, name) == (frame, what):
            sys.setprofile(None)
            signal.raise_signal(signal.SIGALRM)

    driver = Local(path=tmp_path / "shop.sqlite3")
    client = Client(driver)
    client.load_data("orders", "1")
    sys.setprofile(watch)
    try:
        with pytest.raises(TimeIsUpError) as kept:
            client.store_data("orders", {"id": "1"})
    finally:
        sys.setprofile(None)
    assert not driver._database._lock.locked(), kept
    client.close()


def test_the_same_exception_of_a_drivers_own_is_an_unknown_outcome() -> None:
    """As every other one."""
    with Client(Scripted("a", TimeIsUpError())) as client, pytest.raises(OutcomeUnknown):
        client.invoke("pay")


def test_whoever_shares_a_write_is_told_that_it_was_interrupted() -> None:
    """The exception is for the thread that it has struck."""
    is_writing, behind = Event(), list[Future[Any]]()

    class Writes(Batches[str]):
        def write(self, changes: list[Change[str]]) -> None:
            if len(changes) == 2:
                signal.raise_signal(signal.SIGALRM)
            is_writing.set()
            self.wait_for(1)
            behind.append(threads.submit(self.make, "behind"))
            self.wait_for(2)

        def wait_for(self, count: int) -> None:
            while len(self._waiting) < count:
                sleep(0.001)

    writes = Writes()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(writes.make, "first")
        assert is_writing.wait(30)
        with pytest.raises(TimeIsUpError):
            writes.make("struck")
        assert first.result(30) is None
        assert getattr(behind[0].exception(30), "reason", None) == "interrupted"
