"""The heartbeat: a process that stood still itself blames no target."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._routing import FailoverDriver
from leeward._routing.background import Shared
from leeward._routing.circuit import CircuitState
from leeward._routing.commands import TimedAttempt
from leeward._routing.policy import DEFAULT
from leeward._routing.silence import LATEST, MOST_KEPT, Heartbeat
from leeward.calls import Call, Result
from leeward.errors import Outcome
from leeward.testing import FakeClock
from tests.routing.beside_kit import wait_until
from tests.routing.health_kit import HARMLESS, World, attempt
from tests.scripted import OK, Scripted

PACE, REST = DEFAULT.heartbeat_pace, DEFAULT.heartbeat_rest
Beaters: TypeAlias = Callable[[], set[threading.Thread]]
STOPPED = 0.6
"""Seconds: longer than an answer may take, and than a target may be silent."""


class Living(World):
    """A world whose process has a heartbeat, and a baseline of its targets."""

    def __init__(self) -> None:
        super().__init__()
        self.number = self.health.heartbeat.begin(self.now)
        for _ in range(120):
            self.call()
            self.beat()
        self.health.outbox.clear()

    def beat(self) -> None:
        """Beat once, now."""
        assert self.health.heartbeat.beat(self.number, self.now, self.health.calls)

    def live(self, seconds: float) -> None:
        """Let time pass, and beat meanwhile."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + PACE)
            self.beat()


def test_answers_that_waited_for_the_process_are_not_slow() -> None:
    """Ten were under way when it was stopped; the eleventh, which took as long, is slow."""
    world = Living()
    circuit, began = world.circuit("a", resource="f"), world.now
    usual = circuit.latency.counts.copy()
    world.now += STOPPED
    for _ in range(10):
        world.health.succeed(attempt("a"), began, world.now)
    assert (circuit.failed, circuit.state) == (0.0, CircuitState.CLOSED)
    shortest = next(index for index, count in enumerate(usual) if count)
    grown = [index for index, count in enumerate(circuit.latency.counts) if count != usual[index]]
    assert grown <= [shortest], "and the baseline is not that of a process that is stopped"
    world.beat()
    began = world.now
    world.live(STOPPED)
    world.health.succeed(attempt("a"), began, world.now)
    assert circuit.failed > 0


@pytest.mark.parametrize(
    ("beaten", "state"), [(True, CircuitState.OPEN), (False, CircuitState.CLOSED)]
)
def test_time_that_was_used_up_by_a_standstill_proves_nothing(
    beaten: bool, state: CircuitState
) -> None:
    """Five attempts run out of time, while the process runs, or while it does not."""
    world = Living()
    command = attempt("a")._replace(timeout=DEFAULT.cut_off_least)
    began = world.now
    if beaten:
        world.live(DEFAULT.cut_off_least)
    else:
        world.now += DEFAULT.cut_off_least
    for number in range(5):
        unlike = command._replace(call=HARMLESS._replace(payload=b"%d" % number))
        answered = TimedAttempt(unlike, began, world.now)
        world.health.fail(answered, Outcome.AMBIGUOUS, None)
    assert world.circuit("a", resource="f").state is state


@pytest.mark.parametrize(
    ("beaten", "state"), [(True, CircuitState.OPEN), (False, CircuitState.CLOSED)]
)
def test_silence_during_a_standstill_is_no_stall(beaten: bool, state: CircuitState) -> None:
    """Six are under way; the first call afterwards sees how long they have waited."""
    world = Living()
    for _ in range(6):
        world.health.start("a", HARMLESS, world.now)
    if beaten:
        world.live(STOPPED)
    else:
        world.now += STOPPED
    for _ in range(10):
        world.health.start("a", HARMLESS, world.now)
    assert world.circuit("a", resource="f").state is state


def test_a_race_that_was_lost_standing_still_was_not_slow() -> None:
    """A hedge overtakes an attempt whose answer nobody could take in."""
    world = Living()
    circuit, began = world.circuit("a", resource="f"), world.now
    world.now += STOPPED
    world.health.cancel(TimedAttempt(attempt("a"), began, world.now), overtaken=True)
    assert circuit.failed == 0
    world.beat()
    began = world.now
    world.live(STOPPED)
    world.health.cancel(TimedAttempt(attempt("a"), began, world.now), overtaken=True)
    assert circuit.failed > 0


def test_beats_end_with_their_number_and_with_the_calls() -> None:
    """Who begins takes over; without a new call for a while nobody has to know."""
    heartbeat = Heartbeat(PACE, REST)
    assert heartbeat.is_due(0.0)
    first = heartbeat.begin(0.0)
    second = heartbeat.begin(0.0)
    assert not heartbeat.beat(first, 1.0, 1)
    assert heartbeat.beat(second, 0.0, 1)
    assert not heartbeat.is_due(REST)
    assert heartbeat.beat(second, REST - PACE, 1)
    assert heartbeat.beat(second, REST, 2), "there was another call"
    assert not heartbeat.beat(second, 2 * REST, 2)
    assert heartbeat.is_due(2 * REST)
    third = heartbeat.begin(0.0)
    heartbeat.end()
    assert not heartbeat.beat(third, 0.0, 3)


