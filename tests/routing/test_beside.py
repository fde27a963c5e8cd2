"""What happens beside the calls: hedges, probes, listeners, health checks, shared snapshots."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from leeward.adapter import Call, Capability, Invoke, Load, Result, Store, Stored
from leeward.errors import ConfigError, Outcome
from leeward.routing import FailoverDriver
from leeward.routing.circuit import State
from leeward.routing.policy import DEFAULT
from leeward.routing.probing import HealthChecks
from leeward.routing.runners.background import background_of
from leeward.routing.runners.log_listener import write_to_log
from leeward.routing.runners.prober import Prober
from leeward.routing.runners.snapshot import ITEM, Snapshot
from leeward.testing import FakeClock, FaultyDriver
from leeward.values import Effect, RoutingEvent
from tests.routing.health_kit import fail
from tests.scripted import AMBIGUOUS, NOT_SENT, OK, Scripted

CALL = Invoke("f", b"{}", "key-1", Effect.IDEMPOTENT)
UNSAFE = CALL._replace(effect=Effect.UNSAFE)
PATIENCE = 30.0
"""Seconds after which a test that waits in vain fails."""


def wait_until(done: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end
        time.sleep(0.001)


class Probing(Scripted):
    """A scripted driver with a probe of its own, which answers as told."""

    probe_fidelity = "data_plane"

    def __init__(self, target: str, *script: Result[Any] | Exception) -> None:
        super().__init__(target, *script)
        self.says: Result[Any] | Exception = OK
        self.probes = 0

    def probe(self, timeout: float) -> Result[Any]:
        self.probes += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


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
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("listener_failed listener='")
    assert first.endswith("broken' error='RuntimeError'")
    assert second.endswith("also_broken' error='KeyError'")
    assert "secret" not in caplog.text


def test_decisions_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With their names, levels and facts; never with a payload."""
    with caplog.at_level(logging.DEBUG, "leeward.routing"):
        router = FailoverDriver([Scripted("a", AMBIGUOUS)], clock=FakeClock())
        router.perform(UNSAFE, 10.0)
    (record,) = caplog.records
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
        "leeward.routing.runners.log_listener.log_event",
        lambda logger, level, name, **facts: told.append(name),
    )
    write_to_log(RoutingEvent("failover"))
    assert told == []
    write_to_log(RoutingEvent("opened"))
    assert told == ["opened"]


# Probes.


def opened(first: Scripted, clock: FakeClock) -> FailoverDriver:
    """Return an order whose first target has an open circuit, whose time is over."""
    router = FailoverDriver([first, Scripted("b")], clock=clock)
    for _ in range(5):
        router.perform(UNSAFE, 10.0)
    assert router.evidence("a").state == "open"
    clock.advance(10.0)
    return router


@pytest.mark.parametrize(
    ("says", "state"),
    [(OK, State.HALF_OPEN), (NOT_SENT, State.OPEN), (RuntimeError("an adapter's own"), State.OPEN)],
)
def test_a_driver_is_asked_to_look(says: Result[Any] | Exception, state: State) -> None:
    """On a thread beside the call, which does not wait for it; what follows is told at once."""
    a = Probing("a", *[NOT_SENT] * 5)
    router = opened(a, FakeClock())
    told: list[str] = []
    router.listen(lambda event: told.append(event.name))
    a.says = says
    assert router.perform(UNSAFE, 10.0).target == "b"
    wait_until(lambda: a.probes)
    health = router._shared.core.health
    circuit = health.circuits["a", "invoke"]
    wait_until(lambda: circuit.leased_until == 0 or circuit.state is State.OPEN)
    assert circuit.state is state
    wait_until(lambda: ("opened" in told) is (state is State.OPEN))
    router.close()


def test_after_closing_nothing_is_begun() -> None:
    """A probe that is asked for then is dropped."""
    a = Probing("a", *[NOT_SENT] * 5)
    router = opened(a, FakeClock())
    background_of(router._shared)
    router.close()
    assert router.perform(UNSAFE, 10.0).target == "b"
    assert a.probes == 0


# Health checks.


def prober_of(router: FailoverDriver, interval: float = 3600.0) -> Prober:
    return Prober(router._shared, HealthChecks(interval, 2, 2))


def test_health_checks_open_and_return() -> None:
    """Without any call after the first; an adapter's own mistake says nothing."""
    clock = FakeClock()
    a = Probing("a")
    router = FailoverDriver([a, Scripted("b")], clock=clock)
    router.perform(CALL, 10.0)
    prober = prober_of(router)
    prober.look_at("a")
    assert a.probes == 0, "a call has just shown that it works"
    clock.advance(4000.0)
    a.says = RuntimeError("an adapter's own")
    prober.look_at("a")
    a.says = NOT_SENT
    prober.look_at("a")
    assert router.evidence("a").state == "closed"
    prober.look_at("a")
    assert router.evidence("a").state == "open"
    a.says = OK
    prober.look_at("a")
    prober.look_at("a")
    assert router.evidence("a").state == "ramp"
    prober.stop()


