"""What the proofs of the pipeline on real processes share: kills, and what has to be there."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from leeward import Client
from leeward.calls import QueueMessage
from tests.house.workspace import ROOT
from tests.pipeline.files import KNOWN, body_of, name_of, output_of, poison_of, summary_of

BUCKET: Final = "sales"

FILES: Final = int(os.environ.get("LEEWARD_CLOUD_OBJECTS", "45"))
"""In the suite; ``LEEWARD_CLOUD_OBJECTS=10000`` in the environment makes it more."""

POINTS: Final = tuple(
    (verb, side)
    for verb in ("get_object", "put_object", "head_object")
    for side in ("before", "after")
)
"""Each call of a handler, and each side of it."""


def modules() -> dict[str, str]:
    """Return what is deployed: the pipeline, and what kills it."""
    return {
        "pipeline.py": (ROOT / "examples/pipeline/pipeline.py").read_text(encoding="utf-8"),
        "killing.py": Path(__file__).with_name("killing.py").read_text(encoding="utf-8"),
    }


def remember(memory: Path, points: Iterable[tuple[str, str]] = POINTS) -> None:
    """Make the database with the points at which a process is killed."""
    with closing(sqlite3.connect(memory)) as made, made:
        made.executescript(
            "CREATE TABLE points (verb, side, used DEFAULT 0); CREATE TABLE calls (n);"
            "CREATE TABLE written (name, version, write_id, PRIMARY KEY (name, version, write_id));"
            "INSERT INTO calls VALUES (0);"
        )
        made.executemany("INSERT INTO points (verb, side) VALUES (?, ?)", points)


def let_arrive(client: Client, numbers: Iterable[int]) -> dict[str, str]:
    """Put files; return their revisions by name."""
    client.put_object(BUCKET, "reference/categories.json", json.dumps(KNOWN).encode())
    found = {}
    for number in numbers:
        receipt = client.put_object(BUCKET, name_of(number), body_of(number))
        assert receipt.revision is not None
        found[name_of(number)] = receipt.revision
    return found


def reasons_in(letters: Iterable[QueueMessage]) -> list[str]:
    """Return the reasons that dead letters of a queue tell."""
    told = (
        json.loads(str(each.value))
        for letter in letters
        for each in letter.attributes
        if each.name == "leeward-dead-letter"
    )
    return sorted(each["reason"] for each in told)


def poisons(numbers: Iterable[int]) -> list[str]:
    """Return the reasons of the files that nobody can read."""
    return sorted(poison for each in numbers if (poison := poison_of(each)) is not None)


def check(client: Client, memory: Path, versions: Mapping[str, str], files: int) -> None:
    """Check that each file has one summary, written once, and each point had its kill.

    Args:
        client: at the target.
        memory: the database.
        versions: of the files, by name, as their events tell them.
        files: how many there are.
    """
    for number in range(files):
        found = client.get_object(BUCKET, output_of(number))
        if poison_of(number) is not None:
            assert found is None
            continue
        assert found is not None, number
        assert found.read() == summary_of(number)
        info = client.head_object(BUCKET, output_of(number))
        assert info is not None
        assert info.metadata["source_version"] == versions[name_of(number)]
    with closing(sqlite3.connect(memory)) as told:
        assert told.execute("SELECT verb, side FROM points WHERE NOT used").fetchall() == []
        written = Counter(name for (name,) in told.execute("SELECT name FROM written"))
    wanted = {output_of(each) for each in range(files) if poison_of(each) is None}
    assert written == dict.fromkeys(wanted, 1)