def test_without_beats_nothing_is_taken_off() -> None:
    """Nobody knows then; and what is known is bounded."""
    heartbeat = Heartbeat(PACE, 1000.0)
    assert heartbeat.standstill(0.0, 10.0) == 0
    number = heartbeat.begin(0.0)
    assert heartbeat.standstill(LATEST + 0.1, 2.0) == 0, "the last beat was long before"
    assert heartbeat.standstill(LATEST, 2.0) == 2.0 - LATEST, "it was late when that began"
    for beat in range(2 * MOST_KEPT):
        assert heartbeat.beat(number, 1.0 * beat, beat)
    now = 2.0 * MOST_KEPT - 1
    assert heartbeat.standstill(0.0, now) == pytest.approx(MOST_KEPT * (1.0 - PACE))


@given(
    st.lists(st.floats(0.0, 2.0), min_size=1, max_size=MOST_KEPT), st.floats(0, 20), st.floats(0, 5)
)
def test_a_standstill_is_never_longer_than_the_time(
    pauses: list[float], began: float, late: float
) -> None:
    """And none shorter than two beats is taken for one."""
    heartbeat, now = Heartbeat(PACE, 1000.0), 0.0
    number = heartbeat.begin(now)
    for count, pause in enumerate(pauses):
        now += pause
        heartbeat.beat(number, now, count)
    began = min(began, now)
    still = heartbeat.standstill(began, now + late)
    assert 0 <= still <= now + late - began + 1e-9
    if max(pauses) <= 2 * PACE and late <= 2 * PACE:
        assert still == 0


# The runners.


class Blocking(Scripted):
    """A driver whose calls block their thread, or their event loop, as often as told."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        return OK

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        return OK


def shared_of(router: FailoverDriver) -> Shared:
    return router._shared


@pytest.fixture
def beaters() -> Beaters:
    """Return what finds the heartbeats on threads that were begun since."""

    def found() -> set[threading.Thread]:
        return {each for each in threading.enumerate() if each.name == "leeward-heartbeat"}

    before = found()
    return lambda: found() - before


def test_threads_have_a_heartbeat_as_soon_as_there_is_a_baseline(beaters: Beaters) -> None:
    """On a thread of its own, which ends when the order is closed."""
    router = FailoverDriver([Blocking("a"), Blocking("b")])
    for _ in range(DEFAULT.baseline_answers):
        router.perform(HARMLESS, 10.0)
    heartbeat = shared_of(router).core.health.heartbeat
    began = time.monotonic()
    wait_until(lambda: heartbeat.is_known(began + 3 * PACE))
    router.close()
    wait_until(lambda: not beaters())
    assert not heartbeat.is_known(began)


def test_one_target_alone_needs_none(beaters: Beaters) -> None:
    """There is no other to be preferred to it; and a clock of the tests has no beats."""
    alone = FailoverDriver([Blocking("a")])
    faked = FailoverDriver([Blocking("a"), Blocking("b")], clock=FakeClock())
    for router in (alone, faked):
        for _ in range(DEFAULT.baseline_answers):
            router.perform(HARMLESS, 10.0)
        assert shared_of(router).core.health.heartbeat.is_due(0.0)
        router.close()
    assert not beaters()


def test_an_event_loop_beats_itself(beaters: Beaters) -> None:
    """So whoever blocks it stands still, and no thread says otherwise."""
    router = FailoverDriver([Blocking("a"), Blocking("b")])
    heartbeat = shared_of(router).core.health.heartbeat

    async def job() -> float:
        for _ in range(DEFAULT.baseline_answers):
            await router.perform_async(HARMLESS, 10.0)
        assert not beaters()
        began = time.monotonic()
        await asyncio.to_thread(wait_until, lambda: heartbeat.is_known(began + 3 * PACE))
        began = time.monotonic()
        time.sleep(4 * PACE)  # noqa: ASYNC251 - as a program does that blocks its loop
        still = heartbeat.standstill(began, time.monotonic())
        await router.close_async()
        await asyncio.sleep(2 * PACE)
        return still

    assert asyncio.run(job()) > PACE


def test_where_no_thread_can_be_started_there_are_no_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls go on all the same."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError(f"no thread {thread.name}")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    router = FailoverDriver([Blocking("a"), Blocking("b")])
    for _ in range(DEFAULT.baseline_answers):
        assert router.perform(HARMLESS, 10.0).outcome is Outcome.OK
    assert shared_of(router).core.health.heartbeat.is_due(time.monotonic())
    router.close()