def test_one_thread_probes_until_the_order_is_closed() -> None:
    """Targets without a probe are left alone."""
    a = Probing("a")
    router = FailoverDriver([a, Scripted("b")])
    router.check_health(0.001, 3, 3)
    wait_until(lambda: a.probes > 2)
    background = router._shared.background
    assert background is not None
    prober = background.prober
    assert prober is not None
    router.close()
    assert prober._stopped.is_set()
    router._shared.renew(held=False)
    assert background.prober is None, "nor does a child begin it again"


def test_a_child_has_threads_of_its_own() -> None:
    """The prober begins again; the lock is free."""
    a = Probing("a")
    router = FailoverDriver([a], clock=FakeClock())
    router.check_health(3600.0, 3, 3)
    shared = router._shared
    assert shared.background is not None
    before = shared.background.threads
    shared.renew(held=False)
    assert shared.background.threads is not before
    shared.background.prober = None
    shared.renew(held=False)
    router.close()
    FailoverDriver([Scripted("b")]).check_health(0.001, 3, 3)  # nothing to probe: its thread ends


# Shared snapshots.


class Keeping(Scripted):
    """A driver that keeps one item."""

    def __init__(self, target: str, *script: Result[Any] | Exception) -> None:
        super().__init__(target, *script)
        self.item: dict[str, Any] | None = None
        self.broken = False

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if self.broken and isinstance(call, Store | Load):
            raise OSError("away")
        if isinstance(call, Store):
            self.item = dict(call.item)
            return Result.ok("r")
        if isinstance(call, Load):
            return Result.ok(None if self.item is None else Stored(self.item, "r"))
        return super().perform(call, timeout)


def test_what_one_process_saw_another_is_careful_with() -> None:
    """Through a table on every target; one that cannot be written does not matter."""
    clock = FakeClock()
    a, b = Keeping("a", *[NOT_SENT] * 5), Keeping("b")
    a.broken = True
    one = FailoverDriver([a, b], clock=clock)
    one.share_health("health", "id")
    for _ in range(5):
        one.perform(UNSAFE, 10.0)
    wait_until(lambda: b.item)
    assert b.item is not None
    assert (b.item["id"], list(b.item["open_until"])) == (ITEM, ["a"])
    two = FailoverDriver([a, b], clock=clock)
    two.share_health("health", "id")
    record = two._shared.core.health.records["a"]
    wait_until(lambda: record.prepared)
    assert two.perform(CALL, 10.0).target == "a"
    one.close()
    two.close()


def test_one_write_at_a_time() -> None:
    """Another change while one is under way is written by the next."""
    b = Keeping("b")
    tableless = Scripted("c", capabilities=frozenset({Capability.INVOKE}))
    router = FailoverDriver([b, tableless], clock=FakeClock())
    snapshot = Snapshot(router._shared, "health", "id")
    with snapshot._writing:
        snapshot.write()
    written = [b.item]
    snapshot.write()
    written.append(b.item)
    assert [each is None for each in written] == [True, False]
    assert tableless.calls == []
    snapshot._note(RoutingEvent("retry"))
    router.close()


class Changing(Keeping):
    """One that keeps an item while something else changes."""

    def __init__(self, target: str, change: Callable[[], object]) -> None:
        super().__init__(target)
        self.change = change
        self.written: list[list[str]] = []

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        answer = super().perform(call, timeout)
        if isinstance(call, Store):
            self.written.append(list(call.item["open_until"]))
            if len(self.written) == 1:
                self.change()
        return answer


def test_what_changes_while_copies_are_written_is_written_too() -> None:
    """By whoever writes; and a child writes though a thread of its parent was writing."""

    def change() -> None:
        for _ in range(5):
            fail(shared.core.health, "b", Outcome.NOT_SENT, 100.0)
        snapshot.write()

    b = Changing("b", change)
    router = FailoverDriver([b, Scripted("c")], clock=FakeClock())
    shared = router._shared
    snapshot = Snapshot(shared, "health", "id")
    snapshot.write()
    assert b.written == [[], ["b"]]
    background_of(shared).snapshot = snapshot
    assert snapshot._writing.acquire(blocking=False)
    shared.renew(held=False)
    snapshot.write()
    assert len(b.written) == 3
    router.close()


def test_the_newest_copy_suggests() -> None:
    """An older one may be left of a time when its target could not be written to."""
    clock = FakeClock()
    a, b = Keeping("a"), Keeping("b")
    a.item = {"written_at": clock.now() - 60.0, "open_until": {"a": clock.now()}}
    b.item = {"written_at": clock.now() - 1.0, "open_until": {}}
    router = FailoverDriver([a, b], clock=clock)
    shared = router._shared
    Snapshot(shared, "health", "id").read()
    assert shared.core.health.records["a"].prepared == 0.0
    b.item, a.item = a.item, {"written_at": "today"}
    Snapshot(shared, "health", "id").read()
    assert shared.core.health.records["a"].prepared > 0.0
    router.close()


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
