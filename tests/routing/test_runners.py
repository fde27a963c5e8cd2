"""The runners: what the core commands is carried out, on threads and on event loops."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from leeward._routing import FailoverDriver
from leeward._routing.commands import Dispatch
from leeward._routing.failover import _in_time
from leeward.calls import Call, Invoke, Result
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward.values import Effect
from tests.routing.two_in_flight import second_after_a_pause, two_at_once
from tests.scripted import NOT_SENT, Scripted

CALL = Invoke("f", b"{}", "key-1", Effect.IDEMPOTENT)
PATIENCE = 30.0
"""Seconds after which a test that waits in vain fails."""


class Awaited(Scripted):
    """A scripted driver that can be awaited."""

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        await asyncio.sleep(0)
        return self.perform(call, timeout)


class Silent(Scripted):
    """A driver that answers when the test is over, or is cancelled."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.asked, self.over = threading.Event(), threading.Event()
        self.cancelled = False

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        self.asked.set()
        assert self.over.wait(PATIENCE)
        return super().perform(call, timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        self.asked.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return super().perform(call, timeout)


class Late(Awaited):
    """A driver that answers once another one was asked, too."""

    def __init__(self, target: str, other: Silent) -> None:
        super().__init__(target)
        self.other = other

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        assert self.other.asked.wait(PATIENCE)
        return super().perform(call, timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        assert await asyncio.to_thread(self.other.asked.wait, PATIENCE)
        return super().perform(call, timeout)


def on_threads(router: FailoverDriver) -> Result[Any]:
    return router.perform(CALL, 10.0)


def on_a_loop(router: FailoverDriver) -> Result[Any]:
    async def job() -> Result[Any]:
        result = await router.perform_async(CALL, 10.0)
        await asyncio.sleep(0)  # what was cancelled hears of it
        return result

    return asyncio.run(job())


Runner = Callable[[FailoverDriver], Result[Any]]
both = pytest.mark.parametrize("run", [on_threads, on_a_loop])


@both
def test_the_first_target_may_answer_after_the_second_was_asked(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is still waited for: its answer is the call's while the second target is silent."""
    second_after_a_pause(monkeypatch)
    b = Silent("b")
    result = run(FailoverDriver([Late("a", b), b], clock=FakeClock()))
    b.over.set()
    assert (result.outcome, result.target) == (Outcome.OK, "a")


def test_what_waits_for_a_thread_has_the_rest_of_its_time() -> None:
    """And is not begun after that, so nothing starts after the deadline."""
    clock = FakeClock()
    a = Awaited("a", Result(Outcome.OK, waited=0.25))
    router = FailoverDriver([a], clock=clock)
    shared = router._shared
    command, asked = Dispatch(1, "a", CALL, 2.0), clock.monotonic()
    for waited, outcome, in_line in ((0.5, Outcome.OK, 0.75), (2.25, Outcome.LOCAL, 2.25)):
        while clock.monotonic() < asked + waited:
            clock.sleep(0.25)
        given, began, now, answer = _in_time(shared, command, asked)
        assert given is command
        assert (began, now) == (asked, asked + waited)
        assert isinstance(answer, Result)
        assert (answer.outcome, answer.waited, len(a.calls)) == (outcome, in_line, 1)
    assert a.timeouts == [1.5]
    lost = OSError("lost")
    raising = FailoverDriver([Awaited("a", lost)], clock=clock)._shared
    assert _in_time(raising, command, clock.monotonic())[3] is lost


def test_one_command_runs_on_the_callers_own_thread() -> None:
    """Where nothing is beside it, an attempt costs no thread."""
    seen: list[threading.Thread] = []

    class Watching(Scripted):
        def perform(self, call: Call, timeout: float) -> Result[Any]:
            seen.append(threading.current_thread())
            return super().perform(call, timeout)

    on_threads(FailoverDriver([Watching("a", NOT_SENT)], clock=FakeClock()))
    assert seen == [threading.current_thread()] * 2


class Quitting(Scripted):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        raise SystemExit(3)


def test_what_is_no_failure_of_a_call_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """SystemExit and its like are raised where the call was made, from other threads too.

    The attempt is not waited for any more, whoever keeps the traceback.
    """
    router = FailoverDriver([Quitting("a")], clock=FakeClock())
    with pytest.raises(SystemExit) as raised:
        on_threads(router)
    assert router._shared.core.health.add("a", CALL).waiting == []
    del raised
    two_at_once(monkeypatch)
    silent = Silent("a")
    with pytest.raises(SystemExit):
        on_threads(FailoverDriver([silent, Quitting("b")], clock=FakeClock()))
    silent.over.set()


def test_a_call_that_is_cancelled_cancels_what_is_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No attempt outlives the task that asked for it."""
    two_at_once(monkeypatch)
    a, b = Silent("a"), Silent("b")

    async def job() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(FailoverDriver([a, b]).perform_async(CALL, 10.0), 0.01)
        await asyncio.sleep(0)

    asyncio.run(job())
    assert (a.cancelled, b.cancelled) == (True, True)


def test_a_driver_that_cannot_be_awaited_works_beside_the_loop() -> None:
    """A plain driver is run in a thread, through the router as well."""
    router = FailoverDriver([Scripted("a")])
    assert asyncio.run(router.perform_async(CALL, 10.0)).target == "a"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks exist on POSIX only")
def test_a_child_begins_with_a_free_lock_and_whole_evidence() -> None:
    """A fork waits until no decision is under way; parent and child then go on."""
    router = FailoverDriver([Scripted("a")], clock=FakeClock())
    router.perform(CALL, 10.0)
    circuit = router._shared.core.health.start("a", CALL, 0.0)
    child = os.fork()
    if child == 0:
        waits = circuit.unanswered
        ended_well = router.perform(CALL, 10.0).outcome is Outcome.OK
        os._exit(0 if ended_well and not waits and router.evidence("a").attempts == 2 else 1)
    assert circuit.unanswered == 1
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert router.evidence("a").attempts == 1
    router.perform(CALL, 10.0)
    assert router.evidence("a").attempts == 2


def test_a_lock_that_was_held_in_the_parent_is_free_in_the_child() -> None:
    """Whether or not the fork could wait for it."""
    shared = FailoverDriver([Scripted("a")])._shared
    assert shared.hold()
    shared.renew(held=True)
    assert shared.hold()
    shared.release()
    assert shared.lock.acquire(blocking=False)
