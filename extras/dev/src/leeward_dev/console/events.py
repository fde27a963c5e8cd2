"""What passes: runs of handlers, calls of clients, and logs, as they happen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, cast

from leeward.cli.dead_letters import is_row_id
from leeward.views import Format, Json, severity_of
from leeward_dev.console.handlers import row_of
from leeward_dev.console.html import Html, element
from leeward_dev.console.layout import Page, Visit, choices, link, show_value
from leeward_dev.feed import Entry, EntryKind

MOST: Final = 100
"""Entries of the page."""

KINDS: Final[dict[str, str]] = {
    "": "everything",
    "run": "runs of handlers",
    "call": "calls and events",
    "log": "logs",
}


def show(visit: Visit) -> Page:
    """Return the newest entries of the feed, the newest first."""
    kind = visit.query.get("kind", "")
    kind = kind if kind in KINDS else ""
    kinds = (cast("EntryKind", kind),) if kind else ()
    shown = show_timeline(visit, reversed(visit.sources.feed.since(kinds=kinds, limit=MOST)))
    return Page("Events", [choices("events", "kind", KINDS, kind), shown], is_live=True)


def show_timeline(visit: Visit, entries: Iterable[Entry], limit: int | None = None) -> Html:
    """Return entries, the newest first; with `limit`, so many, and what is alike together."""

    def alike(row: Json) -> object:
        return row["number"] if limit is None else (row["kind"], row["name"], row["end"])

    groups = [[*group] for _, group in groupby(map(row_of, entries), alike)][:limit]
    if not groups:
        return element("p", "Nothing has passed yet.", id="timeline", data_live=True)
    items = (_show_alike(visit, group) for group in groups)
    return element("ol", items, id="timeline", data_live=True, class_="timeline")


def _show_alike(visit: Visit, rows: Sequence[Json]) -> Html:
    row, times, now = rows[0], f"{len(rows):,} times" if len(rows) > 1 else "", visit.now
    facts = (f"{name} {value}" for name, value in row["facts"].items() if value not in (None, ""))
    name, what = show_value(row["name"], Format.TEXT, now), f"{row['kind']}: {row['what']}"
    name = link(name, "handlers", name=row["name"]) if row["kind"] == "run" else name
    message = (
        f"{row['facts'].get('call_id', '')}".rpartition("-")[0] if visit.sources.target else ""
    )
    if "attempt" in row["facts"] and is_row_id(message):
        attempts = link("all attempts", "letters", target=visit.sources.target, id=message)
        name = [name, " ", attempts]
    more = (times, row["took"], row["text"] or ", ".join(facts))
    return element(
        "li",
        show_value(row["time"], Format.MOMENT, now),
        show_value(row["end"], Format.STATE, now) if row["end"] else None,
        element("span", name, " ", element("small", what)),
        (element("span", show_value(value, Format.TEXT, now)) for value in more if value),
        class_=severity_of(row["end"] or "note").name.lower(),
    )
