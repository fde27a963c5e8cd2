"""Exports of DynamoDB become portable backups, exactly, and as of one moment."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from leeward import Client, Config, LeewardError, Promise
from leeward._items import encode
from leeward.adapter import WrappingDriver
from leeward.calls import Call, ReadExport, Result
from leeward.local import Local
from leeward_aws.tables.backups import read_export
from leeward_aws.tables.profile import DYNAMODB
from leeward_backup import BackupError, Backups
from leeward_contract_tests.contracts.exact import NASTY_ITEMS, exact
from leeward_contract_tests.contracts.observations import eventually
from tests.servers.aws.clients import client as vendors_client
from tests.servers.aws.moto import Moto
from tests.servers.loopback import PATIENCE

FOLDER: Final = "exports/AWSDynamoDB/01695353076000-a1b2c3d4"
STAMP: Final = "2026-01-31T12:00:00.250Z"
TIME: Final = datetime(2026, 1, 31, 12, 0, 0, 250_000, UTC).timestamp()


class Reading(WrappingDriver):
    """An embedded target that reads exports as DynamoDB's adapter does."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        wanted: Any = call
        return _read(wanted) if wanted.verb == "read_export" else super().perform(call, timeout)


def _read(call: ReadExport) -> Result[Any]:
    nothing: Any = None
    with pytest.raises(StopIteration) as end:
        next(read_export(call, nothing))
    result: Result[Any] = end.value.value
    return result


def _export(client: Client, items: list[dict[str, Any]], **summary: Any) -> None:
    """Write an export as the service does: empty files for empty partitions, too."""
    parts = [items[:3], [], items[3:]]
    listed = []
    for number, part in enumerate(parts):
        name = f"{FOLDER}/data/part{number}.json.gz"
        text = "".join(json.dumps({"Item": each}) + "\n" for each in part)
        client.put_object("plain", name, gzip.compress(text.encode()))
        listed.append(
            {"itemCount": len(part), "md5Checksum": "", "etag": "", "dataFileS3Key": name}
        )
    told = {
        "version": "2020-06-30",
        "exportArn": "arn:aws:dynamodb:us-east-1:1:table/orders/export/01695353076000-a1b2c3d4",
        "exportTime": STAMP,
        "manifestFilesS3Key": f"{FOLDER}/manifest-files.json",
        "itemCount": len(items),
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
        **summary,
    }
    client.put_object("plain", f"{FOLDER}/manifest-summary.json", json.dumps(told).encode())
    lines = "\n".join(map(json.dumps, listed)).encode()
    client.put_object("plain", f"{FOLDER}/manifest-files.json", lines)


def _natives() -> list[dict[str, Any]]:
    items = [{**item, "id": f"item-{n}"} for n, item in enumerate(NASTY_ITEMS.values())]
    return [encode(each, DYNAMODB, write_id="w", expires_at=None) for each in items]


def _client(folder: Path) -> Client:
    driver = Reading(Local(path=folder / "db.sqlite3"))
    return Client(driver, config=Config())


def test_an_export_becomes_a_backup(tmp_path: Path) -> None:
    """Items come exactly, those of other programs as they are, and the manifest says of when."""
    with _client(tmp_path) as client:
        foreign = {"id": {"S": "foreign"}, "n": {"N": "1.5"}, "set": {"SS": ["b", "a"]}}
        _export(client, [*_natives(), foreign])
        backups = Backups(client, "orders", "backups/shop", work=tmp_path / "work")
        backup = backups.create(export=f"plain/{FOLDER}")
        assert (backup.items, backup.consistency) == (len(NASTY_ITEMS) + 1, "snapshot")
        assert backup.time == backup.ended == TIME
        assert backups.drill().promise is Promise.VERIFIED
        with pytest.raises(BackupError, match=r"foreign: \['set'\]: only DynamoDB"):
            backups.restore(into="again")
        assert backups.restore(into="again", plain=True).promise is Promise.RESTORED
        for number, item in enumerate(NASTY_ITEMS.values()):
            record = client.load_data("again", f"item-{number}")
            assert record is not None
            assert exact(record.item) == exact({**item, "id": f"item-{number}"})
        record = client.load_data("again", "foreign")
        assert record is not None
        assert record.item["set"] == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"itemCount": 1}, "its files have"),
        ({"exportType": "INCREMENTAL_EXPORT"}, "summary of the export cannot be read"),
        ({"outputFormat": "ION"}, "summary of the export cannot be read"),
        ({"exportTime": "yesterday"}, "summary of the export cannot be read"),
        ({"manifestFilesS3Key": "elsewhere.json"}, "there is no"),
    ],
)
def test_an_export_that_is_something_else_is_refused(
    tmp_path: Path, change: dict[str, Any], word: str
) -> None:
    """Nothing of it becomes a backup."""
    with _client(tmp_path) as client:
        _export(client, _natives(), **change)
        backups = Backups(client, "orders", "backups/shop", work=tmp_path / "work")
        with pytest.raises(LeewardError, match=word):
            backups.create(export=f"plain/{FOLDER}")
        assert backups.list() == ()


