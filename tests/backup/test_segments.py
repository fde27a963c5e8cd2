"""Buckets, cuts and digests: decided by content alone."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward_backup import manifest
from leeward_backup.lines import Damaged
from leeward_backup.manifest import Draft, Multiset, bucket_of, drafts, lines_in, pack, unpack


def _rows(keys: Iterable[int], note: str = "") -> list[tuple[int, bytes, bytes]]:
    made = [(b"%07d" % key, b"the line of the item %d %s" % (key, note.encode())) for key in keys]
    return sorted((bucket_of(key), key, line) for key, line in made)


def _cut(rows: list[tuple[int, bytes, bytes]]) -> list[Draft]:
    return list(drafts(rows))


@given(st.sets(st.integers(0, 10_000), max_size=300))
def test_every_line_is_in_the_segment_of_its_bucket(keys: set[int]) -> None:
    """Once, in order; no segment is empty, and none holds lines of two buckets."""
    rows, made = _rows(keys), _cut(_rows(keys))
    assert b"".join(each.text for each in made) == b"".join(line + b"\n" for *_, line in rows)
    for draft in made:
        held = [*lines_in(draft.text, draft.bucket, draft.items)]
        assert held
        assert held == [line for bucket, _, line in rows if bucket == draft.bucket]


def test_an_item_more_or_less_changes_one_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or two, where a cut is; also in a bucket that is cut: cuts do not wander."""
    monkeypatch.setattr(manifest, "LEAST_BYTES", 300)
    monkeypatch.setattr(manifest, "MOST_BYTES", 100_000)
    rows = _rows(range(100_000))
    before = {each.text for each in _cut(rows)}
    assert len(before) > 300
    for gone in (5, 77, 5000, 99_999):
        after = {each.text for each in _cut(rows[:gone] + rows[gone + 1 :])}
        assert 1 <= len(before - after) <= 3


def test_a_segment_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no key cuts it, its size does."""
    monkeypatch.setattr(manifest, "LEAST_BYTES", 50)
    monkeypatch.setattr(manifest, "MOST_BYTES", 500)
    made = _cut([(0, b"the same", b"x" * 20)] * 1000)
    assert max(len(each.text) for each in made) <= 500 + 21
    assert sum(each.items for each in made) == 1000


@given(st.lists(st.binary(max_size=8)), st.randoms())
def test_the_multiset_digest_knows_no_order(lines: list[bytes], random: st.DataObject) -> None:
    """It knows how often each line is there."""
    one, other, half = Multiset(), Multiset(), Multiset()
    for line in lines:
        one.add(line)
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for line in shuffled[: len(lines) // 2]:
        half.add(line)
    for line in shuffled[len(lines) // 2 :]:
        other.add(line)
    other.join(half)
    assert one == other
    other.add(b"more")
    assert one != other
    assert len(one.digest) == 32


@pytest.mark.parametrize("change", ["cut", "flip", "more", "size", "bomb", "none"])
def test_what_was_not_packed_so_is_refused(change: str) -> None:
    """No more is unpacked than there may be."""
    text = b"line\n" * 1000
    data = pack(text)
    size = len(text)
    match change:
        case "cut":
            data = data[:-4]
        case "flip":
            data = data[:-6] + bytes([data[-6] ^ 1]) + data[-5:]
        case "more":
            data += b"x"
        case "size":
            size += 1
        case "bomb":
            data = pack(text * 1000)
        case _:
            data = b""
    with pytest.raises(Damaged):
        unpack(data, size)
