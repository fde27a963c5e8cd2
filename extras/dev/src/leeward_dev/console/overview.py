"""The overview: at a glance what waits, fails and runs; the last hour; what needs a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from leeward.errors import LeewardError
from leeward.status import Sources, read_status
from leeward.status.facts import Fact, Level, Subject, report_of
from leeward.views import Format, Json, severity_of
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.journal import Journal
from leeward_dev.console.events import show_timeline
from leeward_dev.console.handlers import count_runs, show_calls, show_rates
from leeward_dev.console.html import Html, element
from leeward_dev.console.layout import Page, Visit, link, show_parts, show_value
from leeward_dev.feed import MOST_ENTRIES, MOST_RUNS

SECONDS: Final = 4.0
"""For all that is asked of one target."""

MOST: Final = 12
"""Charts, and lines of the timeline."""


def show(visit: Visit) -> Page:
    """Return at a glance what can be known now, and a sentence each."""
    facts, is_near = _read(visit), _is_near(visit)
    fine = [fact for fact in facts if fact.level is Level.OK]
    rest = [fact for fact in facts if fact.level is not Level.OK]
    listed, notice = show_parts(visit, report_of(rest, visit.now), id="facts" if is_near else None)
    well = show_parts(visit, report_of(fine, visit.now), id="well" if is_near else None)[0]
    cards = element("ul", _show_cards(report_of(facts).data["facts"]), class_="cards")
    body = [
        element("div", element("strong", notice), cards, id="cards", data_live=is_near),
        listed,
        element("details", element("summary", "What is well"), well),
        _show_hour(visit) if visit.sources.app is not None else None,
    ]
    return Page("Overview", body, is_live=is_near)


def show_queues(visit: Visit) -> Page:
    """Return how much waits for whom, and how much was given up."""
    facts, is_near = [fact for fact in _read(visit) if fact.kind is Subject.QUEUE], _is_near(visit)
    listed = show_parts(visit, report_of(facts, visit.now), id="queues" if is_near else None)[0]
    return Page("Queues", listed, is_live=is_near)


def _read(visit: Visit) -> list[Fact]:
    sources = visit.sources
    is_running = sources.app is not None
    return read_status(
        Sources(
            sources.config,
            visit.drivers,
            sources.client.targets() if is_running else (),
            sources.app,
            _journal(visit) if is_running else None,
        ),
        sources.client._operations.clock.now,  # noqa: SLF001 - by which rows are judged
        SECONDS,
    )


def _is_near(visit: Visit) -> bool:
    """Return whether no cloud is asked: a page that nobody reads must not do that."""
    return all(driver.stores() is not None for driver in visit.drivers.values())


def _show_cards(facts: Sequence[Json]) -> Iterator[Html]:
    """Yield the numbers of facts, as ``leeward status --json`` writes these."""

    def total(kind: str, name: str, state: str | None = None) -> int:
        values = (fact["values"] for fact in facts if fact["kind"] == kind)
        return sum(values.get(name) or 0 for values in values if values.get("state") == state)

    # A call that waits in a queue has a record as well, where the app is known that keeps it.
    waiting = max(total("keys", "count", "waiting"), total("queue", "approvals"))
    calls, keys = total("unknown", "open"), total("keys", "count", "unknown")
    settle = "unknown" if calls else "keys"
    # What did not answer in time says so of its queues, and has not said the rest.
    silent = {row["kind"] for row in facts if row["level"] == "unknown"}
    is_away = "queue" in silent or any(row["values"].get("reachable") is False for row in facts)
    for title, page, state, number, kinds in (
        ("Waiting approvals", "keys", "waiting", waiting, {"keys"}),
        ("Unknown outcomes", settle, "unknown", calls + keys, {"keys", "unknown"}),
        ("Dead letters", "letters", "failed", total("queue", "dead"), {"queue"}),
        ("Stranded runs", "runs", "wrong", total("runs", "stuck"), {"runs"}),
        ("Running", "runs", "running", total("runs", "running"), {"runs"}),
    ):
        is_whole = not is_away and silent.isdisjoint(kinds)
        word = state if number else "ok" if is_whole else "not all known"
        yield element(
            "li",
            link([element("strong", f"{number:,}"), " ", title], page),
            *(" ", show_value(word, Format.STATE, 0)),
            class_=f"card {severity_of(word).name.lower()}",
        )


def _show_hour(visit: Visit) -> Iterator[Html]:
    """Yield charts of handlers, the worst first, and what happened, the newest first."""
    ran = [entry for entry in count_runs(visit).items() if any(map(any, entry[1]))]
    ran.sort(key=lambda entry: (-sum(entry[1][0]), -sum(entry[1][1])))
    yield element("h2", "The last hour, by handler")
    kept = f"of the last {MOST_ENTRIES:,} things that passed here, and {MOST_RUNS} of each handler"
    yield element("small", f"Up: runs. Down: failures. Each bar has 5 minutes, {kept}.")
    yield show_rates(visit, dict(ran[:MOST]))
    yield element("h2", "The last hour, by target")
    yield show_calls(visit)
    yield element("h2", "What happened")
    entries = reversed(visit.sources.feed.since(kinds=["run", "log"]))
    yield show_timeline(visit, (it for it in entries if it.kind == "run" or not it.is_good), MOST)
    yield link("All events", "events")


def _journal(visit: Visit) -> Journal | None:
    """Return the journal of the runs of this process; None where they are a cloud's, or nowhere."""
    with suppress(LeewardError):
        at_home = visit.sources.client._operations.runs.at_home  # noqa: SLF001 - no method has it
        return at_home.journal if isinstance(at_home, Engine) else None
    return None
