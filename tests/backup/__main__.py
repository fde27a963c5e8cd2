"""Backups at full size: `python -m tests.backup [--items N] [--providers local,aws,...]`.

Fills an embedded table, backs it up to the bucket of every provider, restores that into the table
of every provider, and backs up each of those to every bucket again; the first one also in several
runs, each on a disk of its own. All the multiset digests must be the same. Prints what it took:
seconds, CPU for each item, and the memory of this process.
"""

from __future__ import annotations

import resource
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from leeward import Client, Config, Promise
from leeward.calls import Key, Store
from leeward.config import TableConfig
from leeward.config.model import BucketConfig
from leeward.local import Local
from leeward_backup import Backups
from leeward_contract_tests.fixtures import BUCKET, ITEMS
from tests.clouds.places import PLACES

CHUNK: Final = 1000
SECONDS: Final = 600.0
ITEMS_A_SECOND: Final = 10_000
"""Of a backup, about: by it the runs of one that goes on in others are as many for any size."""


def _item(number: int) -> dict[str, Any]:
    return {
        "id": f"order-{number:09d}",
        "customer": f"customer-{number % 977}",
        "total": Decimal(number % 10_000) / 100,
        "lines": [{"sku": f"sku-{n}", "count": n + 1} for n in range(2)],
        "paid": number % 3 == 0,
        "rate": number / 7,
        "note": "left at the gate, as was agreed",
    }


def _fill(driver: Local, items: int) -> None:
    for start in range(0, items, CHUNK):
        made = [_item(number) for number in range(start, min(start + CHUNK, items))]
        calls = [
            Store("source", Key(("id",), (each["id"],)), each, each["id"], time.time())
            for each in made
        ]
        driver.store_many(calls, SECONDS)


@contextmanager
def _world(providers: list[str], folder: Path) -> Iterator[tuple[Client, Local]]:
    local = Local(path=folder / "local.sqlite3")
    with ExitStack() as stack:
        drivers: dict[str, Any] = {"local": local}  # the source is there, whoever was named
        for name in providers:
            if name != "local":
                drivers[name] = stack.enter_context(PLACES[name]()).open_past_proxies()
        tables = {
            name: TableConfig(home=each.target, names={each.target: ITEMS})
            for name, each in drivers.items()
        }
        buckets = {
            f"{name}-bucket": BucketConfig(home=each.target, names={each.target: BUCKET})
            for name, each in drivers.items()
        }
        config = Config(tables={**tables, "source": TableConfig(home="local")}, buckets=buckets)
        yield stack.enter_context(Client([*drivers.values()], config=config)), local


def _timed(what: str, items: int, work: Callable[[], Any]) -> Any:
    wall, cpu = time.monotonic(), time.process_time()
    done = work()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate, each = items / wall, cpu / items * 1e6
    print(f"{what:42} {wall:8.1f} s {rate:9,.0f} items/s {each:7.0f} us/item {memory:6.0f} MiB")
    sys.stdout.flush()
    return done


def _digest(backups: Backups) -> str:
    folder, keys = backups._folder, backups._keys
    return folder.manifest(folder.find("latest"), keys).digest


def _in_pieces(client: Client, store: str, folder: Path, seconds: float) -> str:
    """Back up in runs of so many seconds, each with a disk of its own; return the digest."""
    while True:
        with TemporaryDirectory(dir=folder) as work:
            backups = Backups(client, "source", store, work=Path(work))
            if backups.create_within(seconds, id="pieces") is not None:
                return _digest(backups)


def _restored(backups: Backups, providers: list[str], items: int) -> bool:
    good = True
    for into in providers:
        work = partial(backups.restore, into=into)
        done = _timed(f"restore into {into}", items, work)
        good = good and done.promise is Promise.VERIFIED
    return good


def run(providers: list[str], items: int, folder: Path) -> bool:
    """Run everything; return whether all digests are the same and all restores are verified."""
    good, digests = True, set()
    with _world(providers, folder) as (client, local):
        _timed("fill local", items, lambda: _fill(local, items))
        for table in ("source", *providers):
            for bucket in providers:
                backups = Backups(client, table, f"{bucket}-bucket/full", work=folder / "work")
                _timed(f"back up {table} to {bucket}", items, backups.create)
                digests.add(_digest(backups))
                if table == "source":
                    store, seconds = f"{bucket}-bucket/pieces", max(1.0, items / ITEMS_A_SECOND)
                    pieces = partial(_in_pieces, client, store, folder, seconds)
                    digests.add(_timed(f"the same in pieces to {bucket}", items, pieces))
                if table == "source" and bucket == providers[-1]:
                    good = _restored(backups, providers, items)
    print(f"{len(digests)} digest, {'all verified' if good else 'not all verified'}")
    return good and len(digests) == 1


def main() -> None:
    """Run it for the providers that were named."""
    parser = ArgumentParser(prog="python -m tests.backup", description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--providers", default=",".join(PLACES))
    chosen = parser.parse_args()
    with TemporaryDirectory() as folder:
        good = run(chosen.providers.split(","), chosen.items, Path(folder))
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
