"""Backups and exports of a service's own: started once, and waited for."""

from __future__ import annotations

from typing import Any

import pytest

from leeward import LeewardError, OutcomeUnknown, Unsupported
from leeward.adapter import WrappingDriver
from leeward.calls import Call, NativeJob, Result, StartNative
from leeward.errors import Outcome
from leeward_backup import BackupError
from tests.backup.conftest import World


class Service(WrappingDriver):
    """A target whose service answers as told."""

    def __init__(self, driver: Any, *answers: Result[Any]) -> None:
        super().__init__(driver)
        self.calls: list[Any] = []
        self._answers = list(answers)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        wanted: Any = call
        if wanted.verb not in ("start_native", "look_native"):
            return super().perform(call, timeout)
        self.calls.append(wanted)
        return self._answers.pop(0)


def _made(world: World, *answers: Result[Any], export: str | None = None) -> tuple[Any, Service]:
    services: list[Service] = []

    def wrap(driver: Any) -> Service:
        services.append(Service(driver, *answers))
        return services[0]

    client = world.client(wrap)
    return world.backups(client).native(export=export), services[0]


def test_an_export_is_started_once_and_waited_for(world: World) -> None:
    """With longer and longer pauses, and its progress is shown."""
    running = [Result.ok(NativeJob("e1", "running", n, 10)) for n in range(12)]
    started = world.clock.now()
    done = Result.ok(NativeJob("e1", "done", 10, 10, "there"))
    made, service = _made(world, *running, done, export="exports/at/shop")
    assert made == NativeJob("e1", "done", 10, 10, "there")
    (start, *looks) = service.calls
    assert isinstance(start, StartNative)
    assert (start.table, start.kind, start.bucket, start.prefix) == (
        *("orders", "export", "exports", "at/shop"),
    )
    assert {each.id for each in looks} == {"e1"}
    assert [each.done for each in world.steps] == [*range(12)]
    assert 150 < world.clock.now() - started < 200


def test_one_that_fails_says_why(world: World) -> None:
    """In the service's own words."""
    with pytest.raises(BackupError, match="the backup b1 has failed: no room"):
        _made(world, Result.ok(NativeJob("b1", "failed", told="no room")))


def test_an_answer_that_is_lost_starts_no_second_one(world: World) -> None:
    """It may have been started: where to look is said."""
    with pytest.raises(OutcomeUnknown, match="own list of backups and exports"):
        _made(world, Result(Outcome.AMBIGUOUS))
    with pytest.raises(LeewardError, match="was refused"):
        _made(world, Result(Outcome.UNUSABLE, code="NoRecovery"))


def test_a_target_without_such_a_service_says_so(world: World) -> None:
    """An embedded one has none."""
    with pytest.raises(Unsupported, match="does no start_native"):
        world.backups(world.client()).native()
