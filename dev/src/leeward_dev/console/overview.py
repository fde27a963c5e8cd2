"""The overview: one sentence for each target, queue, schedule and workflow; what is wrong first."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from leeward.errors import LeewardError
from leeward.status import Fact, Level, Sources, Subject, read_status
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.journal import Journal
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import GOOD, UNSURE, WRONG, Page, Visit, link, word

SECONDS: Final = 4.0
"""For all that is asked of one target."""

LOOKS: Final = {
    Level.WRONG: ("wrong", WRONG),
    Level.UNKNOWN: ("not known", UNSURE),
    Level.NOTE: ("note", ""),
    Level.OK: ("ok", GOOD),
}

PAGES: Final = {
    Subject.TARGET: "targets",
    Subject.QUEUE: "queues",
    Subject.SCHEDULE: "schedules",
    Subject.RUNS: "runs",
}
"""Where more is said of what a sentence is about."""


def show(visit: Visit) -> Page:
    """Return what can be known now, a sentence each."""
    sources = visit.sources
    is_running = sources.app is not None
    facts = read_status(
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
    wrong = sum(fact.level is Level.WRONG for fact in facts)
    told = "Nothing is wrong." if not wrong else f"{wrong} {'is' if wrong == 1 else 'are'} wrong."
    lines = element("ul", map(_line, facts), class_="plain facts")
    # Clouds are asked when somebody loads the page, and not by a page that nobody reads.
    is_near = all(driver.stores() is not None for driver in visit.drivers.values())
    body = element(
        "div", element("p", element("strong", told)), lines, id="facts", data_live=is_near
    )
    return Page("Overview", body, is_live=is_near)


def _journal(visit: Visit) -> Journal | None:
    """Return the journal of the runs of this process; None where they are a cloud's, or nowhere."""
    with suppress(LeewardError):
        at_home = visit.sources.client._operations.runs.at_home  # noqa: SLF001 - no method has it
        return at_home.journal if isinstance(at_home, Engine) else None
    return None


def _line(fact: Fact) -> Content:
    name = f"{fact.target} {fact.name}".strip()
    page = PAGES.get(fact.kind)
    query = {"workflow": fact.name} if fact.kind is Subject.RUNS and fact.name else {}
    if fact.kind is Subject.QUEUE and fact.values.get("dead"):
        page, query = "letters", {"target": fact.target}
    return element(
        "li",
        word(*LOOKS[fact.level]),
        " ",
        f"{fact.kind.value} ",
        name if page is None else link(name, page, **query),
        f" {fact.sentence}",
        element("br") if fact.remedy else None,
        element("small", fact.remedy) if fact.remedy else None,
    )
