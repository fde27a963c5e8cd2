"""Calls that wait until a target takes them: as rows of a store, and what makes them.

A row is a call; its lane is the ordering key of an event. A `Relay` makes the calls through the
router of a client, so behind its circuits, its probes and its ramp. While no target takes the calls
of a recipient, its rows wait untouched, but for a few that look from time to time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from threading import Event as Flag
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward._delivery.dispatcher import (
    AttemptFailed,
    AttemptPutOff,
    Dispatcher,
    DispatcherStatus,
    Receiver,
)
from leeward._operations.errors import error_of
from leeward.calls import Enqueue, Publish
from leeward.cloudevents import from_json, to_json, write
from leeward.errors import CallError, ConfigError, InvalidRequest, LeewardError, Outcome
from leeward.json_text import DEEPEST, Undecodable, decode, encode
from leeward.logs import log_event
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.stores import (
    PATIENCE,
    AttemptFailure,
    Backlog,
    DeadRow,
    LeasedRow,
    NewRow,
    Owner,
    Recipient,
    SpoolRows,
    walk_dead_rows,
)
from leeward.text import join_key
from leeward.values import Effect, Json

if TYPE_CHECKING:
    from leeward._operations.operations import Operations

LOGGER = "leeward.spool"

SPOOL: Final = "(spool)"
OUTBOX: Final = "(outbox)"
"""Stand in the place of the bus for an event that no target took, and its bus is in the place of
the subscriber; and for a call of a transaction, whose target is there."""

ANYWHERE: Final = ""  # stands for the target of a call that any target of the order may take

KEEP_SECONDS: Final = 5.0
"""To wait for the database, whatever time the call has left: the event would be lost otherwise."""

ATTEMPT_SECONDS: Final = 10.0  # for one call of the relay: a third of a lease

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""Seconds between two looks whether a target takes the calls of a recipient; each is twice the one
before."""

LEFT: Final = 5.0
"""Seconds until a run is tried to be started again whose workflow is not known here."""

EVER: Final = 2**31 - 1
"""Attempts: a row is given up by its age, or by the word of a target, and not by their number."""

WAITS: Final = frozenset(
    {Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE, Outcome.LOCAL, Outcome.AMBIGUOUS}
)
"""Outcomes after which the same event may be taken later. All others are about the event, the bus
or the permissions, and somebody has to do something."""

_CORRECTABLE: Final = frozenset({Outcome.AUTH, Outcome.NOT_FOUND})
"""Outcomes of a call that waits which somebody may correct before it is too old."""


class TooOld(Exception):
    """A call has waited for longer than it may."""


class EndUnknown(Exception):
    """A call that is unsafe to repeat was begun, and nobody knows how it ended."""


@show_only("workflow id")
class RunStart(NamedTuple):
    """A run of a workflow that is to be started."""

    workflow: str
    value: Json
    id: str


RelayedCall: TypeAlias = Publish | Enqueue | RunStart


class WaitingCall(NamedTuple):
    """A call that waits."""

    call: RelayedCall
    targets: tuple[str, ...]
    since: float


class SpoolStatus(NamedTuple):
    """What waits for one bus, or for one target of an outbox.

    Attributes:
        owner: whose it is, where that is not this client's; else None.
        oldest: seconds that the first one waits; None where none does.
    """

    recipient: Recipient
    name: str
    owner: Owner | None
    waiting: int
    dead: int
    bytes: int
    oldest: float | None


def own_name(name: str, owner: Owner) -> str:
    """Return the subscriber that stands for what an owner keeps for a bus or a target."""
    return f"{name} ({owner})" if any(owner) else name


def read_name(text: str) -> tuple[str, Owner | None]:
    """Return the bus or the target, and whose it is; None where a version without owners wrote."""
    match = _OWN_NAME.fullmatch(text)
    if match is None:
        return text, None
    name, app, stage, targets = match.groups()
    return name, Owner(app, stage, tuple(targets.split(",")) if targets else ())


_OWN_NAME: Final = re.compile(
    r"(.*) \((?!\))(?:app ([^ ,]+)(?:, )?)?(?:stage ([^ ,]+)(?:, )?)?(?:targets (\S+))?\)",
    re.DOTALL,
)


def row_of(recipient: Recipient, waiting: WaitingCall) -> NewRow:
    """Return the row that keeps a call."""
    document: dict[str, Json] = {"since": waiting.since, "targets": [*waiting.targets]}
    lane, call = None, waiting.call
    match call:
        case Publish():
            (event,) = call.events
            document |= {"bus": call.bus, "event": to_json(event)}
            lane, key = event.ordering_key, join_key(event.source or "", event.id or "")
        case Enqueue():
            document |= {
                "function": call.function,
                "payload": call.payload.decode(),
                "effect": call.effect.value,
                "shared_dedup": bool(call.shared_dedup),
                "to_queue": call.to_queue,
                "trace": call.trace,
                "key": call.idempotency_key,
            }
            key = call.idempotency_key
        case RunStart():
            document |= {"workflow": call.workflow, "value": call.value, "id": call.id}
            key = call.id
    return NewRow(recipient, lane, key, encode(document).decode())


