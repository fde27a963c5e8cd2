"""Schedules of the embedded target: runs that are kept as rows when they are due.

Each process that has mounted an app runs its schedules while it lives. What became due while none
did, or while the machine slept, is run once.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from threading import Event as Flag
from threading import Thread
from typing import Final

from leeward.app.handlers import Handler
from leeward.app.schedules import next_time
from leeward.clock import Clock
from leeward.delivery.dispatcher import Accept
from leeward.delivery.rows import Message, Recipient
from leeward.delivery.store import PATIENCE
from leeward.forking import Forkable, watch
from leeward.sqlite.errors import DatabaseFault

SCHEDULE: Final = "(schedule)"
"""Stands in the place of the bus for the run of a schedule."""

PAUSE: Final = 0.5
"""Seconds between two looks at the clock."""
GRACE: Final = 2.0
"""Seconds that `close` waits for a look that is under way."""


class Schedules(Forkable):
    """The schedules of one target. Its thread starts with the first one."""

    def __init__(self, clock: Clock, accept: Accept) -> None:
        """Take the clock, and what keeps a row and has it delivered."""
        self._clock = clock
        self._accept = accept
        self._handlers: dict[str, tuple[Handler, datetime]] = {}
        self._over = Flag()
        self._thread: Thread | None = None
        watch(self)

    def add(self, handler: Handler) -> None:
        """Run a handler when it is due, from now on."""
        self._handlers[handler.name] = (handler, next_time(handler.schedule or "", self._now()))
        if self._thread is None:
            self._thread = Thread(target=self._loop, name="leeward-schedules", daemon=True)
            self._thread.start()

    def recipients(self) -> dict[Recipient, Handler]:
        """Return the handlers as recipients of rows."""
        return {Recipient(SCHEDULE, name): each for name, (each, _) in list(self._handlers.items())}

    def look(self) -> None:
        """Keep a row for each handler that is due, with the time for which it is run."""
        now = self._now()
        for name, (handler, due) in list(self._handlers.items()):
            if due <= now:
                row = Message(
                    Recipient(SCHEDULE, name),
                    None,
                    f"{name}#{due.isoformat()}",
                    json.dumps(due.isoformat()),
                )
                self._accept([row], PATIENCE)
                self._handlers[name] = (handler, next_time(handler.schedule or "", now))

    def close(self) -> None:
        """Run nothing any more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(GRACE)

    def renew(self, *, held: bool) -> None:
        """Leave the schedules to the parent; for the child of a fork."""
        del held
        self._thread, self._over = None, Flag()

    def _loop(self) -> None:
        while not self._over.wait(PAUSE):
            with suppress(DatabaseFault):  # it is still due at the next look
                self.look()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)
