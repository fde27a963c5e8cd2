"""What happens beside the calls: hedges, listeners, and what the driver over drivers offers."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import threading
import time
from queue import SimpleQueue
from typing import Any

import pytest

from leeward._routing import FailoverDriver, background
from leeward._routing.background import Threads, write_to_log
from leeward._routing.policy import DEFAULT
from leeward.calls import Call, Result
from leeward.errors import ConfigError, Outcome
from leeward.testing import FakeClock, FaultyDriver
from leeward.values import RoutingEvent
from tests.routing.beside_kit import CALL, PATIENCE, UNSAFE, Probing, opened
from tests.scripted import AMBIGUOUS, NOT_SENT, OK, Scripted

# Hedging.


class Slow(Scripted):
    """A driver whose next answer waits for a sign; awaited, it waits without blocking."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.sign = threading.Event()
        self.slow = False
        self.cancelled = False

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        answer = super().perform(call, timeout)
        if self.slow:
            assert self.sign.wait(PATIENCE)
        return answer

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        answer = super().perform(call, timeout)
        try:
            if self.slow:
                await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return answer


def learnt(a: Slow, b: Scripted) -> FailoverDriver:
    """Return a hedging order that knows how long its first target takes."""
    router = FailoverDriver([a, b], hedging=True)
    for _ in range(DEFAULT.baseline_answers):
        router.perform(CALL, 10.0)
    a.slow = True
    return router


def test_a_slow_call_is_hedged_on_threads() -> None:
    """The second target's answer is the call's, and the attempts say why it was asked."""
    a, b = Slow("a"), Scripted("b")
    router = learnt(a, b)
    seen: list[RoutingEvent] = []
    router.listen(seen.append)
    result = router.perform(CALL, 10.0)
    assert (result.target, result.attempts[-1].reason) == ("b", "hedge")
    assert [each.name for each in seen] == ["hedged"]
    a.sign.set()
    router.close()


def test_a_slow_call_is_hedged_on_a_loop_and_its_loser_cancelled() -> None:
    """Nothing of the first attempt is left."""
    a, b = Slow("a"), Slow("b")
    router = learnt(a, b)

    async def job() -> Result[Any]:
        result = await router.perform_async(CALL, 10.0)
        await asyncio.sleep(0)
        return result

    assert asyncio.run(job()).target == "b"
    assert a.cancelled
    router.close()


def test_a_quick_answer_needs_no_hedge() -> None:
    """It comes before the pause is over; nothing is sent elsewhere."""
    a, b = Slow("a"), Scripted("b")
    router = learnt(a, b)
    a.slow = False
    asked_before = len(b.calls)
    for _ in range(20):
        assert router.perform(CALL, 10.0).outcome is Outcome.OK
    assert len(b.calls) - asked_before <= 10, "only as many as the budget has saved up"
    router.close()


def test_what_is_not_harmless_is_never_hedged() -> None:
    """Unsafe calls run beside nothing."""
    a, b = Slow("a"), Scripted("b")
    router = FailoverDriver([a, b], hedging=True)
    for _ in range(30):
        router.perform(UNSAFE, 10.0)
    assert not b.calls


# Listeners.


def test_a_listener_hears_what_is_decided_and_may_fail() -> None:
    """It is called without any lock, and its failure changes nothing."""
    router = FailoverDriver([Scripted("a", NOT_SENT, NOT_SENT), Scripted("b")], clock=FakeClock())
    seen: list[str] = []

    def listener(event: RoutingEvent) -> None:
        router.evidence("a")  # would wait for ever if a lock were held
        seen.append(event.name)
        raise RuntimeError("a listener's own")

    router.listen(listener)
    assert router.perform(UNSAFE, 10.0).target == "b"
    assert seen == ["retry", "failover"]


def test_a_listener_that_fails_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """By its name and the class of what it raised, however often it fails, and not by its text."""
    router = FailoverDriver([Scripted("a", *[NOT_SENT] * 4), Scripted("b")], clock=FakeClock())

    def broken(event: RoutingEvent) -> None:
        raise RuntimeError(f"about {event.target}, with a secret")

    def also_broken(event: RoutingEvent) -> None:
        del event
        raise KeyError("secret")

    router.listen(broken)
    router.listen(also_broken)
    with caplog.at_level(logging.ERROR, "leeward.routing"):
        router.perform(UNSAFE, 10.0)
        router.perform(UNSAFE, 10.0)
    own = [record for record in caplog.records if record.name == "leeward.routing"]
    first, second = (record.getMessage() for record in own)
    assert first.startswith("listener_failed listener='")
    assert "broken' error='RuntimeError' at='" in first
    assert re.search(r"also_broken' error='KeyError' at='\S+test_beside.py:\d+ \S+'$", second)
    assert "secret" not in caplog.text


