"""The manifest: what it says comes back, and a word that was changed is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leeward_backup.lines import Damaged
from leeward_backup.manifest import (
    PER_ITEM,
    Manifest,
    Segment,
    decode_manifest,
    encode_manifest,
    segment_name,
)
from leeward_backup.sealing import Keys
from leeward_contract_tests.rows import each_row

KEY = bytes(range(32))
PLACE = "backups/shop/orders"
OPEN = Keys([], PLACE)
CLOSED = Keys([KEY], PLACE)
TEXT = "ab" * 32
SEGMENT = Segment(segment_name(0xAB, TEXT, ""), 2, 300, TEXT, 99, "cd" * 32)
MANIFEST = Manifest(
    id="20260131",
    table="orders",
    target="local",
    key=("customer", "order"),
    consistency=PER_ITEM,
    started=1767225600.25,
    ended=1767225601.0,
    tool="leeward 0.1",
    digest="ef" * 32,
    items=2,
    parent=None,
    uploaded=1,
    key_id=None,
    segments=(SEGMENT,),
    at=1767225600.25,
    place="backups/shop/orders",
    lost={"its ttl": 2},
)


def _sealed(keys: Keys) -> bytes:
    return encode_manifest(MANIFEST._replace(key_id=keys.current.key_id), keys.current)


@each_row("keys", [OPEN, CLOSED])
def test_any_changed_word_is_found(keys: Keys) -> None:
    """Whoever changes a field, or a byte, without sealing it anew."""
    data = _sealed(keys)
    document = json.loads(data)
    for field in (*Manifest._fields, "format", "seal"):
        changed = json.loads(data)
        within = changed if field == "seal" else changed["body"]
        within[field] = 7 if within[field] != 7 else 8
        with pytest.raises(Damaged):
            decode_manifest(json.dumps(changed).encode(), keys)
    for wrong in (b"", b"{}", b"[]", data[:-1], json.dumps(document["body"]).encode()):
        with pytest.raises(Damaged):
            decode_manifest(wrong, keys)


@each_row(
    "change",
    [
        {"items": 3},
        {"items": "2"},
        {"segments": [SEGMENT._asdict()] * 2},
        {"segments": [SEGMENT._asdict() | {"name": "segments/../../other"}]},
        {"segments": [SEGMENT._asdict() | {"name": segment_name(0xAB, "00" * 32, "")}]},
        {"segments": [SEGMENT._asdict() | {"items": -2}]},
        {"segments": [SEGMENT._asdict() | {"stored": None}]},
        {"segments": [SEGMENT._asdict() | {"more": 1}]},
        {"segments": [SEGMENT._asdict() | {"text_bytes": 1 << 40}]},
        {"segments": [7]},
        {"key": []},
        {"key": ["a", "b", "c"]},
        {"key": 5},
        {"digest": "short"},
        {"consistency": "perfect"},
        {"started": "yesterday"},
        {"started": 1e300},
        {"ended": -1e300},
        {"segments": [SEGMENT._asdict() | {"name": []}]},
        {"consistency": []},
        {"parent": 5},
        {"table": ""},
        {"at": 1e300},
        {"lost": {"ttl": "all"}},
        {"place": 5},
    ],
)
def test_a_seal_that_fits_does_not_make_nonsense_true(change: dict[str, Any]) -> None:
    """Without a key anybody can seal; so nothing of it leads anywhere that it should not."""
    body = json.loads(_sealed(OPEN))["body"] | change
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    forged = json.dumps({"body": body, "seal": OPEN.current.seal(text)}).encode()
    with pytest.raises(Damaged, match="it|its"):
        decode_manifest(forged, OPEN)


def test_the_wrong_key_is_named() -> None:
    """And a key that is lacking, or one that is not needed."""
    for mine, theirs in (
        (OPEN, CLOSED),
        (CLOSED, OPEN),
        (CLOSED, Keys([KEY[::-1]], PLACE)),
    ):
        with pytest.raises(Damaged, match="key"):
            decode_manifest(_sealed(theirs), mine)


@each_row("keys", [OPEN, CLOSED])
def test_a_manifest_of_the_first_format_is_read(keys: Keys) -> None:
    """As versions before have written it: without a place, and with keys that are alike in all."""
    first = keys.find(keys.current.key_id, None)
    assert first is not None
    body = json.loads(_sealed(keys))["body"] | {"format": "leeward-backup/1"}
    for field in ("at", "place", "lost"):
        del body[field]
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    data = json.dumps({"body": body, "seal": first.seal(text)}).encode()
    told = MANIFEST._replace(key_id=keys.current.key_id, place=None, lost={})
    assert decode_manifest(data, keys) == told
