"""What has to come back alike from every cloud: 60 made cases and the nasty ones.

Items have every type that leeward keeps. Payloads and events are JSON, so there the other types
stand as text; the structure, the names and the numbers are the same.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from hypothesis import HealthCheck, Phase, given, settings

from leeward import Event
from leeward._items.typetree import to_utc
from leeward.json_text import encode
from tests.items.corpus import BLOBS, MOMENTS, NASTY_ITEMS, ODD_NAMES, STRINGS
from tests.items.strategies import ITEMS

MADE: Final = 60

EVENT_BYTES: Final = 200_000
"""Of an event's data: EventBridge takes 256 KiB with everything around it."""

_KEY_ENDS: Final = [
    "",
    "/",
    "?",
    "#",
    "\\",
    " ",
    "%2F",
    "é",
    "\U0001f9ca",
    "~",
    "..",
    "__",
    "'",
    '"',
]
"""What some provider, or a URL, could take for something else."""


class Case(NamedTuple):
    """One item, with a name for who reads the failure."""

    name: str
    item: dict[str, Any]


@cache
def cases() -> tuple[Case, ...]:
    """Give all cases; the made ones are the same in every run."""
    nasty = [Case(name, item) for name, item in NASTY_ITEMS]
    made = [Case(f"made {number}", item) for number, item in enumerate(_made())]
    return tuple(nasty + made)


def items() -> dict[str, dict[str, Any]]:
    """Give the items by name, each with a key."""
    return {
        case.name: {**case.item, "id": f"{number}{_KEY_ENDS[number % len(_KEY_ENDS)]}"}
        for number, case in enumerate(cases())
    }


def payloads() -> dict[str, Any]:
    """Give the payloads by name: what an item is in JSON, and what is no object."""
    bare: list[Any] = [None, True, 0, -0.0, 2**63, 1e22, "", "null", [], [[]], {}, [None]]
    found = {case.name: as_json(case.item) for case in cases()}
    return found | {f"bare {value!r}": value for value in bare}


def events() -> dict[str, Event]:
    """Give the events by name, those with the data that a bus takes."""
    kept = {name: data for name, data in payloads().items() if len(encode(data)) <= EVENT_BYTES}
    found = {f"data: {name}": Event("clouds.case", data) for name, data in kept.items()}
    for blob in BLOBS:
        found[f"bytes: {blob[:9]!r}"] = Event("clouds.case", blob)
    for moment in filter(to_utc, MOMENTS):
        found[f"time: {moment.isoformat()}"] = Event("clouds.case", time=moment)
    for text in filter(str.isprintable, [*STRINGS, *ODD_NAMES]):
        if text.strip():
            found[f"text: {text!r}"] = Event(
                text[:100],
                source=text,
                subject=text,
                extensions={"tenant": text, "retries": -7, "urgent": True},
            )
    return found


def as_json(value: Any) -> Any:
    """Give what is JSON as it is, and text for the rest."""
    if isinstance(value, dict):
        return {name: as_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, Decimal | datetime) else value


def _made() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    @settings(
        max_examples=MADE,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(ITEMS)
    def make(item: dict[str, Any]) -> None:
        found.append(item)

    make()
    return found
