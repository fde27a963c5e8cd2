"""Files that are large, or make rows and numbers that are, take no more memory than small ones."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from leeward import Client
from leeward.app import Problem
from leeward.local import Local
from leeward.local.objects import PIECE_BYTES
from tests.house.workspace import ROOT
from tests.pipeline.simulated import pipeline

SIZE = 200_000_000
LINE = f"{'berlin' * 700},tea,1,1.50\n".encode()
WRITE_ID = "by-hand"

WORKER = """
import json
import re
import sys
from pathlib import Path

import pipeline
from leeward import Client
from leeward.stores import NewRow, Recipient
from leeward.local import Local

store, event = sys.argv[1:]
local = Local(path=store)
with Client(local, app=pipeline.app) as client:
    pipeline.cloud = lambda: client
    row = NewRow(Recipient("(object)", "summarize"), None, "key", event)
    local._runner.accept([row], 10)
    local.wait_idle(100)
    assert local.dead_letters() == (), local.dead_letters()
status = Path("/proc/self/status")  # getrusage counts what the parent held before it, too
(most,) = re.findall(r"VmHWM:\\s+(\\d+) kB", status.read_text())
print(most)
"""


def put_by_hand(store: Path, name: str) -> int:
    """Put an object that is larger than a put may be, as other programs do; return its lines."""
    with Client(Local(path=store)) as client:
        client.put_object("sales", name, b"")
    lines = SIZE // len(LINE) // 1000 * 1000
    digest, size = sha256(), 0
    with closing(sqlite3.connect(store)) as held, held:
        (id,) = held.execute("SELECT id FROM objects").fetchone()
        for number, body in enumerate(_pieces(lines)):
            digest.update(body)
            size += len(body)
            held.execute("INSERT INTO pieces VALUES (?, ?, ?)", (id, number, body))
        values = WRITE_ID, size, digest.hexdigest()
        held.execute("UPDATE objects SET write_id = ?, size = ?, checksum = ?", values)
    return lines


def _pieces(lines: int) -> Iterator[bytes]:
    left = b"store,sku,pieces,price\n"
    for _ in range(lines // 1000):
        left += LINE * 1000
        while len(left) >= PIECE_BYTES:
            yield left[:PIECE_BYTES]
            left = left[PIECE_BYTES:]
    yield left


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells what was held")
def test_a_file_of_200_megabytes_takes_no_more_memory_than_a_piece_of_it(tmp_path: Path) -> None:
    """Python, leeward and the database included: all that the process has ever held."""
    store = tmp_path / "store.sqlite3"
    lines = put_by_hand(store, "in/large.csv")
    event = {"bucket": "sales", "key": "in/large.csv", "version": WRITE_ID, "revision": WRITE_ID}
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(store), json.dumps(event)],
        env={"PYTHONPATH": str(ROOT / "examples/pipeline"), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 64 * 1024, f"{done.stdout} KiB"
    with Client(Local(path=store)) as client:
        found = client.get_object("sales", "processed/large.csv.json")
        assert found is not None
        assert json.loads(found.read())["categories"]["other"]["pieces"] == lines


def test_a_row_over_many_lines_is_given_up_before_it_fills_the_memory() -> None:
    """Quotes let a row go on over all lines of a file, in fields of which none is too long."""
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for taken in range(100_000):
            yield 'a","a' if taken > 1 else ("store,sku,pieces,price", '"a')[taken]

    with pipeline() as module:
        with pytest.raises(Problem) as raised:
            list(module.rows_of(lines()))
        assert raised.value.reason == "not_csv"
        assert taken < module.LONGEST
        several = ["store,sku,pieces,price", *['"a', 'b",tea,1,2'] * 10_000]
        assert list(module.rows_of(several)) == [["ab", "tea", "1", "2"]] * 10_000


def test_numbers_that_nobody_sells_make_no_sense() -> None:
    """They would overflow in a sum, or be too long for JSON, and poison the whole file."""
    numbers = [("9" * 4000, "1"), ("1", "9" * 4000), ("2", "1E+999999"), ("1", "1E+99999999")]
    with pipeline() as module:
        sales = list(module.cleaned(["berlin", "tea", *each] for each in numbers))
        assert sales == [None] * len(numbers)
