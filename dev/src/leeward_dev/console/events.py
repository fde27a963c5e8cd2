"""What passes: runs of handlers, calls of clients, and logs, as they happen."""

from __future__ import annotations

from typing import Final, cast

from leeward_dev.console.handlers import took
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import GOOD, WRONG, Page, Visit, link, moment, table, word
from leeward_dev.feed import Entry, EntryKind

MOST: Final = 100
"""Entries of the page."""

HEADER: Final = ("Time", "What", "Name", "End", "Took", "More")

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
    entries = visit.sources.feed.since(kinds=kinds, limit=MOST)
    links = element(
        "ul",
        (
            element(
                "li",
                element(
                    "a",
                    name,
                    href=f"events?kind={each}",
                    aria_current="true" if each == kind else None,
                ),
            )
            for each, name in KINDS.items()
        ),
        class_="choices",
    )
    caption = f"The last {MOST}, the newest first"
    rows = [_row(entry) for entry in reversed(entries)]
    empty = "Nothing has passed yet."
    return Page(
        "Events", [links, table(caption, HEADER, rows, id="events", empty=empty)], is_live=True
    )


def _row(entry: Entry) -> list[Content]:
    facts = ", ".join(
        f"{name} {value}" for name, value in entry.facts.items() if value not in (None, "")
    )
    name: Content = entry.name
    if entry.kind == "run":
        name = link(entry.name, "handlers", name=entry.name)
    return [
        moment(entry.time),
        f"{entry.kind}: {entry.what}",
        name,
        word(entry.outcome, GOOD if entry.is_good else WRONG) if entry.outcome else "-",
        took(entry),
        entry.text or facts,
    ]
