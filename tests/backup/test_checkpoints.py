"""A backup in pieces: each run does what fits its time, anywhere, and the last one commits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leeward import Client, ObjectInfo
from leeward.adapter import Call, Result, WrappingDriver
from leeward_backup import Backups, checkpoints, tables
from leeward_backup.values import Backup, BackupError, OtherRun, Progress
from tests.backup.conftest import World
from tests.backup.test_crashes import Killed, Killing, Steps

ID = "nightly-20260101T0000Z"
ITEMS = 5
FEW = 2


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a scan have some pages."""
    monkeypatch.setattr(tables, "FIRST_PAGE", 2)
    monkeypatch.setattr(tables, "LARGEST_PAGE", 2)


@pytest.fixture
def client(world: World) -> Client:
    """Give a client whose table has items."""
    client = world.client()
    for n in range(ITEMS):
        client.store_data("orders", {"id": f"order-{n}"})
    return client


def here(world: World, client: Client, number: int, **more: Any) -> Backups:
    """Return the backups as another machine sees them: with a disk of its own."""
    return world.backups(client, work=world.folder / f"work-{number}", **more)


def checkpoints_of(client: Client) -> list[str]:
    """Return the checkpoints that are in the bucket."""
    listed = client.list_objects("backups", "shop/orders/runs/").objects
    return [each.name.rpartition("/")[2] for each in listed]


def segments_of(client: Client) -> tuple[ObjectInfo, ...]:
    """Return the segments that are in the bucket."""
    return client.list_objects("backups", "shop/orders/segments/").objects


def finished(world: World, client: Client, **more: Any) -> tuple[Backup, int]:
    """Run with no time at all, each time on another machine, until the backup is there."""
    for number in range(1, 400):
        made = here(world, client, number, **more).create_within(0.0, id=ID)
        if made is not None:
            return made, number
    raise AssertionError("it gets nowhere")


def test_a_run_gets_on_by_a_page_and_goes_on_anywhere(world: World, client: Client) -> None:
    """With no time and an empty disk each time; in the end it is the backup of one run."""
    made, runs = finished(world, client)
    assert runs > ITEMS // 2
    assert (made.id, made.items) == (ID, ITEMS)
    assert here(world, client, 0).check(ID, deep=True).findings == ()
    assert checkpoints_of(client) == []
    whole = world.backups(client).create()
    assert (whole.items, whole.uploaded) == (ITEMS, 0)


def test_a_second_delivery_returns_the_same_backup(world: World, client: Client) -> None:
    """Though the table has changed, and much later; nothing is written."""
    made, _ = finished(world, client)
    client.store_data("orders", {"id": "late"})
    world.clock.advance(40 * 3600)
    assert here(world, client, 500).create_within(60.0, id=ID) == made
    assert [each.id for each in here(world, client, 501).list()] == [ID]
    assert checkpoints_of(client) == []


def test_of_two_runs_one_gives_way(world: World, client: Client) -> None:
    """It had the same part to write; the other one goes on."""
    assert here(world, client, 1).create_within(0.0, id=ID) is None

    def overtake(_: Progress) -> None:
        if len(checkpoints_of(client)) == 2:
            assert here(world, client, 3).create_within(0.0, id=ID) is None

    late = here(world, client, 2, look=overtake)
    with pytest.raises(OtherRun, match="another run of this backup has written"):
        late.create_within(0.0, id=ID)
    assert finished(world, client)[0].items == ITEMS


