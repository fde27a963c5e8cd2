"""Old backups go, what others need stays, and a backup that is made meanwhile is whole."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from leeward import InvalidRequest, Promise
from leeward.adapter import WrappingDriver
from leeward.calls import Call, Result
from leeward.testing import FakeClock
from tests.backup.conftest import World

DAY = 24 * 3600.0
ITEMS = 3


def _changed(world: World, client: Any, n: int) -> str:
    """Change one item, and back up; return the id."""
    world.clock.advance(DAY)
    client.store_data("orders", {"id": "order-0", "n": n})
    client.store_data("orders", {"id": "order-1"})
    return str(world.backups(client).create().id)


def _objects(client: Any, kind: str) -> list[str]:
    page = client.list_objects("backups", f"shop/orders/{kind}/")
    return [each.name for each in page.objects]


def test_old_backups_go_and_nothing_that_others_need(world: World) -> None:
    """The latest stay, and young ones; each that stays can be restored."""
    client = world.client()
    ids = [_changed(world, client, n) for n in range(6)]
    backups = world.backups(client)
    told = backups.prune(keep=2, days=2.5, dry_run=True)
    assert (told.backups, told.kept, told.segments) == ((*ids[:3],), (*ids[3:],), 3)
    assert len(backups.list()) == 6
    assert len(_objects(client, "segments")) == 7
    assert backups.prune(keep=2, days=2.5) == told
    assert [each.id for each in backups.list()] == ids[3:]
    assert len(_objects(client, "segments")) == 4
    assert _objects(client, "prunes") == []
    for id in ids[3:]:
        assert backups.check(id, deep=True).findings == ()
    assert backups.prune(keep=1).kept == (ids[5],)
    assert backups.drill().promise is Promise.VERIFIED
    assert world.leftovers == []


def test_what_a_killed_backup_has_left_goes_too(world: World) -> None:
    """Segments without a backup, and what a crashed prune has left; but no file of others."""
    client = world.client()
    _changed(world, client, 1)
    name = f"segments/00-{'ab' * 32}.jsonl.gz"
    client.put_object("backups", f"shop/orders/{name}", b"left")
    theirs = "shop/orders/segments/README.txt"
    client.put_object("backups", theirs, b"theirs")
    client.put_object("backups", "shop/orders/prunes/20260101T000000000Z-x.json", b'["segments/x"]')
    pruned = world.backups(client).prune(keep=1)
    assert (pruned.backups, pruned.segments, pruned.bytes) == ((), 1, 4)
    assert theirs in _objects(client, "segments")
    assert _objects(client, "prunes") == []
    assert world.backups(client).check(deep=True).findings == ()


def test_no_segment_goes_while_nobody_knows_what_a_backup_needs(world: World) -> None:
    """Backups go, and the one that cannot be read is named, by list and prune."""
    client = world.client()
    ids = [_changed(world, client, n) for n in range(3)]
    names = _objects(client, "manifests")
    client.put_object("backups", names[1], b"{}")
    backups = world.backups(client)
    assert [bool(each.wrong) for each in backups.list()] == [False, True, False]
    pruned = backups.prune(keep=1)
    assert (pruned.backups, pruned.kept, pruned.segments) == ((ids[0],), (ids[2],), 0)
    assert [ids[1] in each for each in pruned.wrong] == [True]
    assert len(_objects(client, "segments")) == 4
    client.delete_object("backups", names[1])
    assert backups.prune(keep=1).segments == 2


@pytest.mark.parametrize(("more", "field"), [({"keep": 0}, "keep"), ({"days": -1}, "days")])
def test_a_policy_that_keeps_none_is_refused(world: World, more: Any, field: str) -> None:
    """The last backup always stays."""
    with pytest.raises(InvalidRequest) as refused:
        world.backups(world.client()).prune(**more)
    assert refused.value.field == field


class Turns:
    """Lets a prune on another thread do one step at a time."""

    def __init__(self) -> None:
        self.steps = threading.Semaphore(0)
        self.waits = threading.Event()
        self.error: BaseException | None = None

    def take(self) -> None:
        """Wait for the next turn."""
        self.waits.set()
        assert self.steps.acquire(timeout=30)

    def give(self, steps: int, thread: threading.Thread) -> None:
        """Let the thread do some steps, and wait until it has done them, or has ended."""
        for _ in range(steps):
            if not thread.is_alive():
                return
            self.waits.clear()
            self.steps.release()
            while not self.waits.wait(0.001) and thread.is_alive():
                pass


class InTurns(WrappingDriver):
    """Waits for its turn before each call."""

    def __init__(self, driver: Any, turns: Turns) -> None:
        super().__init__(driver)
        self._turns = turns

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        self._turns.take()
        return super().perform(call, timeout)


class Interrupted(WrappingDriver):
    """Does something before one of its calls."""

    def __init__(self, driver: Any, at: int, do: Any) -> None:
        super().__init__(driver)
        self._left = at
        self._do = do

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        self._left -= 1
        if self._left == -1:
            self._do()
        return super().perform(call, timeout)

    @property
    def is_over(self) -> bool:
        """Whether the call was met."""
        return self._left < 0


class Waiting(FakeClock):
    """Lets others go on while somebody sleeps."""

    def __init__(self, world: World, do: Any) -> None:
        super().__init__(world.clock.now())
        self._do = do

    def sleep(self, seconds: float) -> None:
        """Wait."""
        super().sleep(seconds)
        self._do()


def _race(world: World, client: Any, at: int, steps: int) -> bool:
    """Begin a prune before a call of a backup; return whether that call was met.

    The backup needs a segment again that the prune is about to delete: an item is as it was.
    """
    for n in (2, 1):
        world.clock.advance(DAY)
        client.store_data("orders", {"id": "order-0", "n": n})
        if n == 2:
            world.backups(client).create()
    turns = Turns()

    def in_turns(driver: Any) -> Any:
        return InTurns(driver, turns)

    def prune() -> None:
        world.backups(world.client(in_turns)).prune(keep=1)

    def begin() -> None:
        thread.start()
        turns.waits.wait(30)
        turns.give(steps, thread)

    thread = threading.Thread(target=prune)
    made: list[Interrupted] = []

    def interrupted(driver: Any) -> Any:
        made.append(Interrupted(driver, at, begin))
        return made[0]

    clock, world.clock = world.clock, Waiting(world, lambda: turns.give(3, thread))
    backup = world.backups(world.client(interrupted)).create()
    world.clock = clock
    if made[0].is_over:
        turns.give(99, thread)
        thread.join(30)
    assert not thread.is_alive()
    assert world.backups(client).check(backup.id, deep=True).findings == ()
    assert _objects(client, "prunes") == []
    return made[0].is_over


@pytest.mark.parametrize("steps", [3, 6, 8, 99])
def test_a_backup_that_is_made_during_a_prune_is_whole(world: World, steps: int) -> None:
    """Whenever the prune begins, and however far it comes before the backup goes on."""
    client = world.client()
    _changed(world, client, 1)
    met = 0
    while _race(world, client, met, steps):
        met += 1
    assert met >= 8
