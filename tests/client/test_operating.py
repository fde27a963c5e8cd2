"""What an operator does with a client, and what callers are told when targets are out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leeward import (
    AllTargetsUnavailable,
    AsyncClient,
    Client,
    Config,
    HomeUnavailable,
    InvalidRequest,
    TargetUnavailable,
)
from leeward.calls import Call, Result
from leeward.config import GroupConfig, TableConfig
from leeward.errors import ConfigError, Outcome
from leeward.testing import FakeClock
from leeward.values import Event
from tests.scripted import NOT_SENT, OK, Scripted


class Programmed(Scripted):
    """A driver that answers by a rule instead of a script."""

    def __init__(self, target: str, rule: Any = None) -> None:
        super().__init__(target)
        self.rule = rule

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        said = self.rule(call) if self.rule else None
        return result if said is None else said


def client(*drivers: Scripted, **config: Any) -> Client:
    return Client(drivers, config=Config(data_target="a", **config), clock=FakeClock())


def test_one_call_is_narrowed() -> None:
    """To the targets named, in their order; both clients, every verb that may move."""
    a, b = Scripted("a"), Scripted("b")
    with client(a, b) as cloud:
        assert cloud.invoke("f", targets="b").target == "b"
        assert cloud.enqueue("f", targets=["b", "a"]).target == "b"
        assert cloud.invoke("f").target == "a"
    events = Scripted("a", Result.ok((OK,))), Scripted("b", Result.ok((OK,)), Result.ok((OK,)))
    with client(*events) as cloud:
        assert cloud.publish_event("bus", "t", targets="b").target == "b"
        assert cloud.publish_events("bus", [Event("t")], targets="b").entries[0].target == "b"

    async def job() -> None:
        drivers = Scripted("a"), Scripted("b", OK, OK, Result.ok((OK,)), Result.ok((OK,)))
        async with AsyncClient(drivers, config=Config(data_target="a")) as cloud:
            assert (await cloud.invoke("f", targets="b")).target == "b"
            assert (await cloud.enqueue("f", targets="b")).target == "b"
            assert (await cloud.publish_event("bus", "t", targets="b")).target == "b"
            report = await cloud.publish_events("bus", [Event("t")], targets="b")
            assert report.entries[0].target == "b"

    asyncio.run(job())


def test_isolated_targets_say_so() -> None:
    """A call that may go nowhere else is not sent; restoring ends it."""
    with client(Scripted("a"), Scripted("b")) as cloud:
        cloud.isolate("a")
        assert cloud.invoke("f").target == "b"
        assert [each.state for each in cloud.targets()] == ["isolated", "closed"]
        with pytest.raises(HomeUnavailable, match="isolated by hand"):
            cloud.load_data("t", "1")
        cloud.isolate("b")
        with pytest.raises(TargetUnavailable, match="restore a target") as caught:
            cloud.invoke("f")
        assert (caught.value.reason, caught.value.attempts) == ("isolated", ())
        cloud.restore("a")
        cloud.restore("b")
        assert cloud.load_data("t", "1") is None


def test_all_down_is_told_at_once() -> None:
    """With the seconds after which it is worth calling again; data names its home."""
    clock = FakeClock()
    drivers = Programmed("a", lambda call: NOT_SENT), Programmed("b", lambda call: NOT_SENT)
    with Client(drivers, config=Config(data_target="a"), clock=clock) as cloud:
        for _ in range(60):
            clock.advance(0.2)
            with pytest.raises(TargetUnavailable):
                cloud.invoke("f", timeout=1.0)
        while True:  # a probe may be under way
            with pytest.raises(TargetUnavailable) as caught:
                cloud.invoke("f", timeout=1.0)
            if not caught.value.attempts:
                break
        assert type(caught.value) is AllTargetsUnavailable
        assert "every target that may serve it is down" in str(caught.value)
        assert (caught.value.retry_after or 0) > 0
        for _ in range(40):
            clock.advance(0.2)
            with pytest.raises(HomeUnavailable):
                cloud.load_data("t", "1", timeout=1.0)
        (circuit, *_) = cloud.targets()[0].circuits
        assert circuit.state in ("open", "half_open")


def test_decisions_can_be_asked_for() -> None:
    """By the id that every attempt carries."""
    with client(Scripted("a", NOT_SENT, NOT_SENT), Scripted("b")) as cloud:
        told: list[str] = []
        cloud.listen(lambda event: told.append(event.name))
        result = cloud.invoke("f")
        assert [each.reason for each in result.attempts] == ["first", "again", "moved"]
        assert "at b" in cloud.explain(result.attempts[-1].call_id)
        assert told == ["retry", "failover"]


def test_a_target_can_be_probed() -> None:
    """One without a probe says so; one that fails says why."""

    class Probed(Scripted):
        probe_fidelity = "data_plane"

        def probe(self, timeout: float) -> Result[Any]:
            return Result(Outcome.NOT_SENT, code="away")

        def places(self) -> tuple[int, int]:
            return 3, 2

    with client(Scripted("a"), Probed("b")) as cloud:
        assert cloud.probe("a") == ("a", None, None, None)
        report = cloud.probe("b")
        assert (report.works, report.code) == (False, "away")
        a, b = cloud.targets()
        assert (a.in_flight, a.waiting) == (None, None)
        assert (b.in_flight, b.waiting) == (3, 2)


def test_what_is_configured_decides() -> None:
    """Groups, weights, the way back, health checks and snapshots of a `Config`."""
    config: dict[str, Any] = {
        "groups": {"g": GroupConfig(functions=("f",), targets=("b", "a"))},
        "weights": {"b": 50.0},
        "residency": {"a": "eu"},
        "tables": {"t": TableConfig(residency=("eu",))},
        "snapshot": "health",
    }
    with client(Scripted("a"), Scripted("b"), **config) as cloud:
        assert cloud.invoke("f").target == "b"
        served = [cloud.invoke("g").target for _ in range(20)]
        assert served.count("b") == 10
        assert [each.residency for each in cloud.targets()] == ["eu", None]
    with pytest.raises(ConfigError, match="another home"):
        client(Scripted("a"), tables={"t": TableConfig(residency=("us",))})


@pytest.mark.threat("S12")
def test_no_failure_takes_a_call_out_of_its_residency() -> None:
    """Neither a target that is down nor one that is named for one call."""
    abroad = Scripted("a")
    config: dict[str, Any] = {
        "groups": {"pay": GroupConfig(functions=("charge",), residency=("us",))},
        "residency": {"a": "eu", "b": "us"},
    }
    with client(abroad, Scripted("b", *[NOT_SENT] * 8), **config) as cloud:
        with pytest.raises(TargetUnavailable):
            cloud.invoke("charge")
        with pytest.raises(InvalidRequest, match="targets"):
            cloud.invoke("charge", targets="a")
        assert abroad.calls == []
        assert cloud.invoke("others").target == "a"