def test_checkpoints_of_two_runs_are_not_taken_for_those_of_one(
    world: World, client: Client
) -> None:
    """Of two that began at once one may have removed what the other had; none has all of both."""
    for n in range(ITEMS, 2 * ITEMS):
        client.store_data("orders", {"id": f"order-{n}"})
    for number in range(3):
        assert here(world, client, number).create_within(0.0, id=ID) is None
    world.clock.advance(1)
    other = Backups(client, "orders", "backups/other", work=world.folder / "elsewhere")
    assert other.create_within(0.0, id=ID) is None
    first, second = checkpoints_of(client)[:2]

    def replace(name: str) -> None:
        """Put the part of the other run there that has nothing read yet."""
        theirs = client.get_object("backups", f"other/orders/runs/{ID}/{first}")
        assert theirs is not None
        client.put_object("backups", f"shop/orders/runs/{ID}/{name}", theirs.read())

    replace(first)  # which has no rows: no reason to begin anew
    assert here(world, client, 3).create_within(0.0, id=ID) is None
    assert len(checkpoints_of(client)) == 5
    replace(second)
    made = here(world, client, 4).create_within(60.0, id=ID)
    assert made is not None
    assert made.items == 2 * ITEMS


@pytest.mark.parametrize("kind", ["manifests", "runs"])
def test_a_run_that_ends_while_another_one_begins_leaves_one_backup(
    kind: str, world: World, client: Client
) -> None:
    """Whatever that has looked at by then: the backups that are there, or the checkpoints."""

    class Slow(WrappingDriver):
        def perform(self, call: Call, timeout: float) -> Result[Any]:
            result = super().perform(call, timeout)
            if call.verb == "list_objects" and f"/{kind}/" in call.prefix and not ended:
                world.clock.advance(1)
                ended.append(finished(world, client))
            return result

    ended: list[Any] = []
    assert here(world, client, 1).create_within(0.0, id=ID) is None
    late = here(world, world.client(Slow), 500)
    assert late.create_within(60.0, id=ID) is not None
    assert [each.id for each in late.list()] == [ID]
    assert checkpoints_of(client) == []


def test_a_run_that_is_killed_anywhere_is_gone_on_with(world: World) -> None:
    """Before and after each write, then on another machine: one backup, and no part is left."""
    met, client = 0, world.client()
    for n in range(FEW):
        client.store_data("orders", {"id": f"order-{n}"})
    for step in range(200):
        steps, id = Steps(step), f"{ID}-{step}"
        killed = world.client(partial(Killing, steps=steps))
        run = Backups(killed, "orders", f"backups/at-{step}", work=world.folder / f"k-{step}")
        again = Backups(client, "orders", f"backups/at-{step}", work=world.folder / f"l-{step}")
        try:
            while run.create_within(0.0, id=id) is None:
                pass
        except Killed:
            met += 1
        else:
            break
        finally:
            killed.close()
        while (made := again.create_within(0.0, id=id)) is None:
            pass
        assert made.items == FEW
        assert again.check(id, deep=True).findings == ()
        assert [each.id for each in again.list()] == [id]
        assert client.list_objects("backups", f"at-{step}/orders/runs/").objects == ()
    assert met > 12


def test_checkpoints_are_encrypted_and_read_with_distrust(
    world: World, client: Client, tmp_path: Path
) -> None:
    """Nobody else reads an item in them; one that was changed is named."""
    key = tmp_path / "key"
    key.write_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    key.chmod(0o600)
    for number in range(3):
        assert here(world, client, number, key_file=key).create_within(0.0, id=ID) is None
    names = [each.name for each in client.list_objects("backups", "shop/orders/runs/").objects]
    stored = [client.get_object("backups", name) for name in names]
    assert not any(b"order-" in each.read() for each in stored if each is not None)
    client.delete_object("backups", names[1])
    client.put_object("backups", names[1], b"something else")
    with pytest.raises(BackupError, match=f"{names[1]}: .*; remove it"):
        here(world, client, 9, key_file=key).create_within(0.0, id=ID)
    client.delete_object("backups", names[1])
    assert finished(world, client, key_file=key)[0].items == ITEMS