def test_a_file_that_is_cut_off_or_lost_is_named(tmp_path: Path) -> None:
    """And one with fewer lines than were told."""
    name = f"{FOLDER}/data/part2.json.gz"
    with _client(tmp_path) as client:
        _export(client, _natives())
        found = client.get_object("plain", name)
        assert found is not None
        whole = found.read()
        backups = Backups(client, "orders", "backups/shop", work=tmp_path / "work")
        fewer = gzip.compress(b"\n".join(gzip.decompress(whole).splitlines()[1:]))
        for data in (whole[:-20], fewer, whole[:40] + b"\0" + whole[41:], None):
            if data is None:
                client.delete_object("plain", name)
            else:
                client.put_object("plain", name, data)
            with pytest.raises(BackupError, match=r"part2\.json\.gz"):
                backups.create(export=f"plain/{FOLDER}")
        client.put_object("plain", name, whole)
        assert backups.create(export=f"plain/{FOLDER}").items == len(NASTY_ITEMS)


def test_a_target_without_exports_says_so(tmp_path: Path) -> None:
    """Before anything is read."""
    with Client(Local()) as client:
        backups = Backups(client, "orders", "backups", work=tmp_path / "work")
        with pytest.raises(LeewardError, match="does no read_export"):
            backups.create(export=f"plain/{FOLDER}")


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    """Give moto, which writes the files of an export, and no manifests."""
    with Moto() as server:
        yield server


def test_files_that_another_program_writes_are_read(moto: Moto) -> None:
    """As boto3 stores items, and moto exports them."""
    with ExitStack() as stack:
        dynamodb, s3 = (
            stack.enter_context(closing(vendors_client(each, moto.url, "us-east-1")))
            for each in ("dynamodb", "s3")
        )
        s3.create_bucket(Bucket="exports")
        made = dynamodb.create_table(
            TableName="orders",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        dynamodb.update_continuous_backups(
            TableName="orders",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        for native in _natives():
            if '"B"' not in json.dumps(native):  # with one, moto's export fails
                dynamodb.put_item(TableName="orders", Item=native)
        arn = made["TableDescription"]["TableArn"]
        begun = dynamodb.export_table_to_point_in_time(
            TableArn=arn,
            S3Bucket="exports",
            S3Prefix="at",
            ExportFormat="DYNAMODB_JSON",
            ExportType="FULL_EXPORT",
        )["ExportDescription"]
        state = eventually(
            lambda: _state(dynamodb, begun["ExportArn"]), lambda now: now != "IN_PROGRESS", PATIENCE
        )
        assert state == "COMPLETED"
        found: list[Any] = []
        for each in s3.list_objects_v2(Bucket="exports")["Contents"]:
            if each["Key"].endswith(".gz"):
                body = s3.get_object(Bucket="exports", Key=each["Key"])["Body"].read()
                found += _read(ReadExport("items", gzip.decompress(body))).value or ()
    stored = {each.item["id"]: each.item for each in found}
    assert len(stored) > len(NASTY_ITEMS) / 2
    for number, item in enumerate(NASTY_ITEMS.values()):
        key = f"item-{number}"
        assert exact(stored.get(key, {**item, "id": key})) == exact({**item, "id": key})


def _state(dynamodb: Any, arn: str) -> str:
    return str(dynamodb.describe_export(ExportArn=arn)["ExportDescription"]["ExportStatus"])
