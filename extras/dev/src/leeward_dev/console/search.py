"""Finds runs, dead letters, keys and what has passed by a part of an id, a name or a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Final

from leeward.cli.key_records import scan_keys
from leeward.errors import LeewardError
from leeward.leases.faults import DatabaseFault
from leeward.views import Report
from leeward.views.calls import list_keys, row_of_key
from leeward.views.letters import list_letters, row_of
from leeward.views.runs import list_runs
from leeward_dev.console.events import show_timeline
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import Page, Visit, link, show_parts
from leeward_dev.console.letters import letters_at, places

ROWS: Final = 20
"""Of each kind that are shown."""

LOOKED_AT: Final = 2_000
"""Of each kind, the newest runs, the oldest letters."""

PAGES: Final = 20
"""Of each table of keys."""


def show(visit: Visit) -> Page:
    """Return what has the text of the address somewhere, or where one can look."""
    wanted = visit.query.get("q", "").strip().lower()
    if not wanted:
        return Page(
            "Search", element("p", "Type a key, the id of a run, or a part of a text above.")
        )
    sections = [section for section in _search(visit, wanted) if section]
    nothing = f"Nothing has {wanted!r} among {LOOKED_AT:,} of each kind: the page says which."
    return Page(f"Search: {wanted}", sections or element("p", nothing))


def _search(visit: Visit, wanted: str) -> Iterator[Content]:
    """Yield what has the text, by kind; a kind that cannot be asked says why."""
    handlers = () if visit.sources.app is None else visit.sources.app.handlers
    names = [name for name in handlers if wanted in name.lower()]
    links = (element("li", link(name, "handlers", name=name)) for name in names)
    yield [element("h2", "Handlers"), element("ul", links)] if names else None
    for title, find in (("Runs", _runs), ("Dead letters", _letters), ("Keys", _keys)):
        try:
            reports = [*find(visit, wanted)]
        except (LeewardError, DatabaseFault) as error:
            yield [element("h2", title), element("p", f"{error}", role="alert")]
            continue
        if reports:
            yield [element("h2", title), (show_parts(visit, report) for report in reports)]
    entries = [entry for entry in reversed(visit.sources.feed.since()) if _has(wanted, entry)]
    yield (
        [element("h2", "What happened"), show_timeline(visit, entries[:ROWS])] if entries else None
    )


def _has(wanted: str, fields: Iterable[object]) -> bool:
    """Return whether the text stands in one of the fields."""
    return any(wanted in f"{field}".lower() for field in fields if field is not None)


def _runs(visit: Visit, wanted: str) -> Iterator[Report]:
    runs = visit.sources.client.list_runs(limit=LOOKED_AT)
    chosen = [
        run for run in runs if _has(wanted, (run.workflow, run.id, run.error, run.state.value))
    ]
    if chosen:
        yield list_runs(chosen[:ROWS], visit.now)


def _letters(visit: Visit, wanted: str) -> Iterator[Report]:
    """Yield letters of databases: looking into a queue of a cloud hides what is there."""
    for place in places(visit):
        if place.queue is not None:
            continue
        with closing(letters_at(visit, place).each(None)) as walk:
            rows = (row_of(place.target, letter) for letter in islice(walk, LOOKED_AT))
            chosen = [*islice((row for row in rows if _has(wanted, row.values())), ROWS)]
        if chosen:
            yield list_letters(chosen, {}, visit.now)


def _keys(visit: Visit, wanted: str) -> Iterator[Report]:
    for table in visit.sources.config.tables:
        cursor, chosen = None, []
        for _ in range(PAGES):
            page, cursor = scan_keys(visit.sources.client, table, cursor)
            if all(row.record is None for row in page):  # no table of keys; a cloud bills each page
                break
            rows = (row_of_key(row, visit.now) for row in page if row.record is not None)
            chosen += [row for row in rows if _has(wanted, row.values())]
            if cursor is None or len(chosen) >= ROWS:
                break
        if chosen:
            yield list_keys(chosen[:ROWS], visit.now, table)