def call_in(document: str) -> WaitingCall:
    """Return the call that a row keeps; raise `ValueError` for a row of another program."""
    try:
        return _read(document)
    except (Undecodable, InvalidRequest, LookupError, TypeError, AttributeError) as error:
        raise ValueError("the row holds no call") from error


def _read(document: str) -> WaitingCall:
    said = decode(document, deepest=2 * DEEPEST)
    call: RelayedCall
    if "event" in said:
        call = Publish(said["bus"], (write(from_json(said["event"])),))
    elif "function" in said:
        call = Enqueue(
            said["function"],
            said["payload"].encode(),
            said["key"],
            Effect(said["effect"]),
            said["shared_dedup"],
            said["trace"],
            said["to_queue"],
            said["since"],
        )
    else:
        call = RunStart(said["workflow"], said["value"], said["id"])
    return WaitingCall(call, tuple(said["targets"]), float(said["since"]))


class Gate:
    """Whether the calls of one recipient are made; for a moment not, when no target took one."""

    def __init__(self) -> None:
        self.is_filling = False
        self._pause = FIRST_PAUSE
        self._until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are made now."""
        return monotonic() >= self._until

    def close(self) -> float:
        """Close it; return the seconds until it opens, or 0 where somebody else has closed it."""
        if not self.is_open:
            return 0.0
        pause = self._pause
        self._until, self._pause = monotonic() + pause, min(2 * pause, LONGEST_PAUSE)
        return pause

    def open(self) -> bool:
        """Note that a target has taken a call; return whether it is the first one that does."""
        was_filling, self.is_filling, self._pause = self.is_filling, False, FIRST_PAUSE
        return was_filling


class Relay:
    """Makes the calls that wait in a store, through a client.

    What another owner has kept is left to it: it may be for another stage, or other targets.

    Args:
        max_age: seconds after which a call is given up instead of made.
        bus: whose recipients it looks for; None where they are known.
    """

    def __init__(
        self, operations: Operations, store: SpoolRows, max_age: float, bus: str | None = None
    ) -> None:
        self.store = store
        self.owner = Owner(*operations.owner)
        self._operations = operations
        self._max_age = max_age
        self._gates: dict[Recipient, Gate] = {}
        self._bus = bus
        self._is_over = Flag()
        self._dispatcher = Dispatcher(store, self._receivers, operations.clock, shared=True)

    def serve(self, recipients: Iterable[Recipient]) -> None:
        """Make the calls of these recipients from now on, too; not of those of another owner."""
        for recipient in filter(self.is_own, recipients):
            self._gates.setdefault(recipient, Gate())

    def is_own(self, recipient: Recipient) -> bool:
        """Return whether the calls of a recipient may be made here."""
        return self.owner.may_take(read_name(recipient.subscriber)[1])

    def find(self, timeout: float) -> None:
        """Make the calls, too, that others of its owner have left; it looks for them once."""
        if self._bus is not None:
            self.serve([backlog.recipient for backlog in self.store.measure(self._bus, timeout)])
            self._bus = None

    def recipients_of(self, recipient: Recipient) -> list[Recipient]:
        """Return a recipient, and all others of its name whose calls are made here."""
        name = read_name(recipient.subscriber)[0]
        others = [gate for gate in self._gates.copy() if read_name(gate.subscriber)[0] == name]
        return [recipient, *(gate for gate in others if gate != recipient)]

    def keep(self, rows: Sequence[NewRow], timeout: float) -> bool:
        """Keep calls of one recipient; return whether they are the first that no target takes."""
        recipient = rows[0].recipient
        self.serve([recipient])
        self.store.add(rows, timeout)
        self.wake()
        gate = self._gates[recipient]
        was_filling, gate.is_filling = gate.is_filling, True
        return not was_filling

    def wake(self) -> None:
        """Look for calls now."""
        self._dispatcher.wake()

    def status(self, bus: str) -> list[SpoolStatus]:
        """Return what waits for the recipients of `bus`."""
        return [self._status_of(backlog) for backlog in self.store.measure(bus)]

    def revive(self, bus: str) -> int:
        """Queue again the calls that were given up; return how many.

        Each is kept anew before its dead letter goes, so that none is lost; whoever is killed in
        between makes one call twice.
        """
        revived = 0
        for head in self._list_dead(bus):
            dead = self.store.dead_row(head.id)
            if dead is None:
                continue  # somebody else has taken it
            try:
                waiting = call_in(dead.document or "")._replace(since=self._operations.clock.now())
            except ValueError:
                continue  # it can only be discarded
            self.store.add([row_of(dead.recipient, waiting)], KEEP_SECONDS)
            self.store.discard(dead.id)
            revived += 1
        return revived

    def discard(self, bus: str) -> int:
        """Delete the calls that were given up; return how many."""
        return sum(self.store.discard(row.id) for row in self._list_dead(bus))

    def activity(self) -> DispatcherStatus:
        """Return what it does."""
        return self._dispatcher.status()

    def close(self) -> None:
        """Make calls for a moment, if targets take them; leave the rest to another process."""
        self._is_over.set()
        self._dispatcher.close()

    def _list_dead(self, bus: str) -> Iterator[DeadRow]:
        return (
            row
            for row in walk_dead_rows(self.store)
            if row.recipient.bus == bus and self.is_own(row.recipient)
        )

    def _status_of(self, backlog: Backlog) -> SpoolStatus:
        oldest: float | None = None
        if backlog.oldest is not None:
            with suppress(ValueError):
                oldest = max(0.0, self._operations.clock.now() - call_in(backlog.oldest).since)
        name, owner = read_name(backlog.recipient.subscriber)
        return SpoolStatus(
            backlog.recipient,
            name,
            None if self.owner.may_take(owner) else owner,
            backlog.waiting,
            backlog.dead,
            backlog.bytes or 0,
            oldest,
        )

    def _receivers(self) -> dict[Recipient, Receiver]:
        self.find(PATIENCE)
        return {
            recipient: Receiver(partial(self._attempt, gate), EVER)
            for recipient, gate in self._gates.copy().items()
            if gate.is_open
        }

    def _attempt(self, gate: Gate, row: LeasedRow, deadline: float) -> None:
        """Make the call of a row, or put it off."""
        if not gate.is_open:
            raise AttemptPutOff
        clock = self._operations.clock
        try:
            waiting = call_in(row.document)
        except ValueError as error:
            raise AttemptFailed(error, again=False, ran="no") from error
        if clock.now() - waiting.since > self._max_age:
            raise AttemptFailed(TooOld(), again=False, reason="too_old")
        call = waiting.call
        if row.is_unheard and isinstance(call, Enqueue) and call.effect is Effect.UNSAFE:
            raise AttemptFailed(EndUnknown(), again=False, reason="unknown")
        seconds = min(ATTEMPT_SECONDS, deadline - clock.monotonic())
        name, owner = read_name(row.recipient.subscriber)
        flaw = self._make(waiting, seconds, owner)
        if flaw is not None:
            self._judge(gate, call, flaw)
        if gate.open():
            log_event(LOGGER, "info", "spool_drains", recipient=name)

    def _make(
        self, waiting: WaitingCall, seconds: float, owner: Owner | None
    ) -> LeewardError | None:
        """Make a call; return what went wrong, if anything did."""
        call, operations = waiting.call, self._operations
        try:
            if isinstance(call, RunStart):
                operations.runs.start(call.workflow, call.value, call.id)
                return None
            operations.check(call)
            if isinstance(call, Enqueue) and waiting.targets and call.effect is Effect.KEYED:
                # It never leaves its target, which recognises the key.
                call = call._replace(effect=Effect.IDEMPOTENT)
            only = waiting.targets
            if not only and owner is not None and owner.targets:
                able = operations.router.candidates(call)
                if not {*owner.targets}.issuperset(able):
                    only = tuple(to for to in able if to in owner.targets) or owner.targets
            result = operations.router.perform(call, seconds, only)
        except CallError as error:
            return error if isinstance(call, RunStart) else ConfigError(str(error))
        except LeewardError as error:  # the order, or what its targets can do, is another one now
            return error
        if isinstance(call, Publish) and result.outcome is Outcome.OK and result.value:
            (entry,) = result.value
            result = entry._replace(attempts=result.attempts)
        return None if result.outcome is Outcome.OK else error_of(call, result)

    def _judge(self, gate: Gate, call: RelayedCall, flaw: LeewardError) -> None:
        """Raise what becomes of a row whose call went wrong."""
        outcome = flaw.outcome if isinstance(flaw, CallError) else Outcome.NOT_FOUND
        is_unsafe = isinstance(call, Enqueue) and call.effect is Effect.UNSAFE
        if outcome is Outcome.AMBIGUOUS and is_unsafe:
            raise AttemptFailed(flaw, again=False, reason="unknown")
        if outcome is Outcome.NOT_FOUND and isinstance(call, RunStart):
            # A version that has the workflow may be beside this one.
            raise AttemptPutOff(LEFT, AttemptFailure(type(flaw).__name__, str(flaw), ran="no"))
        if outcome in WAITS:
            self._is_over.wait(gate.close())
            raise AttemptPutOff
        raise AttemptFailed(flaw, again=outcome in _CORRECTABLE, ran="no")


def open_outboxes(operations: Operations) -> list[Relay]:
    """Return what makes the calls that transactions have left in the databases of an order.

    Nothing is looked for before `Relay.wake`.
    """
    relays = []
    for driver in operations.drivers.values():
        stores = driver.stores()
        rows: Any = None if stores is None or stores.runner is not None else stores.deliveries
        if hasattr(rows, "measure"):
            relay = Relay(operations, rows, operations.config.spool.max_age)
            anyones = Owner(stage=relay.owner.stage)
            for target in (ANYWHERE, *operations.drivers):
                names = (target, own_name(target, anyones))
                relay.serve(Recipient(OUTBOX, name) for name in names)
            relays.append(relay)
    return relays
