"""The overview: one sentence for each target, queue, schedule and workflow; what is wrong first."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from leeward.errors import LeewardError
from leeward.status import Sources, read_status
from leeward.status.facts import report_of
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.journal import Journal
from leeward_dev.console.html import element
from leeward_dev.console.layout import Page, Visit, show_parts

SECONDS: Final = 4.0
"""For all that is asked of one target."""


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
    # Clouds are asked when somebody loads the page, and not by a page that nobody reads.
    is_near = all(driver.stores() is not None for driver in visit.drivers.values())
    listed, told = show_parts(visit, report_of(facts, visit.now))
    body = element("div", element("strong", told), listed, id="facts", data_live=is_near)
    return Page("Overview", body, is_live=is_near)


def _journal(visit: Visit) -> Journal | None:
    """Return the journal of the runs of this process; None where they are a cloud's, or nowhere."""
    with suppress(LeewardError):
        at_home = visit.sources.client._operations.runs.at_home  # noqa: SLF001 - no method has it
        return at_home.journal if isinstance(at_home, Engine) else None
    return None
