"""A run is killed before and after everything that it writes, and the next one goes on."""

from __future__ import annotations

from typing import Any

import pytest

from leeward import LeewardError, Promise
from leeward.adapter import Call, Result, WrappingDriver
from leeward.clock import Clock
from leeward_backup import tables
from leeward_backup.checkpoints import WorkFile
from tests.backup.conftest import World

ITEMS = 4
MOST_STEPS = 200


class Killed(BaseException):
    """The process ends here."""


class Steps:
    """Counts what is written, and kills at one step."""

    def __init__(self, last: int) -> None:
        self.left = last

    def take(self) -> None:
        """Do a step, or be killed."""
        self.left -= 1
        if self.left < 0:
            raise Killed


class Killing(WrappingDriver):
    """Is killed before or after a write reaches the target."""

    def __init__(self, driver: Any, steps: Steps, puts: list[str] | None = None) -> None:
        super().__init__(driver)
        self._steps = steps
        self.puts = [] if puts is None else puts

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        writes = call.verb in ("store", "put_object", "delete_object", "scan")
        if writes:
            self._steps.take()
        result = super().perform(call, timeout)
        if call.verb == "put_object":
            self.puts.append(call.name)
        if writes:
            self._steps.take()
        return result


def _killed_at(world: World, step: int, monkeypatch: pytest.MonkeyPatch, run: Any) -> bool:
    """Run until it is killed at a step; return whether it was."""
    steps = Steps(step)
    note = WorkFile.note

    def counted(self: WorkFile, *args: Any) -> None:
        steps.take()
        note(self, *args)
        steps.take()

    with monkeypatch.context() as patch:
        patch.setattr(WorkFile, "note", counted)
        client = world.client(lambda driver: Killing(driver, steps))
        try:
            run(world.backups(client))
        except Killed:
            return True
        finally:
            client.close()
    return False


def test_a_backup_that_was_killed_is_gone_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each step: then there is no backup, or a whole one; and little is uploaded again."""
    monkeypatch.setattr(tables, "FIRST_PAGE", 1)
    monkeypatch.setattr(tables, "LARGEST_PAGE", 2)
    client = world.client()
    for n in range(ITEMS):
        client.store_data("orders", {"id": f"order-{n}"})
    world.backups(client).create()
    puts: list[str] = []

    def counting(driver: Any) -> Any:
        return Killing(driver, Steps(999), puts)

    met = 0
    for step in range(MOST_STEPS):
        world.clock.advance(10)
        for n in range(2):
            client.store_data("orders", {"id": f"order-{n}", "n": step})
        before = {each.id for each in world.backups(client).list()}
        if not _killed_at(world, step, monkeypatch, lambda backups: backups.create(rate=1)):
            break
        met += 1
        half = [each for each in world.backups(client).list() if each.id not in before]
        assert [each.items for each in half] in ([], [ITEMS])
        puts.clear()
        backup = world.backups(world.client(counting)).create()
        assert half in ([], [backup])
        assert len(puts) <= 4
        assert world.leftovers == []
        assert world.backups(client).check(backup.id, deep=True).findings == ()
        into = f"again-{step}"
        assert world.backups(client).restore(backup.id, into=into).promise is Promise.VERIFIED
    assert met > 10


def test_a_restore_that_was_killed_is_gone_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each step: the table ends with exactly the items, though it was not empty any more."""
    client = world.client()
    for n in range(ITEMS):
        client.store_data("orders", {"id": f"order-{n}"})
    backup = world.backups(client).create()
    met = 0
    for step in range(MOST_STEPS):
        into = f"again-{step}"

        def run(backups: Any, into: str = into) -> None:
            backups.restore(into=into, parallel=1)

        if not _killed_at(world, step, monkeypatch, run):
            break
        met += 1
        restored = world.backups(client).restore(backup.id, into=into)
        assert (restored.promise, restored.found) == (Promise.VERIFIED, ITEMS)
        assert world.leftovers == []
    assert met > 10


def test_a_run_that_failed_long_ago_is_begun_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has read is too old to be part of a backup of today."""
    client = world.client()
    for n in range(ITEMS):
        client.store_data("orders", {"id": f"order-{n}"})
    assert _killed_at(world, 6, monkeypatch, lambda backups: backups.create())
    assert world.leftovers
    client.delete_data("orders", "order-1")
    world.clock.advance(2 * 24 * 3600)
    assert world.backups(client).create().items == ITEMS - 1


def test_an_outage_in_the_middle_is_told_and_gone_on_with(world: World) -> None:
    """As an error of the call; the backup is made by the next run."""
    client = world.client()
    for n in range(ITEMS):
        client.store_data("orders", {"id": f"order-{n}"})

    class Failing(Killing):
        def perform(self, call: Call, timeout: float) -> Result[Any]:
            if call.verb == "put_object" and len(self.puts) == 2:
                raise OSError("the network is gone")
            return super().perform(call, timeout)

    failing = world.client(lambda driver: Failing(driver, Steps(10_000)))
    with pytest.raises(LeewardError):
        world.backups(failing).create()
    assert world.backups(client).list() == ()
    assert world.backups(client).create().items == ITEMS


def test_a_throttled_scan_waits(world: World) -> None:
    """As long as the target says, and goes on with the same page."""
    client = world.client()
    for n in range(ITEMS):
        client.store_data("orders", {"id": f"order-{n}"})
    told: list[float] = []

    class Busy(Killing):
        def perform(self, call: Call, timeout: float) -> Result[Any]:
            from leeward import Outcome

            if call.verb == "scan" and len(told) < 9:
                told.append(clock.now())
                return Result(Outcome.REJECTED, retry_after=20.0)
            return super().perform(call, timeout)

    clock: Clock = world.clock
    busy = world.client(lambda driver: Busy(driver, Steps(10_000)))
    assert world.backups(busy).create().items == ITEMS
    assert told[-1] - told[0] >= 60
