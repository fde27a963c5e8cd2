"""Schedules of the embedded target: runs that are kept as rows when they are due.

Each process that has mounted an app runs its schedules while it lives. Several on one file keep one
row for each time that has come, whoever looks first. What became due while the machine slept is run
once, for the last of those times; what became due while no process was there, by `make_up` alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from threading import RLock, Thread
from typing import Final

from leeward._delivery.bus import NameOf
from leeward.app.checks import check_free
from leeward.app.handlers import Handler
from leeward.app.schedules import last_time, next_time
from leeward.clock import Clock
from leeward.forking import Forkable, watch
from leeward.records import NamedTuple
from leeward.stores import SCHEDULE, NewRow, Recipient, ScheduleStore

PATIENCE: Final = 10.0  # seconds to wait for the store
PAUSE: Final = 0.5  # seconds between two looks at the clock
GRACE: Final = 2.0  # seconds that `close` waits for a look that is under way


class Due(NamedTuple):
    """A schedule, and when it is due."""

    handler: Handler
    due: datetime


class Schedules(Forkable):
    """The schedules of one target. Its thread starts with the first one."""

    def __init__(
        self, clock: Clock, series: ScheduleStore, wake: Callable[[], None], name_of: NameOf
    ) -> None:
        """Begin without schedules; `wake` has the rows delivered that are due."""
        self._clock = clock
        self._series = series
        self._wake, self._name_of = wake, name_of
        self._known: dict[str, Due] = {}
        self._added: dict[str, float] = {}
        """When those were added, on the monotonic clock, that no look has met."""
        self._looked = datetime.min.replace(tzinfo=UTC)
        self._looking = RLock()
        self._over = Flag()
        self._thread: Thread | None = None
        watch(self)

    def add(self, handler: Handler) -> None:
        """Run a handler when it is due, from now on; raise `ConfigError` if its name is taken."""
        check_free(handler, self._known)
        here = datetime.fromtimestamp(self._clock.now(), UTC)  # until somebody asks the store
        self._known[handler.name] = Due(handler, next_time(handler.schedule or "", here))
        self._added[handler.name] = self._clock.monotonic()
        if self._thread is None:
            thread = Thread(target=self._loop, name="leeward-schedules", daemon=True)
            thread.start()
            self._thread = thread  # not where the process may have no further thread

    def recipients(self) -> dict[Recipient, Handler]:
        """Return the handlers as recipients of rows."""
        return {Recipient(SCHEDULE, name): one.handler for name, one in self._known.copy().items()}

    def look(self) -> None:
        """Keep a row for each handler that is due, with the time for which it is run."""
        with self._looking:
            now = self._now()
            while self._added:
                name, at = self._added.popitem()
                since = now - timedelta(seconds=self._clock.monotonic() - at)
                schedule = self._known[name]
                due = next_time(schedule.handler.schedule or "", since)
                self._known[name] = schedule._replace(due=due)
            if now < self._looked:  # the clock was set back: what it said is due may be years away
                for name, entry in self._known.copy().items():
                    due = next_time(entry.handler.schedule or "", now)
                    self._known[name] = entry._replace(due=due)
            self._looked = now
            for entry in self._known.copy().values():
                if entry.due <= now:
                    self._keep(entry.handler, now)

    def make_up(self) -> None:
        """Keep a row, too, for what became due while no process was there, for its last time.

        A schedule that nobody has seen yet begins now, and so does one whose expression has
        changed.
        """
        with self._looking:
            now = self._now()
            for name, schedule in self._known.copy().items():
                expression = schedule.handler.schedule or ""
                series = series_of(self._recipient(name).subscriber)
                last = self._series.begin(series, now.timestamp(), PATIENCE, expression)
                if last_time(expression, now).timestamp() > last:
                    self._keep(schedule.handler, now)

    def close(self) -> None:
        """Run nothing any more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(GRACE)

    def renew(self, *, held: bool) -> None:
        """Leave the schedules to the parent; for the child of a fork."""
        del held
        self._thread, self._over, self._looking = None, Flag(), RLock()

    def _keep(self, handler: Handler, now: datetime) -> None:
        """Keep a row for the last time that has come, unless another process has."""
        name, schedule = handler.name, handler.schedule or ""
        nominal = last_time(schedule, now)
        recipient = self._recipient(name)
        time = nominal.isoformat()
        row = NewRow(recipient, None, f"{name}#{time}", json.dumps(time))
        moment = nominal.timestamp()
        series = series_of(recipient.subscriber)
        kept = self._series.add(series, moment, row, PATIENCE, now.timestamp())
        self._known[name] = Due(handler, next_time(schedule, now))
        if kept:
            self._wake()

    def _recipient(self, name: str) -> Recipient:
        return self._name_of(Recipient(SCHEDULE, name))

    def _loop(self) -> None:
        while not self._over.wait(PAUSE):
            with suppress(Exception):  # it is still due at the next look
                self.look()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._series.now(self._clock), UTC)


def series_of(name: str) -> str:
    """Return the name of the series of a schedule, by that of its recipient."""
    return f"schedule {name}"
