"""``leeward scheduler``: run the schedules of an app on the embedded target."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from leeward._delivery.schedules import Due
from leeward._sqlite.errors import fault_of
from leeward.cli.global_options import GlobalOptions, modules_beside, options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.exit_codes import RAISED
from leeward.cli.output.json_view import JsonObject
from leeward.errors import ConfigError, LeewardError
from leeward.leases.faults import DatabaseFault
from leeward.local.config import open_local
from leeward.opening import target_config
from leeward.records import NamedTuple
from leeward.stores import QUEUED_CALL, SCHEDULE, DeadRow, Recipient, walk_dead_rows

if TYPE_CHECKING:
    from leeward._delivery.schedules import Schedules
    from leeward.local import Local

PAUSE: Final = 0.5
"""Seconds between two looks."""

LONGEST: Final = 24 * 3600.0
"""Seconds that ``--once`` waits for the runs that were due."""


class ScheduleChange(NamedTuple):
    """What has happened to a schedule since the last look.

    Attributes:
        name: of its handler.
        state: ``due``: a run is kept, and begins; ``done``; ``given up``.
        time: for which it is run; None where another process has kept the run, and for a queued
            call.
        error: of a run that is given up: the class of the exception.
    """

    name: str
    state: str
    time: datetime | None
    error: str | None = None


class ScheduleReport(NamedTuple):
    """What a look has found.

    Attributes:
        schedules: with their next times and how many runs wait.
        given_up: runs of schedules that were given up, and calls that such a run may have queued.
    """

    schedules: tuple[Due, ...]
    given_up: tuple[DeadRow, ...]


def run(
    context: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Run what is due now, and then end.")
    ] = False,
) -> None:
    """Run the schedules of the app on the embedded target, each time once.

    If times passed while nothing ran, it runs the last of them. A run that is under way when this
    ends continues at the next start.
    """
    options = options_of(context)
    with _local(options) as local:
        schedules = cast("Schedules", local.native("schedules"))
        before = _look(local, schedules)
        if not before.schedules:
            raise ConfigError("the app has no schedules; decorate a function with @app.on_schedule")
        schedules.make_up()
        if once:
            schedules.look()
            local.wait_idle(LONGEST)
            changes = changes_of(before, _look(local, schedules))
            runs = [_json(change) for change in changes if change.state != "due"]
            options.output.show({"runs": runs}, _render_runs)
            if any(change.state == "given up" for change in changes):
                raise typer.Exit(RAISED.code)
            return
        with suppress(KeyboardInterrupt):
            _follow(options, local, schedules, before)


def changes_of(before: ScheduleReport, after: ScheduleReport) -> list[ScheduleChange]:
    """Return what has happened between two looks, schedule by schedule, and to queued calls."""
    known = {schedule.handler.name: schedule for schedule in before.schedules}
    lost = Counter(each.recipient for each in before.given_up)
    runs = [each for each in after.given_up if each.recipient.bus == SCHEDULE]
    changes = []
    for schedule in after.schedules:
        name, was = schedule.handler.name, known.get(schedule.handler.name, schedule)
        begun = schedule.last != was.last
        if begun:
            changes.append(ScheduleChange(name, "due", schedule.last))
        own = schedule.recipient or Recipient(SCHEDULE, name)
        new = [each.failure.error for each in runs if each.recipient == own][lost[own] :]
        changes += [ScheduleChange(name, "given up", schedule.last, error) for error in new]
        if not schedule.waiting and (begun or was.waiting) and not new:
            changes.append(ScheduleChange(name, "done", schedule.last))
    earlier = {each.id for each in before.given_up}
    calls = [
        ScheduleChange(each.recipient.subscriber, "given up", None, each.failure.error)
        for each in after.given_up
        if each.recipient.bus == QUEUED_CALL and each.id not in earlier
    ]
    return [*changes, *calls]


def _follow(
    options: GlobalOptions, local: Local, schedules: Schedules, before: ScheduleReport
) -> None:
    """Show the schedules, and what happens to them, until somebody interrupts."""
    if not options.output.is_for_programs:
        options.output.show({"schedules": [*map(_due, before.schedules)]}, _render_schedules)
    while True:
        time.sleep(PAUSE)
        after = _look_again(local, schedules, before)
        for change in changes_of(before, after):
            options.output.show(_json(change), _render_change)
        before = after


def _look_again(local: Local, schedules: Schedules, before: ScheduleReport) -> ScheduleReport:
    """Look; as long as another process has the database for itself, nothing new is seen.

    Raises:
        LeewardError: the database cannot be used.
    """
    try:
        return _look(local, schedules)
    except (LeewardError, DatabaseFault) as error:
        cause = error.__cause__
        if not isinstance(cause, sqlite3.Error) or fault_of(cause).reason != "busy":
            raise
        return before


def _look(local: Local, schedules: Schedules) -> ScheduleReport:
    heads = walk_dead_rows(local.stores().deliveries)
    letters = tuple(each for each in heads if each.recipient.bus in (SCHEDULE, QUEUED_CALL))
    return ScheduleReport(tuple(schedules.status()), letters)


@contextmanager
def _local(options: GlobalOptions) -> Iterator[Local]:
    """Open the embedded target of the order, with its app; what that prints is not a result.

    Raises:
        ConfigError: there is none in the order.
    """
    config = options.resolve()
    target = next((each for each in config.order if each.provider == "local"), None)
    if target is None:
        raise ConfigError(
            "the order has no embedded target; clouds have schedules of their own, as `leeward "
            "package --template` writes them"
        )
    with redirect_stdout(sys.stderr):
        with modules_beside(config):
            local = open_local(target_config(target, config, options.environment()))
        try:
            yield local
        finally:
            local.close()


def _json(change: ScheduleChange) -> JsonObject:
    moment = None if change.time is None else change.time.isoformat()
    return {"name": change.name, "state": change.state, "time": moment, "error": change.error}


def _due(schedule: Due) -> JsonObject:
    handler = schedule.handler
    return {
        "name": handler.name,
        "schedule": handler.schedule,
        "next": f"{schedule.due:%Y-%m-%d %H:%M} UTC",
    }


def _render_schedules(data: JsonObject, printers: Printers) -> None:
    rows = [
        (schedule["name"], schedule["schedule"], schedule["next"]) for schedule in data["schedules"]
    ]
    printers.out.table(("name", "schedule", "next"), rows, ("cyan",))


def _render_change(data: JsonObject, printers: Printers) -> None:
    printers.out.text(_line(data))


def _render_runs(data: JsonObject, printers: Printers) -> None:
    runs: Sequence[JsonObject] = data["runs"]
    if not runs:
        printers.err.text("Nothing was due.")
    for each in runs:
        printers.out.text(_line(each))


def _line(change: JsonObject) -> str:
    moment = "" if change["time"] is None else f" for {change['time'][:16]}Z"
    error = "" if change["error"] is None else f": {change['error']}"
    return f"{change['name']}{moment}: {change['state']}{error}"
