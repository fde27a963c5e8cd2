"""The operator's hands, groups and weights, and what is remembered."""

from __future__ import annotations

import pytest

from leeward._routing.choice import SPREAD
from leeward._routing.circuit import CircuitState
from leeward._routing.commands import explain
from leeward._routing.execution import execute
from leeward._routing.policy import DEFAULT
from leeward._routing.targets import TargetGroup
from leeward.calls import Key, Load
from leeward.errors import Outcome
from tests.routing.health_kit import (
    HARMLESS,
    KEYED,
    OTHER,
    UNSAFE,
    World,
    healed,
    opened,
)

# By hand.


def test_an_isolated_target_gets_nothing() -> None:
    """Until it is restored, and then a share first."""
    world = World()
    world.calls(3)
    world.health.circuits.isolate("a")
    assert world.calls(5) == "b" * 5
    assert world.health.evidence("a", world.now).state == "isolated"
    world.health.circuits.restore("a", world.now)
    answered = world.calls(100, every=0.001)
    assert answered.count("a") in (4, 5, 6)
    assert world.health.evidence("a", world.now).state == "ramp"
    assert world.told()[0] == "isolated"


@pytest.mark.parametrize("fail_back", ["sticky", "manual"])
def test_calls_stay_where_they_went(fail_back: str) -> None:
    """They return when an operator says so; `sticky` also when that target fails."""
    world = opened(World(fail_back=fail_back))
    world.answers.clear()
    world.now += 1000.0
    assert world.calls(20) == "b" * 20
    assert world.call().attempts[0].reason in ("stays", "first_is_out")
    if fail_back == "manual":
        assert world.state("a") is CircuitState.OPEN
    world.health.circuits.restore("a", world.now)
    world.now += 100.0
    answered = world.calls(200, every=1.0)
    assert answered.endswith("aaa")


def test_a_sticky_target_that_fails_is_left() -> None:
    """For the first of the order that is well."""
    world = opened(World("ab", fail_back="sticky"))
    world.answers = {"b": Outcome.NOT_SENT}
    world.now += 1000.0
    world.calls(40)
    assert world.calls(5, every=1.0)[-1] == "a"


def test_calls_that_may_go_to_one_target_only_speak_for_no_others() -> None:
    """Keyed calls, data and calls that are narrowed do not move a sticky group."""
    world = opened(World(fail_back="sticky"))
    world.answers.clear()
    world.now += 1000.0
    assert world.calls(3) == "bbb"
    load = Load("t", Key(("id",), ("1",)))
    assert world.call(load).target == "a"
    assert world.call(KEYED).target == "a"
    execution = execute(world.core, HARMLESS, world.now, 10.0, ("a",))
    (command,) = next(execution)
    assert command.target == "a"
    assert world.health.circuits.current == {("a", "b"): "b"}
    assert world.calls(3) == "bbb"


def test_weights_keep_a_share_elsewhere() -> None:
    """Exactly so many, spread evenly; unsafe calls too."""
    world = World("abc", weights={"b": 0.05, "c": 0.02})
    answered = world.calls(1000, UNSAFE, every=0.001)
    assert [answered.count(each) for each in "abc"] == [930, 50, 20]
    assert SPREAD < 1
    assert World(weights={"b": 0.05}).calls(40, KEYED) == "a" * 40
    assert World(weights={"a": 0.5}).calls(40) == "a" * 40, "it is the preferred one anyway"


def test_a_group_has_its_own_targets() -> None:
    """Whatever the order says."""
    world = World("abc", groups={("invoke", "f"): TargetGroup(("c", "b"))})
    assert world.calls(3) == "ccc"
    assert world.calls(3, OTHER) == "aaa"
    world.answers["c"] = Outcome.NOT_SENT
    assert world.calls(3) == "bbb"


# What is remembered.


def test_circuits_are_forgotten_the_oldest_first() -> None:
    """There are never more than the policy allows, whatever is called."""
    world = World("a", policy=DEFAULT._replace(most_circuits=16))
    for number in range(100):
        world.call(HARMLESS._replace(function=f"f{number}"))
        world.now += 1.0
    assert len(world.health.circuits) <= 17
    assert ("a", "invoke", "f99") in world.health.circuits
    assert ("a", "invoke") in world.health.circuits


def test_an_open_circuit_is_not_forgotten_for_want_of_use() -> None:
    """Until its time is over: nothing else keeps calls from a target that is out for long."""
    world = World(policy=DEFAULT._replace(most_circuits=16))
    world.answers["a"] = Outcome.UNUSABLE
    world.calls(1)
    world.answers.clear()
    for number in range(60):
        world.call(HARMLESS._replace(function=f"g{number}"))
        world.now += 0.1
    assert world.call().target == "b"
    world.now += 2 * DEFAULT.hold_unusable
    for number in range(60):
        world.call(HARMLESS._replace(function=f"h{number}"))
        world.now += 0.1
    assert len(world.health.circuits) <= 16 + 2
    assert ("a", "invoke", "f") not in world.health.circuits


def test_a_child_begins_without_what_only_its_parent_has() -> None:
    """Attempts and probes in flight, and events that the parent tells."""
    world = healed(opened(World()))
    world.health.start("a", HARMLESS, world.now)
    world.circuit("a").leased_until = 1e9
    world.health.begin_in_child()
    assert not world.health.outbox
    assert all(not each.unanswered for each in world.health.circuits.values())
    assert all(not each.leased_until for each in world.health.circuits.values())


def test_decisions_are_explained() -> None:
    """In words, with every attempt; a call that went well at once is not remembered."""
    world = World()
    world.call()
    assert "went well at once" in explain(world.health.history, world.health.calls, 1)
    assert "No call has the number 7" in explain(world.health.history, world.health.calls, 7)
    assert "No call has the number 0" in explain(world.health.history, world.health.calls, 0)
    world.answers = {"a": Outcome.NOT_SENT, "b": Outcome.AUTH}
    world.call()
    text = explain(world.health.history, world.health.calls, 2)
    assert "Call 2: invoke 'f'." in text
    assert text.count("attempt") >= 3
    assert "at b, because the call was free to go to the next target" in text
    assert "It ended there: auth is a final answer." in text
    assert text.endswith("\n")
