"""AsyncClient: the methods of Client, awaited."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from leeward import AsyncClient, Client, ConfigError, LeewardError, Outcome
from leeward._routing import FailoverDriver
from leeward.adapter import WrappingDriver
from leeward.calls import NO_PLACE, Call, Invoke, Result
from leeward.config import Config, parse_order
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward_contract_tests.rows import each_row
from tests.scripted import NOT_SENT, Scripted

CALL = Invoke("f", b"{}", "key")


def methods(client: type) -> list[str]:
    """Return the public names of a client, those of its bases included, as they are written."""
    return [name for each in client.mro() for name in vars(each) if not name.startswith("_")]


METHODS = methods(Client)


@each_row("name", METHODS)
def test_each_method_has_the_same_parameters(name: str) -> None:
    """Whoever knows one client knows the other, defaults included."""
    ours, theirs = (inspect.signature(getattr(each, name)) for each in (AsyncClient, Client))
    told = str(ours).replace("AsyncObjectReader", "ObjectReader")
    assert told == str(theirs)


def test_nothing_is_added_or_left_out() -> None:
    """The two clients have the same public names, and the constructor takes the same."""
    assert methods(AsyncClient) == METHODS
    assert inspect.signature(AsyncClient) == inspect.signature(Client)


def test_calls_wait_beside_each_other() -> None:
    """A target that works in threads does not hold up the event loop."""
    everyone = threading.Barrier(3)

    async def job() -> list[Any]:
        cloud = Local()
        cloud.function("meet")(lambda payload: everyone.wait(30) >= 0)
        async with AsyncClient(cloud) as client:
            meetings = [client.invoke("meet") for _ in range(3)]
            return [each.value for each in await asyncio.gather(*meetings)]

    assert asyncio.run(job()) == [True] * 3


def test_a_pause_between_attempts_is_the_clocks() -> None:
    """With a fake clock nothing waits, and the call still goes to its next attempt."""

    async def job() -> int:
        async with AsyncClient(Scripted("a", NOT_SENT), clock=FakeClock()) as client:
            return len((await client.invoke("f")).attempts)

    assert asyncio.run(job()) == 2


def test_a_closed_client_sends_nothing() -> None:
    """Its methods say that it is closed."""

    async def job() -> None:
        driver = Scripted("a")
        client = AsyncClient(driver)
        await client.close()
        await client.close()
        with pytest.raises(LeewardError, match="closed"):
            await client.invoke("f")
        assert (driver.calls, driver.closed) == ([], 2)

    asyncio.run(job())


class Hanging(WrappingDriver):
    """Answers when it is cancelled, at the earliest."""

    def __init__(self) -> None:
        super().__init__(Scripted("a"))
        self.entered = asyncio.Event()
        self.left = False

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left = True
        return Result.ok(None)


def test_a_cancelled_call_gives_back_what_it_holds() -> None:
    """The cancellation reaches the driver, and then the caller."""

    async def job() -> bool:
        driver = Hanging()
        client = AsyncClient(driver)
        task = asyncio.create_task(client.invoke("f"))
        await driver.entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return driver.left

    assert asyncio.run(job())


class Noting(WrappingDriver):
    """Notes what goes through it."""

    def __init__(self) -> None:
        super().__init__(FaultyDriver(Scripted("a")))
        self.seen: list[str] = []


class ByPerform(Noting):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        self.seen.append("call")
        return super().perform(call, timeout)


class Mixin:
    seen: list[str]

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        self.seen.append("call")
        answer: Result[Any] = super().perform(call, timeout)  # type: ignore[misc]
        return answer


class ByMixin(Mixin, Noting):
    pass


class Grandchild(ByPerform):
    pass


@pytest.mark.parametrize("kind", [ByPerform, ByMixin, Grandchild])
def test_nothing_goes_around_a_wrapper(kind: type[Noting]) -> None:
    """However a wrapper comes to a way of its own, it is not left out when it is awaited."""
    driver = kind()
    asyncio.run(AsyncClient(driver).invoke("f"))
    assert driver.seen == ["call"]


def test_a_wrapper_that_closes_in_its_own_way_does_so_awaited() -> None:
    """The same for `close`."""

    class Closing(Noting):
        def close(self) -> None:
            self.seen.append("close")
            super().close()

    driver = Closing()
    asyncio.run(AsyncClient(driver).close())
    assert driver.seen == ["close"]


def test_a_call_that_waited_for_a_thread_too_long_is_not_made() -> None:
    """With every thread busy until the deadline nothing has been sent, and that is said."""

    async def job() -> Result[Any]:
        busy, go = threading.Event(), threading.Event()

        def hold() -> None:
            busy.set()
            go.wait(30)

        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            loop.set_default_executor(pool)
            loop.run_in_executor(None, hold)
            assert busy.wait(30)
            waiting = asyncio.create_task(driver.perform_async(CALL, 0.01))
            await asyncio.sleep(0.05)
            go.set()
            return await waiting

    driver = Scripted("a")
    result = asyncio.run(job())
    assert (result.outcome, result.code, result.reason) == (Outcome.LOCAL, "no_thread", NO_PLACE)
    assert driver.calls == []


def test_a_faulty_driver_fails_when_awaited_too() -> None:
    """Its orders hold for both clients."""

    async def job() -> None:
        behind = Scripted("a")
        driver = FaultyDriver(behind)
        driver.fail(Fault.LOSE_ANSWER, times=1)
        lost = await driver.perform_async(CALL, 1.0)
        found = await driver.perform_async(CALL, 1.0)
        assert [lost.outcome, found.outcome] == [Outcome.AMBIGUOUS, Outcome.OK]
        assert behind.calls == [CALL, CALL]

    asyncio.run(job())


def test_closing_goes_on_after_a_failure() -> None:
    """Every driver of the order is closed, and the first failure is told."""

    class Stuck(Scripted):
        def close(self) -> None:
            super().close()
            raise OSError("stuck")

    drivers = [Stuck("a"), Scripted("b")]
    with pytest.raises(OSError, match="stuck"):
        asyncio.run(FailoverDriver(drivers).close_async())
    assert [driver.closed for driver in drivers] == [1, 1]


def driven_by_another(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine as a loop that is not asyncio's does."""
    while True:
        work.send(None)


@each_row("order", ["local", "google:us-central1"])
def test_another_loop_than_asyncios_is_told_so(order: str, tmp_path: Path) -> None:
    """The error names what to do instead; nothing was sent."""
    options = {"path": str(tmp_path / "data.db")} if order == "local" else {"project": "shop"}
    config = Config(order=parse_order(order, "order"), options={order: options})
    client = AsyncClient(config=config)
    calls = (client.invoke("double", 1), client.store_data("orders", {"id": "1"}), client.close())
    for call in calls:
        with pytest.raises(ConfigError, match="With trio, call a leeward.Client"):
            driven_by_another(call)
    asyncio.run(client.close())


def test_no_client_and_no_driver_crosses_a_process_by_a_pickle() -> None:
    """The error says where to open one instead."""
    driver = Scripted("a")
    for each in (Client(driver), AsyncClient(driver), driver, FailoverDriver([driver])):
        for take in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="open a new one where it is needed"):
                take(each)