def test_decisions_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With their names, levels and facts; never with a payload."""
    with caplog.at_level(logging.DEBUG, "leeward.routing"):
        router = FailoverDriver([Scripted("a", AMBIGUOUS)], clock=FakeClock())
        router.perform(UNSAFE, 10.0)
    (record,) = (each for each in caplog.records if each.name == "leeward.routing")
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("outcome_unknown target='a' verb='invoke' resource='f'")
    assert "call_id=1" in record.getMessage()


def test_nothing_is_loaded_for_what_nobody_can_want_to_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where `logging` was never imported, only warnings load it."""
    told: list[str] = []
    monkeypatch.delitem(sys.modules, "logging")
    monkeypatch.setattr(
        "leeward._routing.background.log_event",
        lambda logger, level, name, **facts: told.append(name),
    )
    write_to_log(RoutingEvent("failover"))
    assert told == []
    write_to_log(RoutingEvent("opened"))
    assert told == ["opened"]


# The driver over drivers.


def test_a_wrapped_driver_is_probed_through_its_wrapper() -> None:
    """Names are mapped, faults planted, and the probe goes through."""
    a = Probing("a")
    wrapped = FaultyDriver(a)
    assert wrapped.probe_fidelity == "data_plane"
    assert wrapped.probe(1.0) is OK
    assert wrapped.places() is None
    assert Scripted("b").probe(1.0).outcome is Outcome.LOCAL


def test_the_order_explains_isolates_and_restores() -> None:
    """By the driver's own methods."""
    router = FailoverDriver([Scripted("a", NOT_SENT, NOT_SENT), Scripted("b")], clock=FakeClock())
    result = router.perform(UNSAFE, 10.0)
    assert "free to go to the next target" in router.explain(result.attempts[0].call_id)
    router.isolate("b")
    states = [router.evidence("b").state]
    router.restore("b")
    states.append(router.evidence("b").state)
    assert states == ["isolated", "ramp"]
    assert router.perform(UNSAFE, 10.0, ("b",)).target == "b"
    with pytest.raises(ConfigError):
        FailoverDriver([])


def test_an_event_before_the_first_attempt_is_told_on_a_loop_too() -> None:
    """The circuit's time is over when the call begins."""
    clock = FakeClock()
    router = opened(Scripted("a", *[NOT_SENT] * 5), clock)
    seen: list[str] = []
    router.listen(lambda event: seen.append(event.name))
    assert asyncio.run(router.perform_async(CALL, 10.0)).target == "a"
    assert seen[0] == "half_open"


def test_threads_beside_the_calls_are_used_again() -> None:
    """One at a time takes one thread; two at once take two; after closing nothing begins."""
    threads, ran = Threads(), SimpleQueue[str]()
    go = threading.Event()

    def work(wait: bool) -> None:
        if wait:
            assert go.wait(PATIENCE)
        ran.put(threading.current_thread().name)
        raise ValueError("of no interest")

    def start(wait: bool) -> None:
        threads.submit(work, wait)

    for _ in range(3):
        start(False)
        ran.get(timeout=PATIENCE)
        while threads._free < 1:
            time.sleep(0.001)
    assert threads._count == 1
    start(True)
    start(True)
    assert threads._count == 2
    go.set()
    threads.close()
    with pytest.raises(RuntimeError):
        start(False)


def test_an_idle_thread_ends_and_one_that_cannot_start_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With others at work the next one to be free takes the work; with none, whoever asks hears."""
    monkeypatch.setattr(background, "IDLE", 0.01)
    threads, ran = Threads(), SimpleQueue[int]()
    go = threading.Event()
    threads.submit(ran.put, 1)
    while threads._count:
        time.sleep(0.001)
    threads.submit(go.wait, PATIENCE)
    with monkeypatch.context() as full:

        def start(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        full.setattr(threading.Thread, "start", start)
        threads.submit(ran.put, 2)
        with pytest.raises(RuntimeError, match="start new thread"):
            Threads().submit(ran.put, 3)
    go.set()
    assert [ran.get(timeout=PATIENCE) for _ in range(2)] == [1, 2]
    threads.close()
