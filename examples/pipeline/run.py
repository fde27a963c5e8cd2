"""Run the pipeline on this machine: ``python examples/pipeline/run.py``; `--help` says more.

Files arrive, some of them twice, some in two versions, a few that nobody can read. The view shows
what becomes of them. End it in any way, kill -9 as well: with ``--folder`` it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pipeline import ARRIVED, BUCKET, CATEGORIES, PROCESSED, cloud
from rich.console import Console
from rich.live import Live
from rich.table import Table

from leeward import Client

KNOWN = {"tea": "drinks", "coffee": "drinks", "cup": "kitchen", "kettle": "kitchen"}
PAUSE = 0.2
"""Seconds between two looks."""


class Seen(NamedTuple):
    """How far it is: files that arrived, summaries, and those given up by their reason."""

    arrived: int
    processed: int
    given_up: Counter[str]

    @property
    def is_over(self) -> bool:
        """Return whether each file has become a summary, or was given up."""
        return self.processed + self.given_up.total() >= self.arrived


def file_of(number: int, random: Random) -> bytes:
    """Make a file; every twentieth is one that nobody can read."""
    if number % 20 == 7:
        return random.choice((b"\xff\xfe\x00", b"a;b;c\n1;2;3\n"))
    lines = ["store, sku, pieces, price"]
    for _ in range(random.randint(1, 40)):
        sku = random.choice((*KNOWN, "hat"))
        pieces, price = random.randint(1, 9), f"{random.randint(50, 9000) / 100:.2f}"
        lines.append(random.choice((f"berlin,{sku},{pieces},{price}",) * 9 + ("berlin,,x,",)))
    return "\n".join(lines).encode()


def feed(client: Client, files: int, seed: int) -> None:
    """Let files arrive that are not there yet; some come again, in another version."""
    random = Random(seed)  # noqa: S311 - it only makes up files
    for number in range(files):
        name, body = f"{ARRIVED}{number:05}.csv", file_of(number, random)
        again = random.random() < 0.1
        if client.head_object(BUCKET, name) is None:
            client.put_object(BUCKET, name, body)
            if again:
                client.put_object(BUCKET, name, body)


def look(client: Client) -> Seen:
    """Look how far it is."""
    letters = client.native("local", "dead_letters")
    by_key = {json.loads(each.document)["key"]: each.reason or each.error for each in letters}
    reasons = Counter(by_key.values())
    return Seen(count(client, ARRIVED), count(client, PROCESSED), reasons)


def count(client: Client, prefix: str) -> int:
    """Count the objects whose names begin so."""
    found, cursor = 0, None
    while True:
        page = client.list_objects(BUCKET, prefix, cursor=cursor)
        found, cursor = found + len(page.objects), page.cursor
        if cursor is None:
            return found


def shown(seen: Seen, seconds: float) -> Table:
    """Return the view."""
    table = Table(title=f"pipeline, {seconds:.0f} s")
    for name in ("arrived", "waiting", "processed", "given up"):
        table.add_column(name, justify="right")
    waiting = seen.arrived - seen.processed - seen.given_up.total()
    told = ", ".join(f"{reason}: {n}" for reason, n in sorted(seen.given_up.items())) or "0"
    table.add_row(str(seen.arrived), str(max(0, waiting)), str(seen.processed), told)
    return table


def totals(client: Client) -> dict[str, Any]:
    """Add up all summaries: whatever order they were made in, it is the same."""
    pieces: Counter[str] = Counter()
    cursor = None
    while True:
        page = client.list_objects(BUCKET, PROCESSED, cursor=cursor)
        for each in page.objects:
            reader = client.get_object(BUCKET, each.name)
            assert reader is not None
            for category, told in json.loads(reader.read())["categories"].items():
                pieces[category] += told["pieces"]
        cursor = page.cursor
        if cursor is None:
            return dict(sorted(pieces.items()))


def run(folder: Path, files: int, seed: int, console: Console) -> None:
    """Run the pipeline until every file is dealt with."""
    settings = folder / "leeward.toml"
    settings.write_text(f"[targets.local]\npath = '{folder / 'pipeline.sqlite3'}'\n")
    os.environ |= {"CLOUD_PROVIDER": "local", "LEEWARD_CONFIG": str(settings)}
    with cloud() as client:
        client.put_object(BUCKET, CATEGORIES, json.dumps(KNOWN).encode())
        feeder = threading.Thread(target=feed, args=(client, files, seed), daemon=True)
        began = time.monotonic()
        feeder.start()
        with Live(console=console, auto_refresh=False) as live:
            while True:
                is_fed = not feeder.is_alive()
                seen = look(client)
                live.update(shown(seen, time.monotonic() - began), refresh=True)
                if is_fed and seen.is_over:
                    break
                time.sleep(PAUSE)
        if not console.is_terminal:
            console.print()
        console.print(f"pieces by category: {totals(client)}")


def main() -> None:
    """Read the options, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--files", type=int, default=200, help="how many arrive; 200")
    parser.add_argument("--seed", type=int, default=1, help="decides what is in them; 1")
    parser.add_argument("--folder", type=Path, help="keep everything there; else it is forgotten")
    given = parser.parse_args()
    console = Console(file=sys.stdout)
    logging.getLogger("leeward").addHandler(logging.NullHandler())  # the view tells the reasons
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
        run(given.folder, given.files, given.seed, console)
        return
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        run(Path(folder), given.files, given.seed, console)


if __name__ == "__main__":
    main()
