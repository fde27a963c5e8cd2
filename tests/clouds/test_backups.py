"""A table of any provider goes to the bucket of any provider, and into any provider's table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward import Client, Config, Promise
from leeward._items.encoding import NativeValue, natives_in
from leeward.config import TableConfig
from leeward.config.model import BucketConfig
from leeward_backup import Backups
from leeward_backup.lines import Kept, kept_in
from leeward_backup.tables import Table
from leeward_contract_tests.contracts.exact import NASTY_ITEMS, ODD_KEYS, exact
from leeward_contract_tests.fixtures import BUCKET, ITEMS
from tests.clouds.places import PLACES, Place

CORPUS = {
    key: {**item, "id": key}
    for key, item in zip(ODD_KEYS, [*NASTY_ITEMS.values()] * 2, strict=False)
}
NAMES = [*PLACES]


@pytest.fixture(scope="module")
def client(place: Callable[[str], Place]) -> Iterator[Client]:
    """Give a client of all four; each has a table and a bucket by its own name."""
    drivers = {name: place(name).open() for name in NAMES}
    tables = {
        name: TableConfig(home=driver.target, names={driver.target: ITEMS})
        for name, driver in drivers.items()
    }
    buckets = {
        f"{name}-bucket": BucketConfig(home=driver.target, names={driver.target: BUCKET})
        for name, driver in drivers.items()
    }
    config = Config(tables=tables, buckets=buckets)
    with Client([*drivers.values()], config=config) as client:
        yield client


def _empty(client: Client, table: str) -> None:
    for page in Table(client, table).pages():
        for row in page.rows:
            client.delete_data(table, kept_in(row.line).key[0])


def test_a_table_goes_through_another_clouds_bucket_into_anothers_table(
    client: Client, tmp_path: Path
) -> None:
    """All backups hold the same, by their multiset digests, and each can be restored elsewhere.

    Each provider's table goes into the next one's bucket, and from there into the table of the one
    after that: what a backup reads knows nothing of where it is put.
    """
    for name in NAMES:
        _empty(client, name)
        for item in CORPUS.values():
            client.store_data(name, item)
    made = {}
    for number, table in enumerate(NAMES):
        bucket = NAMES[(number + 1) % len(NAMES)]
        backups = Backups(client, table, f"{bucket}-bucket/backups", work=tmp_path)
        backup = backups.create()
        assert (backup.items, backup.uploaded) == (len(CORPUS), backup.segments)
        assert backups.create().uploaded == 0
        made[table] = backups
    digests = {
        each._folder.manifest(each._folder.find("latest"), each._keys).digest
        for each in made.values()
    }
    assert len(digests) == 1
    for number, table in enumerate(NAMES):
        into = NAMES[(number + 2) % len(NAMES)]
        _empty(client, into)
        restored = made[table].restore(into=into)
        assert (restored.promise, restored.why) == (Promise.VERIFIED, ""), (table, into)
        assert restored.found == len(CORPUS)
    for name in NAMES:
        for key, item in CORPUS.items():
            record = client.load_data(name, key)
            assert record is not None
            assert exact(record.item) == exact(item)


def test_a_damaged_segment_is_named_wherever_it_is(client: Client, tmp_path: Path) -> None:
    """A lost one too; and the limits of the table where it would go are those that count."""
    for bucket in NAMES:
        store = f"{bucket}-bucket"
        backups = Backups(client, "local", f"{store}/damaged", work=tmp_path)
        _empty(client, "local")
        client.store_data("local", {"id": "a"})
        client.store_data("local", {"id": "b"})
        backups.create()
        first, second = (
            each.name for each in client.list_objects(store, "damaged/local/segments/").objects
        )
        client.put_object(store, first, b"something else")
        client.delete_object(store, second)
        for deep in (False, True):
            found = backups.check(deep=deep).findings
            assert any(first in each for each in found), bucket
            assert any(f"{second}: it is lost" in each for each in found), bucket


THEIRS: dict[str, dict[str, Any]] = {
    "aws": {"tags": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2.5"]}, "bs": {"BS": ["AAE="]}},
    "azure": {"big": 1e300, "deep": [{"n": 2**60}]},
    "google": {
        "nan": {"doubleValue": "NaN"},
        "at": {"geoPointValue": {"latitude": 1.5, "longitude": -2}},
        "five": {"doubleValue": 5},
        "ends": {"arrayValue": {"values": [{"doubleValue": "-Infinity"}]}},
    },
}
"""What another program may keep on each cloud, in the cloud's own JSON, that no item says."""


def test_what_only_one_cloud_has_is_restored_there_and_named_elsewhere(
    client: Client, tmp_path: Path
) -> None:
    """Sets, points and numbers that are not finite, by the real wire and real stores."""
    models = {"aws": "DynamoDB", "azure": "Cosmos DB", "google": "Firestore"}
    for name, values in THEIRS.items():
        _empty(client, name)
        natives = {field: NativeValue(models[name], raw, None) for field, raw in values.items()}
        _put(client, name, {"id": "theirs", **natives})
        backups = Backups(client, name, f"{name}-bucket/theirs", work=tmp_path)
        backups.create()
        (row,) = (row for page in Table(client, name).pages() for row in page.rows)
        kept = dict(natives_in(kept_in(row.line).item))
        raws = json.dumps([each.raw for each in kept.values()])
        for each in ("SS", "NS", "BS", "NaN", "geoPointValue", "-Infinity", "1e+300"):
            assert (each in raws) is (each in json.dumps(values)), (name, each)
        assert backups.drill().promise is Promise.VERIFIED
        _empty(client, name)
        restored = backups.restore()
        assert (restored.promise, restored.why) == (Promise.VERIFIED, ""), name
        assert [each.line for page in Table(client, name).pages() for each in page.rows] == [
            row.line
        ]
        _empty(client, "local")
        findings = backups.dry_run(into="local").findings
        assert bool(findings) is (name != "azure"), name  # its numbers are equal everywhere
        restored = backups.restore(into="local", plain=True)
        assert (restored.promise is Promise.VERIFIED) is (name == "azure")


def _put(client: Client, table: str, item: dict[str, Any]) -> None:
    """Store an item with values of the cloud's own, as a restore does."""
    (stored,) = Table(client, table).put([Kept((item["id"],), item, None)], ["w"], if_absent=False)
    assert stored
