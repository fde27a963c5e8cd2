"""Measure the pages over many letters, runs and records: ``python -m tests.console.measure``.

It prints the CPU that the server takes for each page, and the most memory that a page takes.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from leeward.leases.rules import Room
from leeward.stores import AttemptFailure, LeaseEnd, NewRow, Recipient
from tests.console.shop import Shop, opened
from tests.console.visitor import Visitor, visit

LETTERS = 10_000
RUNS = 1_000
BYTES = 256 * 1024
"""Of the largest payload; by default one letter in fifty has it."""

MOST_SECONDS = 0.3
"""Of CPU for a page, says the promise."""
MOST_BYTES = 32 * 1024 * 1024
"""Of memory for a page."""


class Cost(NamedTuple):
    """What one page has cost: seconds of CPU, bytes of memory at most, characters of the page."""

    path: str
    seconds: float
    memory: int
    size: int


def fill(shop: Shop, letters: int, runs: int, records: int, size: int, *, every: int = 50) -> None:
    """Leave dead letters, ended runs and records of keys."""
    store = shop.local.stores().deliveries
    recipient = Recipient("", "gone")
    large, small = "x" * size, '{"id": "1"}'
    for first in range(0, letters, 500):
        ids = range(first, min(first + 500, letters))
        documents = (f'"{large}"' if id % every == 0 else small for id in ids)
        store.add([NewRow(recipient, None, "k", each) for each in documents], 30)
        taken = store.take([recipient], time.time, Room(500, 500, 500)).rows
        failure = AttemptFailure("ValueError", f"no such order {first}", False, "absent", "no")
        store.finish([LeaseEnd(row, failure) for row in taken], time.time(), taken)
    shop.goes_on.set()
    for number in range(runs):
        shop.client.start_workflow("order", {"id": str(number)}, id=f"r-{number}")
    for number in range(runs):
        shop.client.wait_for_run("order", f"r-{number}", timeout=120)
    shop.is_well = True
    for number in range(records):
        shop.client.invoke("charge", {"id": str(number)})


def paths(letters: int) -> Iterator[str]:
    """Give the addresses of the pages: first, middle and last ones of those that are turned."""
    yield from ("", "handlers", "queues", "schedules", "targets", "events", "send")
    yield from ("letters", "letters?many=yes", f"letters?target=local&after={letters // 2}")
    yield from (f"letters?target=local&after={letters - 10}", "letters?target=local&id=1")
    yield "letters?target=local&id=1&payload=yes"
    yield from ("runs", "runs?page=10", "runs?page=20", "runs?workflow=order&run=r-7")
    yield from (
        "keys?table=keys",
        "keys?table=keys&state=unknown",
        "keys?table=keys&record=charge:1",
    )


def cost_of(visitor: Visitor, path: str) -> Cost:
    """Return what a page costs, the second time; memory is measured apart."""
    visitor.get(path)
    began = time.process_time()
    answer = visitor.get(path)
    seconds = time.process_time() - began
    assert answer.status == 200, (path, answer.page.text)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    visitor.get(path)
    memory = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return Cost(path, seconds, memory, len(answer.text))


def main() -> None:
    """Fill a shop and print what its pages cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=LETTERS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--records", type=int, default=RUNS)
    parser.add_argument("--bytes", type=int, default=BYTES)
    parser.add_argument("--every", type=int, default=50, help="each so many letters are large")
    options = parser.parse_args()
    with TemporaryDirectory() as folder, opened(Path(folder) / "local.sqlite3") as shop:
        counts = options.letters, options.runs, options.records
        fill(shop, *counts, options.bytes, every=options.every)
        visitor = visit(shop.sources())
        costs = [cost_of(visitor, path) for path in paths(options.letters)]
    for cost in costs:
        size = f"{cost.memory / 2**20:7.2f} MiB {cost.size / 1024:7.1f} KiB"
        print(f"{1000 * cost.seconds:7.1f} ms {size}  {cost.path or 'overview'}")  # noqa: T201
    worst = max(costs, key=lambda cost: cost.seconds)
    told = f"{options.letters:,} letters, {options.runs:,} runs"
    print(f"{told}: at most {1000 * worst.seconds:.0f} ms")  # noqa: T201
    if worst.seconds > MOST_SECONDS or any(cost.memory > MOST_BYTES for cost in costs):
        raise SystemExit("a page costs more than is promised")


if __name__ == "__main__":
    main()
