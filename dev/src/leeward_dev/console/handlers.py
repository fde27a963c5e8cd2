"""The handlers of the app that runs here, and their last runs."""

from __future__ import annotations

from leeward.app.handlers import Handler
from leeward.app.signatures import definition_place
from leeward.app.triggers import Kind
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import (
    GOOD,
    WRONG,
    Page,
    Visit,
    ago,
    check_known,
    link,
    moment,
    pairs,
    table,
    word,
)
from leeward_dev.feed import Entry

HEADER = ("Handler", "Is for", "Runs", "Failed", "Last run")
RUNS = ("Ended", "Took", "Attempt", "End", "Where it failed")


def show(visit: Visit) -> Page:
    """Return the handlers; or one, with its last runs."""
    app = visit.sources.app
    known = {} if app is None else app.handlers
    if "name" in visit.query:
        return _show_handler(visit, known[check_known(visit.query["name"], known, "handler")])
    rows = [_row(visit, handler) for handler in known.values()]
    empty = "The app has no handlers: decorate a function with @app.function()."
    caption = "The counts are of the last runs in this process, 50 at most."
    return Page("Handlers", table(caption, HEADER, rows, id="handlers", empty=empty), is_live=True)


def _row(visit: Visit, handler: Handler) -> list[Content]:
    runs = visit.sources.feed.runs(handler.name)
    failed = sum(not run.is_good for run in runs)
    last = [_end(runs[-1]), " ", ago(runs[-1].time, visit.now)] if runs else "-"
    return [
        link(handler.name, "handlers", name=handler.name),
        purpose(handler),
        len(runs),
        word(str(failed), WRONG) if failed else 0,
        last,
    ]


def _show_handler(visit: Visit, handler: Handler) -> Page:
    facts: list[tuple[str, Content]] = [
        ("Is for", purpose(handler)),
        ("Running it again", handler.effect.value if handler.is_call else "-"),
        ("Time limit", "-" if handler.timeout is None else f"{handler.timeout:g} s"),
        ("Tries", "as the target says" if handler.retries is None else handler.retries + 1),
        ("Defined at", definition_place(handler.function) or "-"),
    ]
    runs = visit.sources.feed.runs(handler.name)
    rows = [_run(run) for run in reversed(runs)]
    again = link("Run it", "send", kind="run", name=handler.name)
    return Page(
        handler.name,
        [
            pairs(facts),
            element("p", again) if visit.sources.run_handler and visit.sources.can_write else None,
            element("h2", "Last runs"),
            table("The newest first", RUNS, rows, id="runs", empty="It has not run here yet."),
            link("All handlers", "handlers"),
        ],
        is_live=True,
    )


def _run(run: Entry) -> list[Content]:
    places = [element("code", place) for place in reversed(run.frames)]
    return [
        moment(run.time),
        took(run),
        run.facts.get("attempt") or "-",
        _end(run),
        element("div", *(element("div", place) for place in places)) if places else "-",
    ]


def _end(run: Entry) -> Content:
    return word(run.outcome or "ok", GOOD if run.is_good else WRONG)


def took(entry: Entry) -> str:
    """Return how long something took, in milliseconds."""
    return "-" if entry.seconds is None else f"{1000 * entry.seconds:,.1f} ms"


def purpose(handler: Handler) -> str:
    """Return what runs a handler, in words."""
    match handler.kind:
        case Kind.EVENT:
            return f"events {handler.type or 'of every type'} of {handler.bus}"
        case Kind.MESSAGE:
            return f"messages of {handler.queue}"
        case Kind.SCHEDULE:
            return f"the schedule {handler.schedule}"
        case Kind.OBJECT:
            return f"objects {handler.bucket}/{handler.prefix}"
        case _:
            return "queued calls and calls" if handler.queued else "calls"
