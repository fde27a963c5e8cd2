"""The public test tools: a clock that does not wait, a driver that fails on demand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward import Client, Event
from leeward.calls import Invoke, Key, Load
from leeward.errors import ConfigError, Outcome, TargetUnavailable
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward_contract_tests.rows import each_row
from tests.scripted import Scripted

INVOKE = Invoke("f", b"{}", "k")


def test_a_fake_clock_moves_only_when_told() -> None:
    """Sleeping takes no time and moves both clocks."""
    clock = FakeClock(100.0)
    clock.sleep(5.0)
    clock.advance(1.0)
    assert (clock.now(), clock.monotonic()) == (106.0, 6.0)


@each_row(
    "fault, outcome, ran",
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


@pytest.mark.parametrize(
    ("name", "verb"),
    [("store_data", "store"), ("load_data", "load"), ("publish_event", "publish")],
)
def test_a_fault_takes_the_client_s_own_names(name: str, verb: str) -> None:
    """Who knows only the client's methods names a fault by them."""
    driver = FaultyDriver(Local())
    driver.fail(Fault.REFUSE, verb=name)
    with Client(driver) as client:
        calls: dict[str, Callable[[], object]] = {
            "store": lambda: client.store_data("t", {"id": "1"}),
            "load": lambda: client.load_data("t", "1"),
            "publish": lambda: client.publish_event("b", "t", None),
        }
        for each, call in calls.items():
            if each == verb:
                with pytest.raises(TargetUnavailable):
                    call()
            else:
                call()


def test_every_method_of_the_client_is_a_verb() -> None:
    """A method that the client gains later must be known here, too."""
    driver = FaultyDriver(Scripted("a"))
    runs = {name for name in vars(Client) if "run" in name} | {"start_workflow", "send_event"}
    others = {"close", *runs}  # a run's steps are calls of their own
    for name in {each for each in vars(Client) if not each.startswith("_")} - others:
        driver.fail(Fault.REFUSE, times=1, verb=name)


@each_row(
    "wrong, complaint",
    [
        ({"verb": "invok"}, "unknown verb 'invok'; did you mean 'invoke'"),
        ({"verb": "STORE"}, "unknown verb"),
        ({"verb": 3}, "unknown verb 3"),
        ({"times": 0}, "times must be 1 or more"),
        ({"times": -1}, "times must be 1 or more"),
        ({"times": True}, "times must be 1 or more"),
        ({"times": 1.5}, "times must be 1 or more"),
        ({"retry_after": -1}, "retry_after must be"),
        ({"retry_after": float("nan")}, "retry_after must be"),
        ({"retry_after": "soon"}, "retry_after must be"),
    ],
)
def test_a_fault_that_would_never_happen_is_refused(wrong: dict[str, Any], complaint: str) -> None:
    """Otherwise a test would pass because nothing failed."""
    with pytest.raises(ConfigError, match=complaint):
        FaultyDriver(Scripted("a")).fail(Fault.REFUSE, **wrong)


FAILING = """
from leeward import Event
from leeward.calls import Invoke
from leeward.values import InvokeResult, Record


def test_event():
    assert Event("a", {"id": "42"}) == Event("a", {"id": "43"})


def test_record():
    assert Record({"id": "44"}, "r", "local") is None


def test_result():
    assert InvokeResult("46", "local", "k") == repr(Invoke("f", b"secret", "k"))
"""


def test_a_failed_assertion_of_a_user_shows_what_differs(tmp_path: Path) -> None:
    """Under pytest, values of the user's own are shown in full; elsewhere, and calls, never."""
    (tmp_path / "test_it.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    for shown in ("={'id': '42'}) == Event(", "item={'id': '44'}", "value='46'", "<bytes: 6>"):
        assert shown in done.stdout, done.stdout
    assert repr(Event("order.created", {"id": "42"})).startswith(
        "Event(type='order.created', data=<"
    )
