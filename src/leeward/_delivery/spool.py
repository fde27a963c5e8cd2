"""Events that no target takes, kept until one does.

A spool stands where a router stands: it publishes through the router, and keeps the events that end
as "not now": whatever proves that no target has taken them, and what is unknown. To publish an
unknown one again does no harm: it keeps its source and id, by which consumers know it again.

Where an event of an ordering key waits, those that come later wait behind it. `relay` publishes
what waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from leeward._delivery.relay import (
    KEEP_SECONDS,
    SPOOL,
    WAITS,
    Relay,
    SpoolStatus,
    WaitingCall,
    own_name,
    row_of,
)
from leeward._delivery.sqlite_store import STATEMENTS, SqliteDeliveries
from leeward._operations.errors import NOT_SPOOLED, SPOOL_FULL
from leeward._operations.results import SPOOLED
from leeward._sqlite.database import Database, Schema
from leeward._sqlite.file_safety import keep_out_of_version_control
from leeward.calls import Call, Publish, Result
from leeward.config.load import check_spool_disk
from leeward.config.model import ConfigKey, parse_target
from leeward.errors import ConfigError, Outcome
from leeward.forking import ForkLock
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import DeliveryPolicy
from leeward.logs import log_event
from leeward.opening import target_config
from leeward.registry import open_target
from leeward.stores import NewRow, Owner, Recipient, SpoolRows

if TYPE_CHECKING:
    from leeward._operations.operations import Operations
    from leeward.config import SpoolConfig

LOGGER = "leeward.spool"

PATH: Final = Path(".leeward/spool.sqlite3")
"""Below the working directory: where the events are if the configuration does not say."""

SCHEMA: Final = Schema(int.from_bytes(b"lspl", "big"), 3, STATEMENTS)

POLICY: Final = DeliveryPolicy()

MEASURE_SECONDS: Final = 1.0
"""How long the size of the spool is believed. Several processes may exceed a limit by what they
keep in that time."""

_NOT_KEPT: Final = frozenset({"closed", "gone"})
"""Reasons of events that are not kept: the client is at its end."""

_TOO_LATE: Final = Result[Any](
    Outcome.LOCAL, reason="deadline", message="the deadline passed before it was sent"
)
_BEHIND: Final = Result[Any](
    Outcome.LOCAL, reason="held_back", message="earlier events of its ordering key wait"
)


class Spool:
    """Publishes events of a client, and keeps those that no target takes."""

    def __init__(
        self,
        operations: Operations,
        store: SpoolRows,
        limits: SpoolConfig,
        database: Database | None,
        close: Callable[[], None],
    ) -> None:
        self.relay = Relay(operations, store, limits.max_age, SPOOL)
        self._operations = operations
        self._store = store
        self._limits = limits
        self._database = database
        self._close = close
        self._lock = ForkLock(whole=False)
        self._measured = -MEASURE_SECONDS
        self._waiting: int | None = None
        self._events = self._bytes = 0
        self._has_begun = False

    @property
    def exists(self) -> bool:
        """Whether there may be events; a look must not make a file."""
        path = None if self._database is None else self._database.path
        return path is None or path.exists()

    @property
    def location(self) -> str:
        """Where the events are: a file, or a target."""
        return str(self._limits.target if self._database is None else self._database)

    def perform(self, call: Call, timeout: float, only: tuple[str, ...] = ()) -> Result[Any]:
        """Publish events; keep those that no target takes."""
        assert isinstance(call, Publish)
        self._begin()
        kept = self._hold_back(call, timeout, only)
        if kept is not None:
            return kept
        result = self._operations.router.perform(call, timeout, only)
        return self._keep(call, only, result) if _positions(call, result) else result

    async def perform_async(
        self, call: Call, timeout: float, only: tuple[str, ...] = ()
    ) -> Result[Any]:
        """Do the same without blocking the event loop: what waits for the disk runs on a thread."""
        from asyncio import to_thread

        assert isinstance(call, Publish)
        self._begin()
        if timeout <= 0 or self._needs_look(call):
            kept = await to_thread(self._hold_back, call, timeout, only)
            if kept is not None:
                return kept
        result = await self._operations.router.perform_async(call, timeout, only)
        if not _positions(call, result):
            return result
        return await to_thread(self._keep, call, only, result)

    def count_waiting(self) -> int | None:
        """Return how many events wait, as they were last counted."""
        return self._waiting

    def status(self) -> list[SpoolStatus]:
        """Return what waits, by bus."""
        return self.relay.status(SPOOL) if self.exists else []

    def close(self) -> None:
        """Publish what waits, for a moment; leave the rest to another process."""
        self.relay.close()
        self._close()

    def _begin(self) -> None:
        """Publish, from the first call on, what an earlier process has left."""
        if not self._has_begun:
            self._has_begun = True
            if self.exists:
                self.relay.wake()

    def _needs_look(self, call: Publish) -> bool:
        return call.events[0].ordering_key is not None and self.exists

    def _hold_back(
        self, call: Publish, timeout: float, only: tuple[str, ...]
    ) -> Result[Any] | None:
        """Keep events that must not be sent now; None for those that go to a target first."""
        until = monotonic() + KEEP_SECONDS
        behind = self._refuse_behind(call, only, until) if self._needs_look(call) else None
        if behind is not None:
            return self._keep(call, only, *behind, until)
        return self._keep(call, only, _TOO_LATE, until=until) if timeout <= 0 else None

    def _recipient(self, call: Publish, only: tuple[str, ...]) -> Recipient:
        """Return what stands for the events of a bus that may go where these may.

        Every app of a stage publishes them there, so that all of a key wait behind each other.
        """
        targets = only or self._operations.router.candidates(call)
        return Recipient(SPOOL, own_name(call.bus, Owner(None, self.relay.owner.stage, targets)))

    def _refuse_behind(
        self, call: Publish, only: tuple[str, ...], until: float
    ) -> tuple[Result[Any], Recipient | None] | None:
        """Return why events wait without being sent, and with whom: earlier ones of their key do.

        Those may be of another version of this program, whose targets were others.
        """
        lane = str(call.events[0].ordering_key)  # of all its events
        try:
            self.relay.find(_seconds_to(until))
            for recipient in self.relay.recipients_of(self._recipient(call, only)):
                if self._store.has_waiting(recipient, lane, _seconds_to(until)):
                    return _BEHIND, recipient
        except (DatabaseFault, ConfigError) as fault:
            text = f"the spool cannot be read: {fault}"
            return _BEHIND._replace(message=text, cause=fault), None
        return None

    def _keep(
        self,
        call: Publish,
        only: tuple[str, ...],
        result: Result[Any],
        behind: Recipient | None = None,
        until: float | None = None,
    ) -> Result[Any]:
        """Keep the events that were not taken; return the result with what became of each."""
        until = until or monotonic() + KEEP_SECONDS
        now = self._operations.clock.now()
        recipient = behind or self._recipient(call, only)
        positions = _positions(call, result)
        rows = [
            row_of(recipient, WaitingCall(Publish(call.bus, (call.events[at],)), only, now))
            for at in positions
        ]
        results = result.value if result.outcome is Outcome.OK else None
        entries = [*(results or (result,) * len(call.events))]
        flaw: Result[Any] | None = None
        try:
            full = self._reserve(rows, until)
            if full is not None:
                flaw = Result(Outcome.LOCAL, reason=SPOOL_FULL, message=full)
            elif self.relay.keep(rows, _seconds_to(until)):
                where = {"bus": call.bus, "location": self.location}
                facts = {"outcome": result.outcome.name.lower(), "reason": result.reason}
                log_event(LOGGER, "warning", "spooling", **where, **facts)
        except (DatabaseFault, ConfigError) as fault:
            outcome = getattr(fault, "outcome", Outcome.LOCAL)
            text = f"it could not be kept: {fault}"
            flaw = Result(outcome, reason=NOT_SPOOLED, message=text, cause=fault)
        if flaw is not None:
            log_event(LOGGER, "error", "event_not_spooled", bus=call.bus, reason=flaw.reason)
        for at in positions:
            entries[at] = _KEPT if flaw is None else _join(entries[at], flaw)
        return Result(Outcome.OK, tuple(entries), target=result.target, attempts=result.attempts)

    def _reserve(self, rows: Sequence[NewRow], until: float) -> str | None:
        """Reserve room for rows; return why there is none."""
        size = sum(len(row.document.encode()) for row in rows)
        limits = self._limits
        with self._lock:
            if monotonic() - self._measured >= MEASURE_SECONDS:
                backlogs = self._store.measure(SPOOL, _seconds_to(until))
                self._waiting = sum(backlog.waiting for backlog in backlogs)
                self._events = self._waiting + sum(backlog.dead for backlog in backlogs)
                self._bytes = sum(backlog.bytes or 0 for backlog in backlogs)
                self._measured = monotonic()
            if self._events + len(rows) > limits.max_events:
                return (
                    f"the spool has {self._events} events, and may have {limits.max_events}: there "
                    f"is no room for {len(rows)} more"
                )
            if self._bytes + size > limits.max_bytes:
                return (
                    f"the spool has {self._bytes} bytes, and may have {limits.max_bytes}: there "
                    f"is no room for {size} more"
                )
            self._events += len(rows)
            self._bytes += size
            self._waiting = (self._waiting or 0) + len(rows)
        return None


_KEPT: Final = Result[Any](Outcome.OK, reason=SPOOLED, target="spool")


def open_spool(operations: Operations) -> Spool:
    """Open what keeps the events of a client; raise `ConfigError` where they could not be kept."""
    config = operations.config
    check_spool_disk(config, os.environ)
    limits = config.spool
    if limits.target is None:
        path = Path(limits.path or PATH).absolute()
        database = Database(path, SCHEMA, created=lambda: keep_out_of_version_control(path.parent))
        store: Any = SqliteDeliveries(database, POLICY, operations.clock)
        return Spool(operations, store, limits, database, database.close)
    driver, opened = operations.drivers.get(limits.target), ExitStack()
    where = ConfigKey(config.file).child("spool").child("target")
    if driver is None:
        env = os.environ if config.trust_env else {}
        target = parse_target(limits.target, str(where))
        driver = open_target(target_config(target, config, env))
        opened.callback(driver.close)
    stores = driver.stores()
    store = None if stores is None else stores.deliveries
    if not hasattr(store, "measure"):
        opened.close()
        raise ConfigError(
            f"{where} is {limits.target!r}, which keeps no rows; name a target such as 'postgres', "
            "or set 'path' instead"
        )
    return Spool(operations, store, limits, None, opened.close)


def _seconds_to(until: float) -> float:
    return max(until - monotonic(), 0.1)


def _positions(call: Publish, result: Result[Any]) -> list[int]:
    """Return which events no target has taken, and may be taken later."""
    if result.outcome is not Outcome.OK:
        return [*range(len(call.events))] if _may_wait(result) else []
    return [at for at, entry in enumerate(result.value or ()) if _may_wait(entry)]


def _may_wait(result: Result[Any]) -> bool:
    return result.outcome in WAITS and result.reason not in _NOT_KEPT


def _join(result: Result[Any], flaw: Result[Any]) -> Result[Any]:
    """Return the result of an event that was not kept either: unknown, if one of the two is."""
    outcome = flaw.outcome if flaw.outcome is Outcome.AMBIGUOUS else result.outcome
    text = f"{result.message}; {flaw.message}" if result.message else flaw.message
    cause = result.cause or flaw.cause
    return result._replace(outcome=outcome, reason=flaw.reason, message=text, cause=cause)
