"""What may become of a place where backups are: keys change, bytes rot, others write and delete."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward import ConfigError, Promise
from leeward.testing import FakeClock
from leeward_backup import BackupError
from leeward_backup.folder import Folder
from leeward_backup.lines import LONGEST_LINE, Damaged, kept_in
from leeward_backup.manifest import (
    decode_manifest,
    lines_in,
    pack,
    unpack,
)
from leeward_backup.prune import DEAD_AFTER
from leeward_backup.sealing import Keys
from leeward_backup.values import NoBackup, Progress
from leeward_contract_tests.rows import each_row
from tests.backup.conftest import START, World

ITEMS = 12
MIB = 1024 * 1024


def _key(world: World, name: str, byte: str) -> Path:
    path = world.folder / name
    path.write_text(byte * 32)
    path.chmod(0o600)
    return path


def _fill(client: Any, table: str = "orders") -> None:
    for n in range(ITEMS):
        client.store_data(table, {"id": f"order-{n}", "n": n})


def _objects(client: Any, kind: str, table: str = "orders") -> list[str]:
    page = client.list_objects("backups", f"shop/{table}/{kind}/")
    return [each.name for each in page.objects]


def _read(client: Any, name: str) -> bytes:
    return bytes(client.get_object("backups", name).read())


def _damage(client: Any, name: str) -> None:
    held = _read(client, name)
    client.put_object("backups", name, held[:-9] + bytes([held[-9] ^ 1]) + held[-8:])


def test_keys_rotate(world: World) -> None:
    """With several keys all is read, and the first one is written with; without one it is named."""
    client = world.client()
    _fill(client)
    old, new = _key(world, "old", "11"), _key(world, "new", "22")
    first = world.backups(client, key_file=old).create()
    world.clock.advance(1)
    both = world.backups(client, key_file=[new, old])
    second = both.create()
    assert second.parent == first.id
    assert (second.key_id != first.key_id, second.uploaded) == (True, second.segments)
    assert [each.wrong for each in both.list()] == ["", ""]
    assert both.restore(first.id, into="again").promise is Promise.VERIFIED
    world.clock.advance(1)
    assert both.create().uploaded == 0

    alone = world.backups(client, key_file=new)
    assert ["another one" in each.wrong for each in alone.list()] == [True, False, False]
    pruned = alone.prune(keep=1)
    assert (pruned.backups, len(pruned.wrong)) == ((second.id,), 1)
    assert both.check(first.id, deep=True).findings == ()  # what it needs has stayed
    assert both.prune(keep=1).backups == (first.id,)


@pytest.mark.threat("S13")
def test_equal_tables_look_different_and_a_backup_belongs_to_its_place(world: World) -> None:
    """By name and bytes; one of another place is named, and opened if its place is named."""
    client = world.client()
    key = _key(world, "key", "11")
    for table in ("orders", "staging"):
        _fill(client, table)
        world.backups(client, table, key_file=key).create()
    names = [_objects(client, "segments", table) for table in ("orders", "staging")]
    held = [{_read(client, each) for each in some} for some in names]
    ends = [{each.rpartition("/")[2] for each in some} for some in names]
    assert not held[0] & held[1]
    assert not ends[0] & ends[1]

    mine = world.backups(client, key_file=key)
    moved = {"segments": names[1], "manifests": _objects(client, "manifests", "staging")}
    for each in (name for some in moved.values() for name in some):
        copy = each.replace("shop/staging", "other/staging")
        client.put_object("backups", copy, _read(client, each))
    from leeward_backup import Backups

    there = {"key_file": key, "work": world.folder / "work"}
    other = Backups(client, "staging", "backups/other", **there)  # type: ignore[arg-type]
    (found,) = other.check(deep=True).findings
    assert "made in backups/shop/staging, and not here" in found
    with pytest.raises(BackupError, match="--copied-from"):
        other.restore(into="again")
    known = Backups(
        client,
        "staging",
        "backups/other",
        copied_from="backups/shop/staging",
        **there,  # type: ignore[arg-type]
    )
    assert known.restore(into="again").promise is Promise.VERIFIED
    assert mine.check(deep=True).findings == ()


@pytest.mark.threat("S13")
def test_a_backup_that_somebody_has_deleted_is_missed(world: World) -> None:
    """The one before it is not VERIFIED as the latest; a prune leaves no such gap."""
    client = world.client()
    backups = world.backups(client)
    ids = []
    for n in range(4):
        client.store_data("orders", {"id": "order-1", "n": n})
        world.clock.advance(1)
        ids.append(backups.create().id)
    backups.prune(keep=3)
    assert backups.check().findings == ()
    client.delete_object("backups", _objects(client, "manifests")[-1])
    gone = f"the backup {ids[3]} was made in backups/shop/orders/ and is gone"
    assert [gone in each for each in backups.check().findings] == [True]
    restored = backups.restore(into="again")
    assert restored.promise is Promise.RESTORED
    assert gone in restored.why
    assert backups.drill().promise is Promise.RESTORED


@each_row("work", ["create", "prune"])
def test_what_others_do_between_two_looks_is_no_gap(
    world: World, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    """A backup that is made then was not deleted, and one that a prune deletes is not missed."""
    client = world.client()
    backups = world.backups(client, work)
    for n in range(3):
        client.store_data(work, {"id": "order-1", "n": n})
        world.clock.advance(1)
        backups.create()
    first = backups._folder.backups()[0]
    others: list[Any] = [backups.create if work == "create" else lambda: backups.prune(keep=1)]
    sizes = Folder.sizes

    def look(folder: Folder, kind: str) -> dict[str, int]:
        found = sizes(folder, kind)
        if others:
            world.clock.advance(1)
            others.pop()()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "sizes", look)
        assert backups._folder.gaps(first) == []
    assert others == []


@pytest.mark.threat("S13")
@each_row(
    "mode, taken", [(0o600, True), (0o440, True), (0o644, True), (0o660, False), (0o666, False)]
)
def test_a_key_that_others_can_change_is_refused(
    tmp_path: Path, mode: int, taken: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """With the command that mends it; one that all can read gets a line in the log."""
    from leeward_backup.sealing import keys_of

    file = tmp_path / f"key-{mode:o}"
    file.write_text("11" * 32)
    file.chmod(mode)
    if taken:
        caplog.clear()
        assert keys_of(file) == [b"\x11" * 32]
        assert ("key_file_is_readable" in caplog.text) is bool(mode & 0o004)
        return
    with pytest.raises(ConfigError, match=f"mode 0{mode:o}.*chmod 600"):
        keys_of(file)


def test_a_damaged_segment_is_mended_or_left_out_by_name(world: World) -> None:
    """A later backup no longer inherits it in silence; what is sound can be had before that."""
    client = world.client()
    _fill(client)
    backups = world.backups(client)
    first = backups.create()
    names = _objects(client, "segments")
    _damage(client, names[3])
    world.clock.advance(1)
    assert backups.create().uploaded == 0
    with pytest.raises(BackupError, match="--skip-damaged"):
        backups.restore(into="again")
    fit = backups.dry_run(into="again", skip_damaged=True)
    assert (fit.findings, [names[3] in each for each in fit.missing]) == ((), [True])
    restored = backups.restore(into="again", skip_damaged=True)
    assert restored.promise is Promise.RESTORED
    assert "left out (1)" in restored.why
    assert restored.missing == fit.missing
    assert restored.written == restored.found == fit.items < ITEMS
    world.clock.advance(1)
    last = backups.create(verify=True)
    assert (last.mended, last.uploaded) == (1, 0)
    for id in (first.id, last.id):
        assert backups.check(id, deep=True).findings == ()

    client.put_object("backups", names[2], b"short")
    world.clock.advance(1)
    assert backups.create().mended == 1  # another size is seen without a look at the bytes
    assert backups.check(deep=True).findings == ()


def test_a_segment_that_goes_while_a_restore_is_at_work_is_named(world: World) -> None:
    """It was there when all was read, and is gone when it is written: that is not all, either."""
    client = world.client()
    _fill(client)
    world.backups(client).create()
    segments = _objects(client, "segments")
    ends = segments[0], segments[-1]

    def look(progress: Progress) -> None:
        if progress.step == "check" and progress.done == progress.total:
            for name in ends:
                client.delete_object("backups", name)

    restored = world.backups(client, look=look).restore(into="again", skip_damaged=True)
    assert restored.written == restored.found < ITEMS
    assert restored.promise is Promise.RESTORED
    assert [name in told for name, told in zip(ends, restored.missing, strict=True)] == [True, True]


@each_row("work", ["check", "drill", "restore"])
def test_a_backup_that_is_deleted_while_it_is_read_is_not_told_as_damaged(
    world: World, work: str
) -> None:
    """Somebody makes newer ones and prunes: nobody shall look for damage then."""
    client = world.client()
    _fill(client, work)
    others = world.backups(client, work)
    others.create()

    def look(progress: Progress) -> None:
        if (progress.step, progress.done) == ("check", 1):
            for n in range(ITEMS):
                client.store_data(work, {"id": f"order-{n}", "n": -n})
            world.clock.advance(1)
            others.create()
            others.prune(keep=1)

    backups = world.backups(client, work, look=look, work=world.folder / "other")
    does: dict[str, Callable[[], object]] = {
        "check": lambda: backups.check(deep=True),
        "drill": backups.drill,
        "restore": lambda: backups.restore(into="again", skip_damaged=True),
    }
    with pytest.raises(NoBackup, match="was deleted while it was read"):
        does[work]()


def test_the_backup_that_was_begun_last_is_the_latest(world: World) -> None:
    """Whatever the clock of its machine says; a time of another decade is not a clock's."""
    client = world.client()
    ids = []
    for n, time in enumerate((START, START - 3600, START - 7200)):
        world.clock = FakeClock(time)
        client = world.client()
        client.store_data("orders", {"id": "order-1", "n": n})
        made = world.backups(client).create()
        assert made.time == time
        ids.append(made.id)
    backups = world.backups(client)
    assert [each.id for each in backups.list()] == ids
    assert backups.restore(into="again").id == ids[-1]
    assert backups.prune(keep=1).kept == (ids[-1],)
    client.put_object("backups", "shop/orders/manifests/99991231T235959999Z-x.json", b"{}")
    world.clock.advance(1)
    assert backups.create().time == START - 7200 + 1
    assert [bool(each.wrong) for each in backups.list()] == [False, False, True]


