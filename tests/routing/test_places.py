"""Calls that wait for a place are woken when one is free, the first one first; none asks again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final

import pytest

from leeward._routing import FailoverDriver
from leeward._routing.commands import FreePlace, Pause
from leeward._routing.failover import _next, _wait_for_place_async
from leeward._routing.policy import DEFAULT
from leeward.calls import NO_PLACE, Call, Invoke, Result
from leeward.errors import Outcome
from leeward.values import Effect
from tests.routing.beside_kit import wait_until
from tests.scripted import Scripted

CALL: Final = Invoke("f", b"", "k", Effect.IDEMPOTENT)
TIMEOUT: Final = 60.0
SETTLED: Final = 4 * DEFAULT.place_wait
"""Seconds after which each call that waits has looked once more."""


class OnePlace(Scripted):
    """A target with one place; who has it keeps it until `free` is called.

    Attributes:
        holder: the payload of the call that has it.
        looks: how often it was asked for.
        is_quick: calls are answered at once.
    """

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.holder: bytes | None = None
        self.looks = 0
        self.is_quick = True
        self._lock = threading.Lock()
        self._over = threading.Semaphore(0)

    def _enter(self, call: Call) -> Result[Any] | None:
        assert isinstance(call, Invoke)
        with self._lock:
            self.looks += 1
            if self.holder is not None:
                return Result(Outcome.LOCAL, reason=NO_PLACE)
            if self.is_quick:
                return Result.ok("")
            self.holder = call.payload
            return None

    def _leave(self) -> Result[Any]:
        with self._lock:
            self.holder = None
        return Result.ok("")

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Keep the place until that is ended, or find none."""
        full = self._enter(call)
        if full is None:
            self._over.acquire()
        return full or self._leave()

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Do the same on an event loop."""
        full = self._enter(call)
        if full is None:
            await asyncio.to_thread(self._over.acquire)
        return full or self._leave()

    def free(self) -> None:
        """Let the call end that has the place."""
        self._over.release()


class Loop:
    """An event loop on a thread, which makes calls."""

    def __init__(self, router: FailoverDriver) -> None:
        self._router = router
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def __call__(self, call: Call) -> Future[Result[Any]]:
        """Begin a call."""
        work = self._router.perform_async(call, TIMEOUT)
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """End it."""
        done = asyncio.run_coroutine_threadsafe(self._loop.shutdown_default_executor(), self._loop)
        done.result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Threads(ThreadPoolExecutor):
    """Threads that make calls."""

    def __init__(self, router: FailoverDriver) -> None:
        super().__init__(16)
        self._router = router

    def __call__(self, call: Call) -> Future[Result[Any]]:
        """Begin a call."""
        return self.submit(self._router.perform, call, TIMEOUT)

    def close(self) -> None:
        """End them."""
        self.shutdown()


def _looks_within(*places: OnePlace) -> int:
    """Return how often calls look while nothing ends: never, behind their first, short wait."""
    before = sum(each.looks for each in places)
    time.sleep(SETTLED)
    return sum(each.looks for each in places) - before


@pytest.mark.parametrize("hedging", [False, True])
@pytest.mark.parametrize("runner", [Threads, Loop])
def test_a_free_place_wakes_the_first_call_that_waits(
    runner: Callable[[FailoverDriver], Threads | Loop], hedging: bool
) -> None:
    """At whichever target; nobody asks while none is free."""
    a, b = OnePlace("a"), OnePlace("b")
    router = FailoverDriver([a, b], hedging=hedging)
    budgets = router._shared.core.health.budgets
    budgets.hedges = budgets.early = -99.0  # calls pause before a hedge, and keep their places
    for _ in range(DEFAULT.baseline_answers + 1):
        router.perform(CALL, TIMEOUT)  # one that hedged could take the place at b below
    a.is_quick = b.is_quick = False
    parked, begin = router._shared.parked, runner(router)
    calls: list[Future[Result[Any]]] = []
    for number in range(8):
        calls.append(begin(CALL._replace(payload=b"%d" % number)))
        if number < 2:
            wait_until(lambda: sum(each.holder is not None for each in (a, b)) == len(calls))
        else:
            wait_until(lambda: len(parked) == len(calls) - 2)
    wait_until(lambda: not _looks_within(a, b) and len(parked) == len(calls) - 2)
    looks = a.looks + b.looks
    for number in range(2, 8):
        target = (a, b)[number % 3 == 0]
        target.free()
        wait_until(lambda: target.holder == b"%d" % number)  # noqa: B023 - it is read at once
    assert a.looks + b.looks < looks + 2 * 6, "one call is woken for each place"
    a.free()
    b.free()
    assert all(call.result(TIMEOUT).outcome is Outcome.OK for call in calls)
    assert parked == {}
    begin.close()
    router.close()


def test_a_call_that_waits_in_vain_ends_in_time() -> None:
    """Shortly before it looks once more, at every target."""
    a, b = OnePlace("a"), OnePlace("b")
    router = FailoverDriver([a, b])
    a.holder = b.holder = b"others"
    began = time.monotonic()
    result = router.perform(CALL, 1.0)
    assert (result.outcome, result.reason) == (Outcome.LOCAL, NO_PLACE)
    assert 0.6 < time.monotonic() - began < 1.2
    assert max(a.looks, b.looks) <= 5


def test_what_wakes_a_call_that_waits_no_more_does_nothing() -> None:
    """Neither on a thread nor on an event loop; a place that is passed on wakes the next one."""
    shared = FailoverDriver([OnePlace("a"), OnePlace("b")])._shared
    pause, woken = Pause(TIMEOUT, "a", places=("a",)), list[str]()
    replies: SimpleQueue[Any] = SimpleQueue()
    answered = (Pause(0.0, "a", hedge=True), 0.0, 0.0, None)
    replies.put((pause, 0.0, 0.0, "a"))
    replies.put(answered)
    assert _next(shared, replies, []) is answered

    async def wait() -> str | None:
        waits = asyncio.create_task(_wait_for_place_async(shared, pause))
        await asyncio.sleep(0)
        _, wake = shared.parked[id(pause)]
        wake("a")
        wake("b")
        return await waits

    assert asyncio.run(wait()) == "a"
    shared.park(pause, woken.append)
    shared.outbox.append(FreePlace("a"))
    shared.deliver()
    assert woken == ["a"]


def test_a_child_wakes_nobody_of_its_parent() -> None:
    """Who waited there, waits there."""
    router = FailoverDriver([OnePlace("a"), OnePlace("b")])
    shared = router._shared
    shared.park(Pause(1.0, "a", places=("a",)), print)
    shared.renew(held=True)
    assert shared.parked == {}
    shared.wake_first("a")


class Interrupted(Scripted):
    """A driver that Ctrl-C strikes."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Never return."""
        raise KeyboardInterrupt


def test_an_interrupted_attempt_wakes_who_waits() -> None:
    """It has given its place back, whatever ended it."""
    router = FailoverDriver([Interrupted("a"), OnePlace("b")])
    woken: list[str] = []
    router._shared.park(Pause(1.0, "a", places=("a",)), woken.append)
    with pytest.raises(KeyboardInterrupt):
        router.perform(CALL, 1.0)
    assert woken == ["a"]