def test_what_a_killed_run_has_read_and_not_kept_yet_is_read_again(
    world: World, client: Client
) -> None:
    """Its disk has it and the bucket has not; the run that goes on there must not step over it."""
    for n in range(ITEMS, 3 * ITEMS):
        client.store_data("orders", {"id": f"order-{n}"})

    def die(step: Progress) -> None:
        if step.done > 3:
            raise Killed

    with pytest.raises(Killed):
        here(world, client, 1, look=die).create_within(60.0, id=ID)
    assert here(world, client, 1).create_within(0.0, id=ID) is None
    made = here(world, client, 2).create_within(60.0, id=ID)
    assert made is not None
    assert made.items == 3 * ITEMS


def test_a_page_of_large_items_is_kept_in_several_checkpoints(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that is too large could not be read again."""
    monkeypatch.setattr(tables, "LARGEST_PAGE", 500)
    monkeypatch.setattr(checkpoints, "MOST_ROW_BYTES", 1000)
    monkeypatch.setattr(checkpoints, "_SPLIT", 1500)
    monkeypatch.setattr(checkpoints, "_MOST", 2000)
    for n in range(100):
        client.store_data("orders", {"id": f"large-{n}", "text": "x" * 100})

    def die(step: Progress) -> None:
        if step.step == "upload":
            raise Killed

    with pytest.raises(Killed):
        here(world, client, 1, look=die).create_within(60.0, id=ID)
    made = here(world, client, 2).create_within(60.0, id=ID)
    assert made is not None
    assert made.items == ITEMS + 100
    assert here(world, client, 0).check(ID, deep=True).findings == ()


def test_a_rate_is_kept_by_a_run_that_ends_in_time(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that takes longer than the run would be read again by each next one, for ever."""
    monkeypatch.setattr(tables, "FIRST_PAGE", 10)
    monkeypatch.setattr(tables, "LARGEST_PAGE", 500)
    for n in range(ITEMS, 30):
        client.store_data("orders", {"id": f"order-{n}"})
    begun, runs = world.clock.now(), 0
    while (made := here(world, client, runs).create_within(5.0, id=ID, rate=2.0)) is None:
        runs += 1
        assert world.clock.now() - begun <= 6.0 * runs
    assert made.items == 30
    assert world.clock.now() - begun + runs >= 30 / 2.0


def test_a_run_waits_for_a_prune_no_longer_than_it_may_take(world: World, client: Client) -> None:
    """One that has crashed counts for two hours, and no function runs for so long."""
    made, _ = finished(world, client)
    named = json.dumps([each.name.removeprefix("shop/orders/") for each in segments_of(client)])
    started = datetime.fromtimestamp(world.clock.now(), UTC)
    prune = f"shop/orders/prunes/{started:%Y%m%dT%H%M%S}000Z-crashed.json"
    client.put_object("backups", prune, named.encode())
    begun, id = world.clock.now(), "later-20260101T0000Z"
    for number in range(1, 4):
        assert here(world, client, number).create_within(60.0, id=id) is None
    assert 3 * 60 <= world.clock.now() - begun < 3 * 65
    client.delete_object("backups", segments_of(client)[0].name)
    world.backups(
        client
    ).prune()  # which leaves the checkpoints: what is lost has to be made of them
    world.clock.advance(7200)
    again = here(world, client, 5).create_within(60.0, id=id)
    assert again is not None
    assert (again.id, again.items) == (id, made.items)
    assert here(world, client, 6).check(id, deep=True).findings == ()
    assert checkpoints_of(client) == []


def test_a_prune_removes_what_nobody_goes_on_with(world: World, client: Client) -> None:
    """Parts of a backup that is there, and those of a run of the day before; not younger ones."""
    backups = world.backups(client)
    made = backups.create()
    assert here(world, client, 1).create_within(0.0, id=ID) is None
    old = client.get_object("backups", "shop/orders/runs/" + f"{ID}/000000.jsonl.gz")
    assert old is not None
    client.put_object("backups", f"shop/orders/runs/{made.id}/000000.jsonl.gz", old.read())
    backups.prune()
    assert len(checkpoints_of(client)) == 2
    world.clock.advance(24 * 3600)
    backups.prune()
    assert checkpoints_of(client) == []
    assert finished(world, client)[0].id == ID
