"""The handlers of the app that runs here, how often each ran and failed, and its last runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from leeward.app.handlers import Handler
from leeward.stores import APPROVAL
from leeward.views import Column, Details, Format, Json, Report, Severity, Table, count, severity_of
from leeward.views.targets import HANDLER, purpose, row_of_handler
from leeward_dev.console.html import Html, element, visible
from leeward_dev.console.layout import Page, Visit, check_known, link, show_parts, show_value
from leeward_dev.feed import Entry

SPANS: Final = 12
SPAN: Final = 300
"""Seconds of each of the `SPANS` of a chart."""

RUNS: Final = (
    Column("Ended", "time", Format.MOMENT),
    Column("Took", "took"),
    Column("Attempt", lambda row: row["facts"].get("attempt")),
    Column("End", "end", Format.STATE),
    Column("Where it failed", lambda row: row["frames"][::-1], Format.LINES),
)


def show(visit: Visit) -> Page:
    """Return the handlers; or one, with its last runs."""
    handlers = _handlers(visit)
    if "name" in visit.query:
        return _show_handler(visit, handlers[check_known(visit.query["name"], handlers, "handler")])
    empty = "The app has no handlers: decorate a function with @app.function()."
    shown = show_rates(visit, count_runs(visit)) if handlers else element("p", empty)
    return Page("Handlers", shown, is_live=True)


def row_of(entry: Entry) -> Json:
    """Return an entry of the feed as a row."""
    end = entry.outcome if entry.is_good else f"failed: {entry.outcome or entry.what}"
    if APPROVAL in (entry.outcome, entry.facts.get("failure")):
        end = f"waiting: {APPROVAL}"  # for a person: nothing has failed
    elif entry.what == "WARNING":
        end = "warning"
    took = None if entry.seconds is None else f"{1000 * entry.seconds:,.1f} ms"
    return entry._asdict() | {"end": end, "took": took}


Counts = dict[str, tuple[list[int], list[int]]]
"""By name: how many runs or calls failed in each span of the last hour, and how many did not."""


def count_runs(visit: Visit) -> Counts:
    """Return how the runs of each handler went in the last hour."""
    feed, handlers = visit.sources.feed, _handlers(visit)
    runs = (run for name in handlers for run in feed.runs(name))  # much else pushes none of it out
    of_all = {run.number: run for run in (*runs, *feed.since(kinds=["run"]))}.values()
    return _count(visit, handlers, ((run.name, run) for run in of_all))


def _count(visit: Visit, names: Iterable[str], entries: Iterable[tuple[str, Entry]]) -> Counts:
    first = int(visit.now // SPAN) - SPANS + 1
    counts = {name: ([0] * SPANS, [0] * SPANS) for name in names}
    for name, entry in entries:
        at = int(entry.time // SPAN) - first
        if name in counts and 0 <= at < SPANS:
            is_failure = severity_of(row_of(entry)["end"]) is Severity.WRONG
            counts[name][not is_failure][at] += 1
    return counts


def show_rates(visit: Visit, counts: Counts) -> Html:
    """Return a chart for each handler, with what `count_runs` says of it."""
    rows = {name: row_of_handler(handler) for name, handler in _handlers(visit).items()}
    rates = (
        _show_rate((link(name, "handlers", name=name), purpose(rows[name])), f"run of {name}", ways)
        for name, ways in counts.items()
    )
    return element("ul", rates, id="rates", data_live=True, class_="rates")


def show_calls(visit: Visit) -> Html:
    """Return a chart for each target: how calls with an effect went in the last hour."""
    calls = visit.sources.feed.since(kinds=["call"])
    counts = _count(visit, visit.drivers, ((f"{call.facts.get('target')}", call) for call in calls))
    rates = (
        _show_rate((link(name, "targets"), "calls with an effect"), f"call to {name}", ways)
        for name, ways in counts.items()
    )
    return element("ul", rates, id="calls", data_live=True, class_="rates")


def _show_rate(heads: tuple[Html, str], what: str, ways: tuple[list[int], list[int]]) -> Html:
    """Return one chart; `what` is counted, such as ``run of pay``."""
    (failed, other), noun = ways, what.partition(" ")[0]
    number, wrong = sum(failed + other), sum(failed)
    numbers = f"failed {', '.join(map(str, failed))}; others {', '.join(map(str, other))}"
    label = what.replace(noun, f"{noun.capitalize()}s", 1)
    words = visible(f"{label} in the last hour, 5 minutes each: {numbers}")
    unit = 400 / max(max(failed) + max(other), 1)
    axis = int(unit * max(other)) if wrong else 400

    def bars(kind: str, way: str, counts: list[int]) -> Html:
        tall = [(at, max(int(unit * count), 12)) for at, count in enumerate(counts) if count]
        ways = (f"M{80 * at} {axis}v{way}{height}h70V{axis}z" for at, height in tall)
        return element("path", d="".join(ways), class_=kind)

    chart = element(
        "svg",
        *(element("title", words), bars("runs", "-", other), bars("fails", "", failed)),
        element("path", d=f"M0 {axis}h960", class_="line"),
        viewBox="0 -14 960 428",
        preserveAspectRatio="none",
        role="img",
        aria_label=words,
    )
    rate = f"{count(number, noun)}, {number / 60:.2g} a minute"
    end = f"failed: {wrong:,}" if wrong else "ok" if number else "note: none"
    return element(
        "li",
        element("h3", heads[0]),
        element("small", heads[1]),
        chart,
        element("small", element("span", "1 h ago"), element("span", "now"), class_="axis"),
        element("p", f"{rate} ", show_value(end, Format.STATE, 0)),
    )


def _handlers(visit: Visit) -> Mapping[str, Handler]:
    return {} if visit.sources.app is None else visit.sources.app.handlers


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
