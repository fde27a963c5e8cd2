"""The pipeline on `local`, in processes that are killed at each of its calls."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from leeward import Client
from leeward.local import Local
from tests.pipeline import proof
from tests.pipeline.simulated import pipeline

WORKER = """
import os

from killing import app

from leeward import Client
from leeward.local import Local

local = Local(path=os.environ["STORE"])
with Client(local, app=app):
    local.wait_idle(float(os.environ["PATIENCE"]))
"""

TWICE = """INSERT INTO deliveries (bus, subscriber, idempotency_key, document)
    SELECT bus, subscriber, idempotency_key, document FROM deliveries
    WHERE NOT dead AND id % 3 = 0"""
"""What tells of each third file comes twice."""

LEASES_END = "UPDATE deliveries SET due = 1 WHERE lease IS NOT NULL"
"""What a process has leased that was killed is due again: nobody waits here for that."""


def change(database: Path, statement: str, *rows: tuple[str, ...]) -> None:
    """Change a database, with each of some rows or without any."""
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.executemany(statement, rows) if rows else opened.execute(statement)


def arrived(store: Path, numbers: Iterable[int]) -> dict[str, str]:
    """Let files arrive, of which nobody is told yet; return their revisions by name."""
    with pipeline() as module, Client(Local(path=store), app=module.app) as feeder:
        return proof.let_arrive(feeder, numbers)


def killed(folder: Path, environment: dict[str, str]) -> int:
    """Run the pipeline until it is done; return how often its process was killed."""
    times = 0
    while True:
        done = subprocess.run(
            [sys.executable, "worker.py"], cwd=folder, env=environment, check=False
        )
        if done.returncode == 0:
            return times
        assert done.returncode == -9
        change(Path(environment["STORE"]), LEASES_END)
        times += 1


def test_each_summary_is_written_once_however_processes_are_killed(tmp_path: Path) -> None:
    """By kill -9, before and after each call; in two runs, since five silent ends are too many."""
    for name, text in {**proof.modules(), "worker.py": WORKER}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    store, memory = tmp_path / "store.sqlite3", tmp_path / "memory"
    environment = {
        "PROVIDER": "local",
        "STORE": str(store),
        "MEMORY": str(memory),
        "PATIENCE": str(60 + proof.FILES),
        "PATH": os.environ["PATH"],
    }
    proof.remember(memory, ())
    half, times, versions = proof.FILES // 2, 0, dict[str, str]()
    for points, numbers in (
        (proof.POINTS[:4], range(half)),
        (proof.POINTS[4:], range(half, proof.FILES)),
    ):
        versions |= arrived(store, numbers)
        change(store, TWICE)
        change(memory, "INSERT INTO points (verb, side) VALUES (?, ?)", *points)
        times += killed(tmp_path, environment)
    with Client(local := Local(path=store)) as client:
        proof.check(client, memory, versions, proof.FILES)
        letters = {json.loads(each.document)["key"]: each.reason for each in local.dead_letters()}
    assert sorted(map(str, letters.values())) == proof.poisons(range(proof.FILES))
    assert times == len(proof.POINTS)
