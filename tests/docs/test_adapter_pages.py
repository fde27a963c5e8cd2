"""The page of each adapter tells the truth: its tables are those of the adapter's code."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter import Limits
from leeward.adapter.options import table_of

DOCS = Path(__file__).parents[2] / "docs"

CLOUDS = ["aws", "azure", "google"]

FIELDS = {
    "payload of invoke": "payload_bytes",
    "payload of enqueue": "queued_bytes",
    "an event": "event_bytes",
    "a request of events": "batch_bytes",
    "an attribute of an event": "attribute_bytes",
    "an item": "item_bytes",
    "a field of a key": "key_bytes",
    "the name of an attribute of an item": "name_bytes",
    "an object": "object_bytes",
    "the name of an object": "object_name_bytes",
}
"""What the pages call the limits that are bytes."""

COUNTED = {"events": "batch_events", "levels": "nesting", "items": "batch_stores"}
"""Limits that stand behind another one, by their unit."""

UNITS = {"bytes": 1, "KiB": 1024, "MiB": 1024**2, "MB": 1000**2}


def of(cloud: str, module: str) -> Any:
    return import_module(f"leeward_{cloud}.{module}")


def section(cloud: str, heading: str) -> list[list[str]]:
    """Give the rows of the table in a section of a page, its heading left out."""
    text = (DOCS / f"{cloud}.md").read_text(encoding="utf-8")
    body = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def limits_in(rows: list[list[str]]) -> dict[str, int]:
    """Read a table of limits; the first number of bytes in a row is that of each of its names."""
    found: dict[str, int] = {}
    for names, text in rows:
        sizes = re.findall(rf"([\d.,]+) ({'|'.join([*UNITS, *COUNTED])})\b", text)
        size = next(float(n.replace(",", "")) * UNITS[unit] for n, unit in sizes if unit in UNITS)
        values = {FIELDS[name]: int(size) for name in names.replace("`", "").split(", ")}
        values |= {COUNTED[u]: int(n.replace(",", "")) for n, u in sizes if u in COUNTED}
        assert not values.keys() & found.keys()
        found |= values
    return found


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_settings_of_a_page_are_the_options_of_its_adapter(cloud: str) -> None:
    """The table is the one that `make docs` writes, whole."""
    text = (DOCS / f"{cloud}.md").read_text(encoding="utf-8")
    settings = text.partition("\n## Settings\n")[2].partition("\n## ")[0]
    assert f"\n\n{table_of(of(cloud, 'settings.options').OPTIONS)}\n\n" in settings


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_limits_of_a_page_are_those_of_its_adapter(cloud: str) -> None:
    """To the byte, and none is left out; items of which nothing is told are stored one by one."""
    limits: Limits = of(cloud, "driver").LIMITS
    told = limits_in(section(cloud, "Limits"))
    assert {"batch_stores": 1, "model": limits.model} | told == limits._asdict()


def test_what_cloud_tasks_takes_is_documented() -> None:
    """It is less than Pub/Sub does."""
    rows = dict(section("google", "Limits"))
    assert f"{of('google', 'driver').TASK_BYTES:,} with Cloud Tasks" in rows["payload of `enqueue`"]


@pytest.mark.parametrize("cloud", ["azure", "google"])
def test_the_clients_of_a_page_are_those_of_native(cloud: str) -> None:
    """Each service that `native` knows has a row, and the class in it is there."""
    rows = section(cloud, "The vendor's client")
    names = [row[0].strip("`").partition(":")[0] for row in rows]
    assert sorted(names) == sorted(of(cloud, "native")._MAKERS)
    for _, text in rows:
        module, _, name = text.split("`")[1].rpartition(".")
        assert hasattr(import_module(module), name)
