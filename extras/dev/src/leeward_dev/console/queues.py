"""Queues, buses and what waits in them, by who gets it."""

from __future__ import annotations

from typing import Final

from leeward.leases.faults import DatabaseFault
from leeward.status import read_queues
from leeward.stores import QUEUED_CALL, SCHEDULE
from leeward.views import Column, Format, Json, Link, Report, Table
from leeward_dev.console.html import element
from leeward_dev.console.layout import Page, Visit, show_parts

GETS: Final = {QUEUED_CALL: "queued calls, messages", SCHEDULE: "runs of a schedule"}

WAITING: Final = (
    Column("Recipient", "name"),
    Column("Gets", lambda row: GETS.get(row["bus"], "events")),
    Column("Target", "target"),
    Column("Waiting", "waiting", Format.COUNT),
    Column("The oldest is from", "since", Format.AGO),
    Column("Dead letters", lambda row: row["dead"] or 0, Format.COUNT, is_name=True),
)


def _page(row: Json) -> Link | None:
    return ("letters", {"target": row["target"]}) if row["dead"] else None


def show(visit: Visit) -> Page:
    """Return how much waits for whom, and how much was given up."""
    rows: list[Json] = []
    silent: list[str] = []
    for driver in visit.drivers.values():
        if driver.stores() is None:
            silent.append(driver.target)
            continue
        try:
            rows += [depth._asdict() for depth in read_queues(driver)]
        except DatabaseFault as fault:
            silent.append(f"{driver.target} ({fault})")
    empty = "Nothing waits, and nothing was given up."
    listed = Table(WAITING, rows, "What waits, and what was given up", empty, _page)
    hint = element("p", "The overview counts the queues of ", ", ".join(silent), ".")
    parts = show_parts(visit, Report({}, visit.now, [listed]), id="queues")
    return Page("Queues", [parts, hint if silent else None], is_live=True)
