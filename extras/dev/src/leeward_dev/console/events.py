"""What passes: runs of handlers, calls of clients, and logs, as they happen."""

from __future__ import annotations

from typing import Final, cast

from leeward.views import Column, Format, Json, Link, Report, Table
from leeward_dev.console.handlers import row_of
from leeward_dev.console.layout import Page, Visit, choices, show_parts
from leeward_dev.feed import EntryKind

MOST: Final = 100
"""Entries of the page."""

KINDS: Final[dict[str, str]] = {
    "": "everything",
    "run": "runs of handlers",
    "call": "calls and events",
    "log": "logs",
}


def _more(row: Json) -> str:
    facts = (f"{name} {value}" for name, value in row["facts"].items() if value not in (None, ""))
    return row["text"] or ", ".join(facts)


ENTRY: Final = (
    Column("Time", "time", Format.MOMENT),
    Column("What", lambda row: f"{row['kind']}: {row['what']}"),
    Column("Name", "name", is_name=True),
    Column("End", "end", Format.STATE),
    Column("Took", "took"),
    Column("More", _more),
)


def _page(row: Json) -> Link | None:
    return ("handlers", {"name": row["name"]}) if row["kind"] == "run" else None


def show(visit: Visit) -> Page:
    """Return the newest entries of the feed, the newest first."""
    kind = visit.query.get("kind", "")
    kind = kind if kind in KINDS else ""
    kinds = (cast("EntryKind", kind),) if kind else ()
    entries = visit.sources.feed.since(kinds=kinds, limit=MOST)
    rows = [row_of(entry) for entry in reversed(entries)]
    listed = Table(
        *(ENTRY, rows, f"The last {MOST}, the newest first", "Nothing has passed yet.", _page)
    )
    parts = show_parts(visit, Report({}, visit.now, [listed]), id="events")
    return Page("Events", [choices("events", "kind", KINDS, kind), parts], is_live=True)
