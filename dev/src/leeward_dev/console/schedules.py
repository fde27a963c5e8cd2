"""Schedules: when each is due, when it was last begun; and one run more, now."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from leeward.adapter import Driver
from leeward.app.schedules import next_time
from leeward.errors import Unsupported
from leeward.leases.faults import DatabaseFault
from leeward.status import read_moments
from leeward.status.facts import is_time_of
from leeward.stores import SCHEDULE, NewRow, Recipient
from leeward_dev.console.html import Content
from leeward_dev.console.layout import (
    Notice,
    Page,
    Visit,
    ago,
    button,
    check_known,
    form,
    moment,
    table,
)
from leeward_dev.sources import Sources

HEADER: Final = ("Schedule", "When", "Next", "Last begun", "Waiting", "Target")

SECONDS: Final = 10.0
"""That a store may take to keep a run."""


def show(visit: Visit) -> Page:
    """Return the schedules of the app; without an app, those that were begun at a target."""
    rows = [
        _row(visit, driver, name, last)
        for driver in _keepers(visit)
        for name, last in _schedules_at(visit.sources, driver).items()
    ]
    listed = table(
        "Times are in UTC; a run now is one more, and changes none of them",
        (*HEADER, "Action") if visit.sources.can_write else HEADER,
        rows,
        id="schedules",
        empty="No schedules. Those of a cloud are in the cloud's own console.",
    )
    return Page("Schedules", form(visit, "schedules", listed) or listed, is_live=True)


def _keepers(visit: Visit) -> list[Driver]:
    """Return the targets that keep rows of schedules: the one worked on here, or all."""
    own = visit.sources.target
    return [
        driver
        for name, driver in visit.drivers.items()
        if driver.stores() is not None and own in (None, name)
    ]


def _schedules_at(sources: Sources, driver: Driver) -> dict[str, float | None]:
    """Return the last moments of schedules, by their names; None for one that has not begun."""
    try:
        moments = read_moments(driver, sources.app)
    except DatabaseFault:
        moments = {}
    if sources.app is None:
        return {**moments}
    names = [each.name for each in sources.app.handlers.values() if each.schedule is not None]
    return {name: moments.get(name) for name in names}


def _row(visit: Visit, driver: Driver, name: str, last: float | None) -> list[Content]:
    handler = None if visit.sources.app is None else visit.sources.app.handlers.get(name)
    when, due, begun = "-", None, True
    if handler is not None and handler.schedule is not None:
        when = handler.schedule
        due = next_time(when, datetime.fromtimestamp(visit.now, UTC)).timestamp()
        begun = last is None or is_time_of(when, last)
    stores = driver.stores()
    own = _recipient(visit.sources, driver, name)
    waiting = 0 if stores is None else stores.deliveries.count_waiting([own])
    cells: list[Content] = [
        name,
        when,
        moment(due),
        ["" if begun else "not since ", moment(last), " (", ago(last, visit.now), ")"]
        if last
        else "-",
        waiting,
        driver.target,
    ]
    if visit.sources.can_write:
        value = f"{driver.target} {name}"  # a target's name has no space
        cells.append(button("Fire now", name="fire", value=value, label=f"Fire {name} now"))
    return cells


def _recipient(sources: Sources, driver: Driver, name: str) -> Recipient:
    """Return whose rows the runs of a schedule are: another app's may have the handler's name."""
    own = name if sources.app is None else f"{sources.app.name}/{name}"
    return Recipient(SCHEDULE, own if own in read_moments(driver) else name)


def act(visit: Visit) -> Notice:
    """Keep one more run of a schedule, for this moment; whoever runs the app takes it."""
    target, _, name = visit.field("fire").partition(" ")
    keepers = {driver.target: driver for driver in _keepers(visit)}
    driver = keepers[check_known(target, keepers, "target with schedules")]
    check_known(name, _schedules_at(visit.sources, driver), "schedule")
    stores = driver.stores()
    if stores is None:
        raise Unsupported(f"{target} keeps no runs of schedules", target=target)
    at = datetime.fromtimestamp(visit.now, UTC).isoformat()
    row = NewRow(_recipient(visit.sources, driver, name), None, f"{name}#{at}", json.dumps(at))
    stores.deliveries.add([row], SECONDS)
    visit.wake(target)
    return Notice(f"{name} is due now; its next times stay as they are.")