@each_row(
    "name, told, seconds",
    [
        ("20260101T000000000Z-new", {"names": 0, "count": 3}, DEAD_AFTER),
        ("20260101T000000000Z-old", [], DEAD_AFTER),
        ("20251231T210000000Z-dead", {"names": 0, "count": 3}, 0),
        ("99991231T235959999Z-evil", {"names": 0, "count": 3}, 0),
    ],
)
@pytest.mark.threat("S18")
def test_a_prune_that_was_killed_is_waited_for_briefly(
    tmp_path: Path, name: str, told: Any, seconds: float
) -> None:
    """While its lease may live, with a word on the screen; one from the future not at all."""
    import json
    from contextlib import ExitStack

    with ExitStack() as stack:
        folder = tmp_path / name
        folder.mkdir()
        world = World(folder, stack)
        client = world.client()
        _fill(client)
        backups = world.backups(client)
        backups.create()
        segments = [each.removeprefix("shop/orders/") for each in _objects(client, "segments")]
        body: Any = segments if told == [] else {**told, "names": segments}
        client.put_object("backups", f"shop/orders/prunes/{name}.json", json.dumps(body).encode())
        begun = world.clock.monotonic()
        backups.create()
        waited = world.clock.monotonic() - begun
        assert seconds <= waited <= seconds + 2
        assert any("prune" in each.step for each in world.steps) is bool(seconds)


def _bomb(text: bytes) -> tuple[bytes, int]:
    return pack(text), len(text)


@pytest.mark.threat("S15")
def test_a_segment_that_is_a_bomb_is_refused_in_the_memory_of_its_text() -> None:
    """Millions of empty lines are counted, and not split; a line is no longer than an item."""
    data, size = _bomb(b"\n" * (32 * MIB))
    assert len(data) < 64 * 1024
    text = unpack(data, size)
    tracemalloc.start()
    for items in (size, 3):
        with pytest.raises(Damaged, match="number of lines"):
            lines_in(text, 0, items)
    with pytest.raises(Damaged, match="more than"):
        kept_in(b'{"k":["a"],"v":{"x":[' + b"[]," * (LONGEST_LINE // 3) + b"[]]}}")
    with pytest.raises(Damaged, match="JSON of a manifest"):
        decode_manifest(b'{"body":{"segments":[' + b"{}," * MIB + b"{}]}}", Keys([], "here"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * LONGEST_LINE
