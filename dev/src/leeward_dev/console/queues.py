"""Queues, buses and what waits in them, by who gets it."""

from __future__ import annotations

from leeward.leases.faults import DatabaseFault
from leeward.status import read_queues
from leeward.stores import QUEUED_CALL, SCHEDULE
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import WRONG, Page, Visit, ago, link, table, word

HEADER = ("Recipient", "Gets", "Target", "Waiting", "The oldest is from", "Dead letters")


def show(visit: Visit) -> Page:
    """Return how much waits for whom, and how much was given up."""
    rows: list[list[Content]] = []
    silent: list[Content] = []
    for driver in visit.drivers.values():
        if driver.stores() is None:
            silent.append(driver.target)
            continue
        try:
            depths = read_queues(driver)
        except DatabaseFault as fault:
            silent.append(f"{driver.target} ({fault})")
            continue
        for depth in depths:
            gets = {QUEUED_CALL: "queued calls, messages", SCHEDULE: "runs of a schedule"}
            letters = link(word(f"{depth.dead:,}", WRONG), "letters", target=depth.target)
            rows.append(
                [
                    depth.name,
                    gets.get(depth.bus, "events"),
                    depth.target,
                    f"{depth.waiting:,}",
                    ago(depth.since, visit.now),
                    letters if depth.dead else "0",
                ]
            )
    caption = "What waits, and what was given up"
    listed = table(
        caption, HEADER, rows, id="queues", empty="Nothing waits, and nothing was given up."
    )
    hint = element("p", "The overview counts the queues of ", ", ".join(map(str, silent)), ".")
    return Page("Queues", [listed, hint if silent else None], is_live=True)
