"""Backups of an embedded table: created, found damaged, restored and proved."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leeward import InvalidRequest, LeewardError, Promise
from leeward_backup import BackupError
from leeward_backup.lines import key_text
from leeward_backup.manifest import bucket_of
from leeward_contract_tests.contracts.exact import NASTY_ITEMS, ODD_KEYS, exact
from leeward_contract_tests.fixtures import PAIR
from tests.backup.conftest import START, Counting, World

ITEMS = 40


def _fill(client: Any, table: str = "orders", items: int = ITEMS) -> None:
    for n in range(items):
        client.store_data(table, {"id": f"order-{n}", "n": n, "total": Decimal("9.90")})


def _key_file(folder: Path, name: str = "key", text: str = "00" * 32) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("encrypted", [False, True])
def test_what_was_backed_up_is_restored_and_verified(world: World, encrypted: bool) -> None:
    """The nasty items and keys, exactly, into another table; nothing is left on the disk."""
    client = world.client()
    stored = {}
    for n, item in enumerate(NASTY_ITEMS.values()):
        stored[f"item-{n}"] = {**item, "id": f"item-{n}"}
    for key in ODD_KEYS:
        stored[key] = {"id": key}
    for item in stored.values():
        client.store_data("orders", item)
    key_file = _key_file(world.folder) if encrypted else None
    backups = world.backups(client, key_file=key_file)
    backup = backups.create()
    assert (backup.items, backup.consistency) == (len(stored), "per_item")
    assert (backup.key_id is not None) is encrypted
    assert backups.check(deep=True).findings == ()
    restored = backups.restore(backup.id, into="again")
    assert (restored.promise, restored.why) == (Promise.VERIFIED, "")
    assert (restored.written, restored.found) == (len(stored), len(stored))
    for key, item in stored.items():
        record = client.load_data("again", key)
        assert record is not None
        assert exact(record.item) == exact(item)
    assert world.leftovers == []


def test_a_table_with_a_key_of_two_fields(world: World) -> None:
    """Is restored into one with the same fields, and into no other."""
    client = world.client()
    for n in range(9):
        client.store_data("pairs", {PAIR[0]: f"c{n % 3}", PAIR[1]: f"{n}"})
    backups = world.backups(client, "pairs")
    backups.create()
    assert backups.restore(into="others").promise is Promise.VERIFIED
    with pytest.raises(BackupError, match=r"set key in \[tables\.orders\]"):
        backups.restore(into="orders")


def test_a_backup_uploads_exactly_the_segments_in_which_an_item_changed(world: World) -> None:
    """Changed, added or deleted; and the backups before stay as they were."""
    puts: list[str] = []
    client = world.client(lambda driver: Counting(driver, puts))
    _fill(client)
    backups = world.backups(client)
    first = backups.create()
    assert (first.uploaded, first.parent) == (first.segments, None)
    puts.clear()
    assert backups.create().uploaded == 0
    assert [name.split("/")[2] for name in puts] == ["manifests", "heads"]
    client.store_data("orders", {"id": "order-3", "n": "changed"})
    client.store_data("orders", {"id": "order-new", "n": 1})
    client.delete_data("orders", "order-7")
    buckets = {bucket_of(key_text((key,))) for key in ("order-3", "order-new")}
    keys = [f"order-{n}" for n in range(ITEMS) if n != 7] + ["order-new"]
    left = {bucket_of(key_text((key,))) for key in keys}
    buckets |= {bucket_of(key_text(("order-7",)))} & left
    world.clock.advance(1)
    puts.clear()
    last = backups.create()
    assert len(puts) == len(buckets) + 2
    assert (last.uploaded, last.items) == (len(buckets), ITEMS)
    assert [each.items for each in backups.list()] == [ITEMS] * 3
    assert backups.restore(first.id, into="before").promise is Promise.VERIFIED
    assert backups.restore(into="after").promise is Promise.VERIFIED
    assert client.load_data("before", "order-7") is not None
    assert client.load_data("after", "order-7") is None


def test_a_run_that_is_repeated_makes_one_backup(world: World) -> None:
    """By its id, which a schedule gives: the second run returns the backup of the first one."""
    client = world.client()
    _fill(client, items=3)
    backups = world.backups(client)
    first = backups.create(id="nightly-1")
    client.store_data("orders", {"id": "order-0", "n": "changed"})
    world.clock.advance(5)
    assert backups.create(id="nightly-1") == first
    assert len(backups.list()) == 1


def test_an_id_names_one_backup_whatever_was_killed_before(world: World) -> None:
    """The work of another id, of this one on another machine, and of this one two days ago."""
    client = world.client()
    _fill(client, items=3)
    backups = world.backups(client)
    first = backups.create(id="first")

    def killed(id: str, name: str, **more: Any) -> None:
        def die(step: Any) -> None:
            if step.step == name:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            world.backups(client, look=die, **more).create(id=id)

    killed("second", "read")
    world.clock.advance(60)
    assert backups.create(id="first") == first
    assert len(backups.list()) == 1

    killed("third", "upload")
    world.clock.advance(60)
    third = world.backups(client, work=world.folder / "elsewhere").create(id="third")
    world.clock.advance(60)
    assert backups.create(id="third") == third
    assert [each.id for each in backups.list()] == ["first", "third"]


def test_a_killed_restore_into_a_table_that_was_emptied_begins_anew(world: World) -> None:
    """What the work file says was written is not there any more."""
    client = world.client()
    _fill(client)
    backups = world.backups(client)
    backups.create()

    def die(step: Any) -> None:
        if step.step == "write" and step.done > ITEMS // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.backups(client, look=die).restore(into="again")
    for n in range(ITEMS):
        client.delete_data("again", f"order-{n}")
    restored = backups.restore(into="again")
    assert (restored.promise, restored.written, restored.found) == (Promise.VERIFIED, ITEMS, ITEMS)


def _names(client: Any, kind: str) -> list[str]:
    page = client.list_objects("backups", f"shop/orders/{kind}/")
    return [each.name for each in page.objects]


def _held(client: Any, name: str) -> bytes:
    found = client.get_object("backups", name)
    assert found is not None
    return bytes(found.read())


def _rot(world: World, name: str, data: bytes) -> None:
    """Change the bytes of an object as a disk does, past everything that is kept of them."""
    with closing(sqlite3.connect(world.folder / "db.sqlite3")) as held, held:
        (id,) = held.execute("SELECT id FROM objects WHERE name = ?", (name,)).fetchone()
        held.execute("UPDATE pieces SET body = ? WHERE object = ?", (data, id))
        held.execute("UPDATE objects SET size = ? WHERE id = ?", (len(data), id))


def test_a_segment_that_is_damaged_or_lost_is_named(world: World) -> None:
    """By whichever check can, and nothing of the backup is restored."""
    client = world.client()
    _fill(client)
    backups = world.backups(client)
    backups.create()
    name = _names(client, "segments")[7]
    held = _held(client, name)

    _rot(world, name, held[:-9] + bytes([held[-9] ^ 1]) + held[-8:])
    assert backups.check().findings == ()  # it is there, and has its size
    (found,) = (each for each in backups.check(deep=True).findings if "multiset" not in each)
    assert f"{name}: it is damaged" in found
    with pytest.raises(BackupError, match=f"{name}: it is damaged"):
        backups.restore(into="again")

    _rot(world, name, held[:-1])
    assert [name in each for each in backups.check().findings] == [True]

    client.delete_object("backups", name)
    for deep in (False, True):
        found = backups.check(deep=deep).findings[0]
        assert f"{name}: it is lost" in found
    with pytest.raises(BackupError, match="lost"):
        backups.restore(into="again")
    assert client.load_data("again", "order-1") is None

    client.put_object("backups", name, held)
    assert backups.check(deep=True).findings == ()


def test_a_wrong_manifest_is_named(world: World) -> None:
    """One that was changed, and that of another backup."""
    client = world.client()
    _fill(client)
    backups = world.backups(client)
    backup = backups.create()
    (name,) = _names(client, "manifests")
    text = _held(client, name)
    client.put_object("backups", name, text.replace(b'"items":1', b'"items":2', 1))
    assert ["seal" in each for each in backups.check().findings] == [True]
    with pytest.raises(BackupError, match=name):
        backups.restore(into="again")
    (listed,) = backups.list()
    assert listed.id == backup.id
    assert "seal" in listed.wrong

    client.delete_object("backups", name)
    other = f"shop/orders/manifests/20200101T000000000Z-{backup.id}.json"
    client.put_object("backups", other, text)
    with pytest.raises(BackupError, match="another backup"):
        backups.restore(into="again")
    assert client.load_data("again", "order-1") is None


def test_segments_that_were_swapped_are_found(world: World) -> None:
    """By their digests, though each is a segment of this backup."""
    client = world.client()
    _fill(client)
    backups = world.backups(client)
    backups.create()
    one, other = _names(client, "segments")[:2]
    first, second = _held(client, one), _held(client, other)
    _rot(world, one, second)
    _rot(world, other, first)
    assert len([each for each in backups.check(deep=True).findings if "segment " in each]) == 2


def test_only_the_key_opens_an_encrypted_backup(world: World) -> None:
    """Nothing of the items is stored in the clear, nor a digest that shows who keeps the same."""
    client = world.client()
    client.store_data("orders", {"id": "order-1", "secret": "the weather"})
    mine = world.backups(client, key_file=_key_file(world.folder))
    mine.create()
    plain = world.backups(client)
    theirs = world.backups(client, key_file=_key_file(world.folder, "other", "11" * 32))
    for backups in (plain, theirs):
        with pytest.raises(BackupError, match="key"):
            backups.restore(into="again")
    assert mine.create().uploaded == 0
    assert plain.create().uploaded == 1
    page = client.list_objects("backups", "shop/orders/")
    held = [_held(client, each.name) for each in page.objects]
    assert not any(b"weather" in each for each in held)
    names = {each["name"] for each in _segments(client)}
    assert len({name[12:76] for name in names}) == 2


def _segments(client: Any) -> list[dict[str, str]]:
    page = client.list_objects("backups", "shop/orders/segments/")
    return [{"name": each.name.removeprefix("shop/orders/")} for each in page.objects]


def test_a_table_with_items_is_not_restored_into(world: World) -> None:
    """Unless that is asked for: items that are there stay, or are replaced, and no more is said."""
    client = world.client()
    _fill(client, items=3)
    backups = world.backups(client)
    backups.create()
    client.store_data("orders", {"id": "order-1", "n": "new"})
    client.delete_data("orders", "order-2")
    with pytest.raises(BackupError, match="holds items already"):
        backups.restore()
    assert backups.dry_run().findings == ("table 'orders' holds items already",)
    missing = backups.restore(mode="missing")
    assert (missing.written, missing.kept, missing.promise) == (2, 1, Promise.RESTORED)
    assert "other items" in missing.why
    assert (client.load_data("orders", "order-1") or ("",))[0] == {"id": "order-1", "n": "new"}
    replaced = backups.restore(mode="overwrite")
    assert (replaced.written, replaced.promise) == (3, Promise.VERIFIED)
    client.store_data("orders", {"id": "more"})
    assert backups.restore(mode="overwrite").promise is Promise.RESTORED


def test_items_that_have_expired_are_left_out(world: World) -> None:
    """Of the backup, and of the restore; the others expire when they would have."""
    client = world.client()
    client.store_data("orders", {"id": "soon"}, expires_in=10)
    client.store_data("orders", {"id": "later"}, expires_in=1000.5)
    client.store_data("orders", {"id": "never"})
    backups = world.backups(client)
    assert backups.create().items == 3
    world.clock.advance(11)
    restored = backups.restore(into="again")
    assert (restored.written, restored.expired, restored.promise) == (2, 1, Promise.VERIFIED)
    record = client.load_data("again", "later")
    assert record is not None
    assert record.expires_at is not None
    assert record.expires_at.timestamp() == START + 1000.5
    assert backups.dry_run(into="empty").expired == 1
    assert backups.create().items == 2


def test_a_dry_run_names_the_keys_that_cannot_be_stored(world: World) -> None:
    """And nothing of a backup with such items is written."""
    client = world.client()
    _fill(client, items=2)
    client.store_data("orders", {"id": "large", "text": "x" * 5000})
    backups = world.backups(client)
    backups.create()

    def narrow(driver: Any) -> Any:
        driver.limits = driver.limits._replace(item_bytes=4000)
        return driver

    there = world.client(narrow)
    found = world.backups(there).dry_run(into="again")
    assert [each.partition(":")[0] for each in found.findings] == ["large"]
    with pytest.raises(BackupError, match=r"nothing was written: large: it has 5"):
        world.backups(there).restore(into="again")
    assert there.load_data("again", "order-1") is None


def test_an_item_without_its_key_ends_the_backup(world: World) -> None:
    """Another program has written it; it could not be restored."""
    client = world.client()
    client.store_data("orders", {"id": "a"})
    client.store_data("things", {"id": "a", "name": "b"})
    backups = world.backups(client, "things")
    backups.create()
    backups._table.fields = ("number",)  # as if it were configured so
    with pytest.raises(BackupError, match="no text in number"):
        backups.create()
    assert len(backups.list()) == 1


def test_a_rate_is_kept(world: World) -> None:
    """Of reading, and of writing, over the whole run."""
    client = world.client()
    _fill(client)
    backups = world.backups(client)
    started = world.clock.now()
    backups.create(rate=10)
    assert world.clock.now() - started == pytest.approx(ITEMS / 10)
    backups.restore(into="again", rate=20)
    assert world.clock.now() - started == pytest.approx(ITEMS / 10 + ITEMS / 20)
    assert {each.step for each in world.steps} == {"read", "upload", "check", "write", "verify"}


def test_two_runs_do_not_share_a_work_file(world: World) -> None:
    """The second one is refused, with the reason."""
    client = world.client()
    _fill(client, items=3)
    backups = world.backups(client)
    refused: list[Any] = []

    def look(_: Any) -> None:
        try:
            world.backups(client, look=refused.append).create()
        except LeewardError as error:
            refused.append(str(error))

    world.backups(client, look=look).create()
    assert refused
    assert all("another process is at work" in each for each in refused)
    assert len(backups.list()) == 1


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda backups: backups.create(id="a/b"), "id"),
        (lambda backups: backups.create(rate=0), "rate"),
        (lambda backups: backups.restore(mode="all"), "mode"),
        (lambda backups: backups.restore(parallel=0), "parallel"),
        (lambda backups: backups.create_within(-1.0, id="a"), "seconds"),
    ],
)
def test_bad_arguments_are_refused(world: World, call: Any, field: str) -> None:
    """Before anything is read."""
    client = world.client()
    with pytest.raises(InvalidRequest) as refused:
        call(world.backups(client))
    assert refused.value.field == field
    assert world.leftovers == []


def test_a_backup_that_is_not_there(world: World) -> None:
    """Is named, and so is the folder."""
    client = world.client()
    client.store_data("orders", {"id": "order-1"})
    backups = world.backups(client)
    with pytest.raises(BackupError, match="no backup of table 'orders' in backups/shop/orders/"):
        backups.restore()
    backups.create()
    with pytest.raises(BackupError, match="no backup 'x'"):
        backups.check("x")
