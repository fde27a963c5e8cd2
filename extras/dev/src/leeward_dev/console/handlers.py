"""The handlers of the app that runs here, and their last runs."""

from __future__ import annotations

from typing import Final

from leeward.app.handlers import Handler
from leeward.views import Column, Details, Format, Json, Report, Table
from leeward.views.targets import HANDLER, row_of_handler
from leeward_dev.console.html import element
from leeward_dev.console.layout import Page, Visit, check_known, link, show_parts
from leeward_dev.feed import Entry

LISTED: Final = (
    *HANDLER[:2],
    Column("Runs", "runs", Format.COUNT),
    Column("Failed", "failed", Format.COUNT),
    Column("Last end", "end", Format.STATE),
    Column("Last run", "time", Format.AGO),
)

RUNS: Final = (
    Column("Ended", "time", Format.MOMENT),
    Column("Took", "took"),
    Column("Attempt", lambda row: row["facts"].get("attempt")),
    Column("End", "end", Format.STATE),
    Column("Where it failed", lambda row: row["frames"][::-1], Format.LINES),
)


def show(visit: Visit) -> Page:
    """Return the handlers; or one, with its last runs."""
    app = visit.sources.app
    known = {} if app is None else app.handlers
    if "name" in visit.query:
        return _show_handler(visit, known[check_known(visit.query["name"], known, "handler")])
    listed = Table(
        *(LISTED, [_row(visit, handler) for handler in known.values()]),
        "The counts are of the last runs in this process, 50 at most.",
        "The app has no handlers: decorate a function with @app.function().",
        lambda row: ("handlers", {"name": row["name"]}),
    )
    parts = show_parts(visit, Report({}, visit.now, [listed]), id="handlers")
    return Page("Handlers", parts, is_live=True)


def _row(visit: Visit, handler: Handler) -> Json:
    runs = visit.sources.feed.runs(handler.name)
    last = row_of(runs[-1]) if runs else {}
    failed = sum(not run.is_good for run in runs)
    return last | row_of_handler(handler) | {"runs": len(runs), "failed": failed}


def row_of(entry: Entry) -> Json:
    """Return an entry of the feed as a row."""
    end = entry.outcome if entry.is_good else f"failed: {entry.outcome}"
    took = None if entry.seconds is None else f"{1000 * entry.seconds:,.1f} ms"
    return entry._asdict() | {"end": end, "took": took}


def _show_handler(visit: Visit, handler: Handler) -> Page:
    runs = [row_of(run) for run in reversed(visit.sources.feed.runs(handler.name))]
    listed = Table(RUNS, runs, "The newest first", "It has not run here yet.")
    details = Details(HANDLER[1:], row_of_handler(handler))
    facts, shown = show_parts(visit, Report({}, visit.now, [details, listed]), id="runs")
    again = link("Run it", "send", kind="run", name=handler.name)
    return Page(
        handler.name,
        [
            facts,
            element("p", again) if visit.sources.run_handler and visit.sources.can_write else None,
            element("h2", "Last runs"),
            shown,
            link("All handlers", "handlers"),
        ],
        is_live=True,
    )
