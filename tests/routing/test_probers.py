"""Probes that a driver makes by itself, and the thread of the health checks."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from leeward._routing import FailoverDriver
from leeward._routing.background import Prober
from leeward._routing.circuit import CircuitState
from leeward._routing.circuits import ProbeSchedule
from leeward.adapter import Result
from leeward.testing import FakeClock
from tests.routing.beside_kit import CALL, UNSAFE, Probing, opened, wait_until
from tests.scripted import NOT_SENT, OK, Scripted

# Probes.


@pytest.mark.parametrize(
    ("says", "state"),
    [
        (OK, CircuitState.HALF_OPEN),
        (NOT_SENT, CircuitState.OPEN),
        (RuntimeError("an adapter's own"), CircuitState.OPEN),
    ],
)
def test_a_driver_is_asked_to_look(says: Result[Any] | Exception, state: CircuitState) -> None:
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
    wait_until(lambda: circuit.leased_until == 0 or circuit.state is CircuitState.OPEN)
    assert circuit.state is state
    wait_until(lambda: ("opened" in told) is (state is CircuitState.OPEN))
    router.close()


def test_after_closing_nothing_is_begun() -> None:
    """A probe that is asked for then is dropped."""
    a = Probing("a", *[NOT_SENT] * 5)
    router = opened(a, FakeClock())
    router.close()
    assert router.perform(UNSAFE, 10.0).target == "b"
    assert a.probes == 0


# Health checks.


def prober_of(router: FailoverDriver, interval: float = 3600.0) -> Prober:
    return Prober(router._shared, ProbeSchedule(interval, 2, 2))


def test_health_checks_open_and_return() -> None:
    """Without any call after the first; an adapter's own mistake says nothing."""
    clock = FakeClock()
    a = Probing("a")
    router = FailoverDriver([a, Scripted("b")], clock=clock)
    router.perform(CALL, 10.0)
    told: list[str] = []
    router.listen(lambda event: told.append(event.name))
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
    assert router._shared.core.health.circuits["a", "invoke"].stage == 0, "the probes were strong"
    assert told == ["opened", "ramp"]
    prober.stop()


def test_one_thread_probes_until_the_order_is_closed() -> None:
    """Targets without a probe are left alone."""
    a = Probing("a")
    router = FailoverDriver([a, Scripted("b")])
    router.check_health(0.001, 3, 3)
    wait_until(lambda: a.probes > 2)
    threads = [each for each in threading.enumerate() if each.name == "leeward-prober"]
    assert threads
    assert all(each.daemon for each in threads), "a program ends without it"
    (prober,) = router._shared.companions
    assert isinstance(prober, Prober)
    router.close()
    assert prober._stop.is_set()
    router._shared.renew(held=False)
    assert prober._stop.is_set(), "nor does a child begin it again"


def test_a_child_has_threads_of_its_own() -> None:
    """The prober begins again; the lock is free."""
    a = Probing("a")
    router = FailoverDriver([a], clock=FakeClock())
    router.check_health(3600.0, 3, 3)
    shared = router._shared
    before = shared.threads
    shared.renew(held=False)
    assert shared.threads is not before
    shared.companions.clear()
    shared.renew(held=False)
    router.close()
    FailoverDriver([Scripted("b")]).check_health(0.001, 3, 3)  # nothing to probe: its thread ends
