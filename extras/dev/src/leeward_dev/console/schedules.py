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
from leeward.views import Action, Column, Format, Json, Report, Table, in_words, moment
from leeward_dev.console.layout import Notice, Page, Visit, check_known, form, show_parts
from leeward_dev.sources import Sources

SCHEDULES: Final = (
    Column("Schedule", "name", is_name=True),
    Column("When", "schedule"),
    Column("Next", "next", Format.MOMENT),
    Column("Last begun", "begun"),
    Column("Waiting", "waiting", Format.COUNT),
    Column("Target", "target"),
)

SECONDS: Final = 10.0
"""That a store may take to keep a run."""


def show(visit: Visit) -> Page:
    """Return the schedules of the app; without an app, those that were begun at a target."""
    rows = [
        _row(visit, driver, name, last)
        for driver in _keepers(visit)
        for name, last in _schedules_at(visit.sources, driver).items()
    ]
    listed = Table(
        *(SCHEDULES, rows, "Times are in UTC; a run now is one more, and changes none of them"),
        "No schedules. Those of a cloud are in the cloud's own console.",
        actions=_actions,
    )
    parts = show_parts(visit, Report({}, visit.now, [listed]), id="schedules")
    return Page("Schedules", form(visit, "schedules", parts) or parts, is_live=True)


def _actions(row: Json) -> tuple[Action]:
    name = row["name"]
    value = f"{row['target']} {name}"  # a target's name has no space
    return (Action("Fire", f"leeward trigger {name}", "fire", value, f"{name} now"),)


def _keepers(visit: Visit) -> list[Driver]:
    """Return the targets that keep rows of schedules: the one worked on here, or all."""
    target = visit.sources.target
    return [
        driver
        for name, driver in visit.drivers.items()
        if driver.stores() is not None and target in (None, name)
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


def _row(visit: Visit, driver: Driver, name: str, last: float | None) -> Json:
    handler = None if visit.sources.app is None else visit.sources.app.handlers.get(name)
    when = None if handler is None else handler.schedule
    due, begun, stores = None, None, driver.stores()
    if when is not None:
        due = next_time(when, datetime.fromtimestamp(visit.now, UTC)).timestamp()
    if last:
        has_begun = when is None or is_time_of(when, last)
        begun = f"{moment(last)} ({in_words(last, Format.AGO, visit.now)})"
        begun = begun if has_begun else f"not since {begun}"
    recipient = _recipient(visit.sources, driver, name)
    waiting = 0 if stores is None else stores.deliveries.count_waiting([recipient])
    row = {"name": name, "schedule": when, "next": due, "begun": begun}
    return row | {"waiting": waiting, "target": driver.target}


def _recipient(sources: Sources, driver: Driver, name: str) -> Recipient:
    """Return whose rows the runs of a schedule are: another app's may have the handler's name."""
    name_ = name if sources.app is None else f"{sources.app.name}/{name}"
    return Recipient(SCHEDULE, name_ if name_ in read_moments(driver) else name)


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
