"""Nothing is sent to an isolated target: not by a wait that ends after that, nor by a question."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any, Final

import pytest

from leeward import TargetUnavailable
from leeward._operations.errors import error_of
from leeward._routing import FailoverDriver
from leeward._routing.attempts import Core
from leeward._routing.background import make_probe
from leeward._routing.commands import Command, Dispatch, Pause, ProbeTarget, ReadBack
from leeward._routing.execution import execute
from leeward._routing.failover import _in_time
from leeward._routing.health import Health
from leeward._routing.outcomes import rules_of
from leeward._routing.targets import Targets
from leeward.calls import (
    AttemptTime,
    Call,
    Delete,
    Enqueue,
    Invoke,
    Key,
    Load,
    Publish,
    Result,
    Store,
)
from leeward.envelope import BY_GROUP, RUNNING, VOIDED
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward.values import Effect, Event, FunctionFault
from tests.routing.beside_kit import Probing
from tests.routing.two_in_flight import two_at_once
from tests.scripted import Scripted

UNSAFE: Final = Invoke("f", b"1", "k")
KEYED: Final = UNSAFE._replace(effect=Effect.KEYED)
SHARED: Final = KEYED._replace(shared_dedup=True)
KEY: Final = Key(("id",), ("1",))
CALLS: Final[dict[str, Call]] = {
    "unsafe": UNSAFE,
    "unsafe, settled": UNSAFE._replace(settles=True),
    "keyed": KEYED,
    "keyed, settled": KEYED._replace(settles=True),
    "shared": SHARED,
    "shared, settled": SHARED._replace(settles=True),
    "idempotent": UNSAFE._replace(effect=Effect.IDEMPOTENT),
    "queued": Enqueue("f", b"1", "k", Effect.IDEMPOTENT),
    "events": Publish("bus", tuple(Event("t", id=id, source="s") for id in "12")),
    "store": Store("t", KEY, {}, "w", 0.0),
    "delete": Delete("t", KEY, 0.0),
    "load": Load("t", KEY),
}
VOID: Final = FunctionFault(reason=VOIDED, ran="no", voids=1)
FAILURES: Final[tuple[Result[Any], ...]] = (
    *(Result(outcome) for outcome in (Outcome.NOT_SENT, Outcome.REJECTED, Outcome.LOCAL)),
    *[Result[Any](Outcome.AMBIGUOUS)] * 3,
)
"""What keeps a call going."""

OF_FUNCTIONS: Final[tuple[Result[Any], ...]] = (
    *FAILURES,
    Result(Outcome.AMBIGUOUS, reason=RUNNING),
    Result(Outcome.REJECTED, reason=VOIDED, fault=VOID, dedup=BY_GROUP),
    Result(Outcome.APP_ERROR, fault=FunctionFault(ran="maybe")),
    Result.ok({"key": "k", "verdict": "running"}),
    Result.ok({"key": "k", "verdict": "not_run", "voids": 1}, dedup=BY_GROUP),
)
"""The same of a function that keeps records."""


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("at_once", [False, True])
def test_nothing_is_sent_after_a_target_was_isolated(
    name: str, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a call does when that happens: it waits, asks, reads back, or has two in flight."""
    call, random = CALLS[name], Random(name)
    answers = OF_FUNCTIONS if call.verb == "invoke" else FAILURES
    if at_once and rules_of(call).elsewhere and call.verb != "load":
        two_at_once(monkeypatch)
    for step, _ in product(range(5), range(120)):
        health = Health(Targets(("a", "b", "c"), home="a"), random.random)
        execution = execute(Core(health), call, 0.0, 20.0)
        running, now, steps = list(next(execution)), 0.0, 0
        while running:
            command: Command = running.pop(0)
            if steps == step:
                health.circuits.isolate("a")
            now += command.seconds if isinstance(command, Pause) else 0.05
            steps += 1
            answer = None if isinstance(command, Pause) else random.choice(answers)
            try:
                more = execution.send((command, now, now, answer))
            except StopIteration:
                break
            sent = [each.target for each in more if isinstance(each, Dispatch | ReadBack)]
            assert "a" not in sent or not health.records["a"].isolated, (step, more)
            running += more


def test_a_question_goes_to_a_target_that_is_not_isolated() -> None:
    """Where keys are known at all targets; else nobody is asked, and the call stays unknown."""
    for call, asked in ((CALLS["shared, settled"], ["b", "c", "b"]), (CALLS["keyed, settled"], [])):
        health = Health(Targets(("a", "b", "c")), lambda: 0.5)
        execution = execute(Core(health), call, 0.0, 3.0)
        (command,) = next(execution)
        health.circuits.isolate("a")
        health.circuits.isolate("b")
        health.circuits.restore("b", 0.0)
        seen: list[str] = []
        result: Result[Any] | None = None
        now = 0.0
        while result is None:
            now += command.seconds if isinstance(command, Pause) else 0.05
            said = Result.ok({"key": "k", "verdict": "running"})
            if isinstance(command, Dispatch):
                said = Result(Outcome.AMBIGUOUS)
            elif isinstance(command, ReadBack):
                seen.append(command.target)
            try:
                (command,) = execution.send((command, now, now, said))
            except StopIteration as end:
                result = end.value
        assert result.outcome is Outcome.AMBIGUOUS
        assert seen[: len(asked)] == asked
        assert "a" not in seen


def test_what_waits_for_a_thread_is_not_sent() -> None:
    """The target was isolated meanwhile; its caller hears so."""
    a = Scripted("a")
    router = FailoverDriver([a], clock=FakeClock())
    timeout = AttemptTime.of(2.0, 1.0, 3.0, gate=router._shared.core.health.records["a"])
    command = Dispatch(1, "a", UNSAFE, timeout)
    router.isolate("a")
    *_, answer = _in_time(router._shared, command, 0.0)
    assert isinstance(answer, Result)
    assert (answer.outcome, answer.reason, a.calls) == (Outcome.LOCAL, "isolated", [])
    assert isinstance(error_of(UNSAFE, answer), TargetUnavailable)
    assert a._perform_after(UNSAFE, timeout, 0.0).reason == "isolated"


def test_an_attempt_knows_the_gate_of_its_target() -> None:
    """So that a driver can look at it after a wait; a share of its time does, too."""
    health = Health(Targets(("a", "b")), lambda: 0.5)
    (command,) = next(execute(Core(health), UNSAFE, 0.0, 3.0))
    assert isinstance(command, Dispatch)
    assert isinstance(command.timeout, AttemptTime)
    assert command.timeout.gate is health.records["a"]
    assert command.timeout.cut_to(1.0).gate is health.records["a"]


def test_no_probe_is_made_of_an_isolated_target() -> None:
    """Neither one that was asked for before, nor a health check."""
    a = Probing("a")
    router = FailoverDriver([a, Scripted("b")], clock=FakeClock())
    router.check_health(3600.0, 2, 2)
    (prober,) = router._shared.companions
    router.isolate("a")
    make_probe(router._shared, ProbeTarget("a", "invoke", "", 0, 1.0))
    prober.look_at("a")  # type: ignore[attr-defined]
    assert a.probes == 0
    router.restore("a")
    prober.look_at("a")  # type: ignore[attr-defined]
    assert a.probes == 1
    router.close()
