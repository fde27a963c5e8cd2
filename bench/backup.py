"""A backup and a restore over DynamoDB and S3, beside a script of boto3 that does the same.

The script is what people write: it reads the table page by page, writes lines of JSON into packed
objects, and stores what it reads from them again, item by item under the condition that none is
there, or in batches without it; leeward does the latter where it is told to overwrite. The script
proves nothing; leeward checks every digest and reads the table again, and that is part of its
figure.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, Final
from unittest import mock

from boto3.session import Session  # type: ignore[import-untyped]

from bench.figures import Figure, compare, measure_in_turn
from leeward import Client
from leeward_backup import Backups
from tests.servers.aws.keys import make_key
from tests.servers.aws.ministack import Ministack

REGION: Final = "us-east-1"
ITEMS: Final = 5_000
GATE: Final = 0.5
BUCKET: Final = "backups"
SEGMENT_ITEMS: Final = 500
"""Of an object that the script writes."""


class Sides:
    """Both sides on one server.

    Args:
        work: a folder.
        client: leeward's.
    """

    def __init__(self, work: Path, client: Client) -> None:
        self._dynamodb = Session().resource("dynamodb")
        self._s3 = Session().client("s3")
        self._work = work
        self._client = client
        self._numbers = count()
        self._s3.create_bucket(Bucket=BUCKET)
        self._source = self._table("orders")
        with self._source.batch_writer() as batch:
            for number in range(ITEMS):
                batch.put_item(Item=_item(number))
        self.ours_back, self.theirs_back = self.back_up(), self.script_back_up()

    def back_up(self) -> str:
        """Create a backup with leeward, all of it new."""
        store = f"{BUCKET}/ours-{next(self._numbers)}"
        backup = Backups(self._client, "orders", store, work=self._work).create()
        assert backup.items == ITEMS
        return store

    def restore(self, table: str, mode: str = "empty") -> None:
        """Restore with leeward into a table."""
        backups = Backups(self._client, "orders", self.ours_back, work=self._work)
        assert backups.restore(into=table, mode=mode).promise.value == "verified"

    def restore_over(self, table: str) -> None:
        """Restore with leeward, whatever is there."""
        self.restore(table, "overwrite")

    def script_back_up(self) -> str:
        """Do the same with the script."""
        prefix = f"theirs-{next(self._numbers)}/"
        lines: list[str] = []
        for item in _scanned(self._source):
            lines.append(json.dumps(item, default=_told))
            if len(lines) == SEGMENT_ITEMS:
                self._put(prefix, lines)
                lines = []
        self._put(prefix, lines)
        return prefix

    def script_restore(self, table: str) -> None:
        """Store item by item, each where none is."""
        there = self._dynamodb.Table(table)
        for item in self._read():
            there.put_item(Item=item, ConditionExpression="attribute_not_exists(id)")

    def script_restore_in_batches(self, table: str) -> None:
        """Store in batches of 25, whatever is there."""
        with self._dynamodb.Table(table).batch_writer() as batch:
            for item in self._read():
                batch.put_item(Item=item)

    def into_new_table(self, restore: Callable[[str], object]) -> float:
        """Return the CPU for each item of a restore into a new table."""
        name = f"restored-{next(self._numbers)}"
        self._table(name)
        return _cpu(lambda: restore(name))

    def _table(self, name: str) -> Any:
        return self._dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )

    def _put(self, prefix: str, lines: list[str]) -> None:
        body = gzip.compress("\n".join(lines).encode())
        self._s3.put_object(Bucket=BUCKET, Key=f"{prefix}{next(self._numbers)}", Body=body)

    def _read(self) -> Iterator[dict[str, Any]]:
        found = self._s3.list_objects_v2(Bucket=BUCKET, Prefix=self.theirs_back)
        for each in found.get("Contents", []):
            body = self._s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
            for line in gzip.decompress(body).decode().splitlines():
                yield json.loads(line, parse_float=Decimal)


def measure(rounds: int) -> list[Figure]:
    """Measure both ways, on one server."""
    with ExitStack() as stack:
        server = stack.enter_context(Ministack())
        key = make_key(server, "*")
        env = {
            "AWS_ACCESS_KEY_ID": key.name,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": server.url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        work = Path(stack.enter_context(TemporaryDirectory()))
        stack.enter_context(mock.patch.dict(os.environ, env))
        client = stack.enter_context(Client(f"aws:{REGION}"))
        return _measured(Sides(work, client), rounds)


def _measured(sides: Sides, rounds: int) -> list[Figure]:
    ours, theirs = measure_in_turn(
        [lambda: _cpu(sides.back_up), lambda: _cpu(sides.script_back_up)], rounds
    )
    restores = (
        *(sides.restore, sides.script_restore),
        *(sides.restore_over, sides.script_restore_in_batches),
    )
    back, single, over, batched = measure_in_turn(
        [lambda each=each: sides.into_new_table(each) for each in restores],  # type: ignore[misc]
        rounds,
    )
    script = "a script of boto3"
    return [
        compare("backup, for each item", ours, theirs, gate=GATE, yardstick=script),
        compare("restore, checked, for each item", back, single, gate=GATE, yardstick=script),
        compare(
            "restore, checked, over what is there, for each item",
            over,
            batched,
            gate=1.0,
            yardstick=f"{script} in batches",
        ),
    ]


def _cpu(work: Callable[[], object]) -> float:
    begun = process_time()
    work()
    return (process_time() - begun) / ITEMS


def _scanned(table: Any) -> Iterator[dict[str, Any]]:
    page = table.scan(ConsistentRead=True)
    while True:
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        page = table.scan(ConsistentRead=True, ExclusiveStartKey=page["LastEvaluatedKey"])


def _item(number: int) -> dict[str, Any]:
    return {
        "id": f"order-{number:07d}",
        "customer": f"customer-{number % 977}",
        "total": Decimal(number % 10_000) / 100,
        "lines": [{"sku": f"sku-{n}", "count": n + 1, "price": Decimal("9.90")} for n in range(3)],
        "paid": number % 3 == 0,
        "note": "left at the gate, as was agreed",
    }


def _told(value: Any) -> str:
    return str(value)
