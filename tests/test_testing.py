"""The public test tools: a clock that does not wait, a driver that fails on demand."""

from __future__ import annotations

import pytest

from leeward.adapter import Invoke, Key, Load
from leeward.errors import ConfigError, Outcome
from leeward.testing import FakeClock, Fault, FaultyDriver
from tests.scripted import Scripted

INVOKE = Invoke("f", b"{}", "k")


def test_a_fake_clock_moves_only_when_told() -> None:
    """Sleeping takes no time and moves both clocks."""
    clock = FakeClock(100.0)
    clock.sleep(5.0)
    clock.advance(1.0)
    assert (clock.now(), clock.monotonic()) == (106.0, 6.0)


@pytest.mark.parametrize(
    ("fault", "outcome", "ran"),
    [
        (Fault.REFUSE, Outcome.NOT_SENT, False),
        (Fault.THROTTLE, Outcome.REJECTED, False),
        (Fault.SUSPEND, Outcome.UNUSABLE, False),
        (Fault.LOSE_REQUEST, Outcome.AMBIGUOUS, False),
        (Fault.LOSE_ANSWER, Outcome.AMBIGUOUS, True),
        (Fault.DENY, Outcome.AUTH, False),
    ],
)
def test_each_fault(fault: Fault, outcome: Outcome, ran: bool) -> None:
    """A fault decides the outcome, and whether the work was done."""
    inner = Scripted("a")
    driver = FaultyDriver(inner)
    driver.fail(fault, times=1, retry_after=3.0)
    result = driver.perform(INVOKE, 1.0)
    assert (result.outcome, result.retry_after) == (outcome, 3.0)
    assert bool(inner.calls) is ran
    assert driver.perform(INVOKE, 1.0).outcome is Outcome.OK
    assert driver.calls == [INVOKE, INVOKE]


def test_a_fault_can_wait_for_its_verb_and_be_healed() -> None:
    """Other verbs go well; `heal` ends it."""
    driver = FaultyDriver(Scripted("a"))
    driver.fail(Fault.REFUSE, verb="load")
    assert driver.perform(INVOKE, 1.0).outcome is Outcome.OK
    assert driver.perform(Load("t", Key(("id",), ("1",))), 1.0).outcome is Outcome.NOT_SENT
    driver.heal()
    assert driver.perform(Load("t", Key(("id",), ("1",))), 1.0).outcome is Outcome.OK


def test_faults_of_different_verbs_do_not_wait_for_each_other() -> None:
    """A fault that waits for a store does not keep one from the load that comes first."""
    driver = FaultyDriver(Scripted("a"))
    driver.fail(Fault.LOSE_ANSWER, times=1, verb="store")
    driver.fail(Fault.DENY, times=1, verb="load")
    driver.fail(Fault.SUSPEND, verb="invoke")
    driver.fail(Fault.THROTTLE, verb="load")
    load = Load("t", Key(("id",), ("1",)))
    assert [driver.perform(load, 1.0).outcome for _ in range(2)] == [Outcome.AUTH, Outcome.REJECTED]
    assert driver.perform(INVOKE, 1.0).outcome is Outcome.UNUSABLE


def test_a_fault_must_be_one() -> None:
    """A misspelt fault is refused at once, not later as an odd outcome."""
    with pytest.raises(ConfigError, match="leeward.testing.Fault"):
        FaultyDriver(Scripted("a")).fail("refuse")  # type: ignore[arg-type]
