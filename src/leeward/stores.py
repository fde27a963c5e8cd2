"""What stores of deliveries, schedules and subscriptions do; `_delivery.sqlite_store` is one.

A target that has them lets `leeward worker` run an app on any number of machines. Each method is
one transaction, and what it has returned is kept durably. A store takes rows by the rules of
`leeward.leases.rules`; whoever takes at the same time takes others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final, Protocol, cast

from leeward.clock import Clock
from leeward.entropy import time_of_id
from leeward.leases.rules import DeliveryPolicy, Room
from leeward.masking import show_only
from leeward.records import NamedTuple

QUEUED_CALL: Final = ""
"""Stands in the place of the bus for a queued call of a function, or a message of a queue."""

SCHEDULE: Final = "(schedule)"  # the same, for the run of a schedule

APPROVAL: Final = "ApprovalPending"
"""In the place of an exception's class: a person has to approve the first attempt."""
LEASE_EXPIRED: Final = "LeaseExpired"
"""In the place of an exception's class: the last attempt has ended without a word."""
LONGEST_ERROR: Final = 2000  # characters of what is kept of an exception
FENCE_0: Final = 1_700_000_000  # Unix seconds: fences of runs go up with time, in all copies of one
PATIENCE: Final = 10.0  # seconds to wait for a store, where no caller waits
DEAD_AT_ONCE: Final = 500
"""Dead letters of one page. Each has an error of at most `LONGEST_ERROR`, so a page has 1 MB."""
FARTHEST_MOMENT: Final = 3600.0
"""Seconds ahead of the time that a last moment of a schedule may be: clocks differ."""


NOT_TAKEN: Final = "not_taken"
"""The reason of an event that was given up because no version of its handler takes its type. The
text of its failure is the type."""
LIVE: Final = 120.0
"""Seconds for which a process lives after a claim; one whose attempts take all its time may not get
to the next one for a while."""
RENEWED: Final = 20.0  # seconds between two claims
ABANDONED: Final = 86_400.0
"""Seconds after which a newer version that nobody runs counts for nothing beside one that lives."""


class Recipient(NamedTuple):
    """Who gets a row: a subscriber of a bus. Whoever has no buses uses one name for all."""

    bus: str
    subscriber: str


class Owner(NamedTuple):
    """Whose something is that a store keeps, and where it may go.

    Attributes:
        app: None for whoever has no app, which leaves it to any.
        targets: the order of whoever has kept it; empty for any.
    """

    app: str | None = None
    stage: str | None = None
    targets: tuple[str, ...] = ()

    def may_take(self, kept: Owner | None) -> bool:
        """Return whether this is an owner of what another one has kept; of what nobody has, too."""
        return kept is None or (
            self.stage == kept.stage
            and (self.app == kept.app or None in (self.app, kept.app))
            and (not kept.targets or not {*kept.targets}.isdisjoint(self.targets))
        )

    def __str__(self) -> str:
        """Return whose it is, for people."""
        words = {"app": self.app, "stage": self.stage, "targets": ",".join(self.targets)}
        return ", ".join(f"{name} {word}" for name, word in words.items() if word)


@show_only("recipient idempotency_key")
class NewRow(NamedTuple):
    """What is to be delivered.

    Attributes:
        lane: rows of one lane are delivered one after the other; None for no order.
    """

    recipient: Recipient
    lane: str | None
    idempotency_key: str
    document: str


@show_only("id recipient idempotency_key attempt")
class LeasedRow(NamedTuple):
    """A row that is leased for one attempt; 1 is the first. Rows leased together share a lease.

    Attributes:
        is_unheard: its last lease ran out, and nobody wrote down how the attempt ended: it may be
            what ended a process.
        is_counted: the store has counted this attempt. False for a row that was leased before a
            worker was free: its attempt is counted when it begins.
    """

    id: int
    recipient: Recipient
    idempotency_key: str
    document: str
    attempt: int
    lease: str
    is_unheard: bool = False
    is_counted: bool = True

    @property
    def is_tried(self) -> bool:
        """Return whether an earlier attempt may have begun."""
        return self.attempt > 1 or self.is_unheard


@show_only("error")
class AttemptFailure(NamedTuple):
    """Why an attempt failed: the exception's class, and its text, if there is one.

    Attributes:
        again: whether there is another attempt; None where the policy decides.
        ran: ``no``, ``maybe`` or ``yes``: whether an attempt has had an effect.
        after: seconds until another attempt; None where the policy decides.
    """

    error: str
    message: str | None = None
    again: bool | None = None
    reason: str | None = None
    ran: str = "maybe"
    after: float | None = None


def text_of_failure(failure: AttemptFailure) -> str:
    """Return class and text as the last line of a traceback; what UTF-8 cannot hold is ``?``."""
    text = f"{failure.error}: {failure.message}" if failure.message else failure.error
    return text[:LONGEST_ERROR].encode(errors="replace").decode()


def failure_of_text(text: str, reason: str | None, ran: object) -> AttemptFailure:
    """Return the failure that a store keeps as such a text.

    Another program may have changed it, so ``no`` and ``yes`` alone count as what an attempt did.
    """
    error, _, message = text.partition(": ")
    effect = ran if ran in ("no", "yes") else "maybe"
    return AttemptFailure(error, message or None, None, reason, str(effect))


class LeaseEnd(NamedTuple):
    """How a lease has ended.

    Attributes:
        failure: of its attempt; None if that went well. Where there was none: what it waits for, if
            that is to be seen.
        is_begun: False if there was no attempt after all, so that none is counted.
        after: seconds until a row without an attempt is due.
        is_late: the lease may have ended before, and another attempt may have the row.
    """

    row: LeasedRow
    failure: AttemptFailure | None = None
    is_begun: bool = True
    after: float = 0.0
    is_late: bool = False


@show_only("id recipient attempt failure")
class DeadRow(NamedTuple):
    """A row that is given up."""

    id: int
    recipient: Recipient
    document: str | None
    attempt: int
    failure: AttemptFailure
    died: float | None = None


class TakenRows(NamedTuple):
    """What is leased, and what was given up instead; the lease ends in Unix seconds."""

    rows: list[LeasedRow]
    dead: list[DeadRow]
    leased_until: float = 0.0


class DeliveryStore(Protocol):
    """Rows that wait for their recipients.

    Every method may raise `leeward.leases.faults.DatabaseFault`.
    """

    policy: DeliveryPolicy
    clock: Clock | None = None  # of leases, for all who share it; None if the store tells the time

    def add(self, rows: Iterable[NewRow], timeout: float) -> None:
        """Keep all of `rows`, or none; wait at most `timeout` seconds for the store."""

    def take(
        self,
        recipients: Iterable[Recipient],
        clock: Callable[[], float],
        room: Room,
        limits: Mapping[Recipient, int] | None = None,
    ) -> TakenRows:
        """Lease rows for `recipients` recipients that are due now, or whose time cannot be read.

        Of each lane only the head may go; it stays the head until it is done or dead. A row that
        has had its last attempt, or that makes no sense, is given up instead.

        Args:
            recipients: who can be delivered to here.
            clock: tells the time, in Unix seconds; asked when the store is free, for a lease that
                begins before the wait for it would be short.
            room: what the caller may take.
            limits: how many attempts at a row a recipient wants made, where it says so.
        """

    def finish(
        self, ends: Iterable[LeaseEnd], now: float, begun: Iterable[LeasedRow] = ()
    ) -> list[LeaseEnd]:
        """Write down together how leases have ended; return those whose row is given up.

        A row that was handled is forgotten; one whose attempt failed waits for the next, or is
        given up; one that had no attempt is due again. Attempts that have `begun`, and go on, are
        counted, and have a whole lease from now. Nothing of that, if the lease has gone to another
        attempt. But a row without an order that a late attempt has handled is forgotten, whoever
        tries it now; also where it was given up because no attempt had a word.
        """

    def quiet(self, recipients: Iterable[Recipient]) -> float:
        """Return for how many seconds nobody needs to take for `recipients`; 0.0 if unknown."""
        del recipients
        return 0.0

    def next_due(self, recipients: Iterable[Recipient], now: float) -> float | None:
        """Return the earliest time after `now` at which a row for `recipients` is due."""

    def count_waiting(self, recipients: Iterable[Recipient]) -> int:
        """Count the rows for `recipients` that are neither done nor dead."""


class DeadLetterStore(Protocol):
    """Rows that were given up. Every method may raise `DatabaseFault`."""

    def dead_rows(self, after: int | None = None, limit: int = DEAD_AT_ONCE) -> list[DeadRow]:
        """Return a page of them without their documents, in the order in which they were added."""

    def dead_row(self, id: int) -> DeadRow | None:
        """Return one with its document, or None if it is not there."""

    def redrive(self, id: int, to: str | None = None) -> bool:
        """Make one due again, for the subscriber `to` if given; return whether it was there."""

    def discard(self, id: int) -> bool:
        """Delete one; return whether it was there."""


def walk_dead_rows(store: DeadLetterStore, after: int | None = None) -> Iterator[DeadRow]:
    """Yield the rows that were given up, without their documents, and read a page at a time.

    Whoever takes one away meanwhile makes no other one be left out.

    Raises:
        DatabaseFault: a page cannot be read.
    """
    while True:
        page = store.dead_rows(after)
        yield from page
        if len(page) < DEAD_AT_ONCE:
            return
        after = page[-1].id


class ScheduleStore(Protocol):
    """Rows of schedules, one for each moment. Every method may raise `DatabaseFault`.

    Several processes may find that a schedule is due, and one that was killed may find it again;
    the first one's row is kept. The last moment of each schedule is written in the same
    transaction as its row.
    """

    def now(self, clock: Clock) -> float:
        """Return the Unix seconds that schedules go by: of `clock`, or of who keeps the rows."""
        return clock.now()

    def add(self, name: str, moment: float, row: NewRow, timeout: float, now: float) -> bool:
        """Keep a row, unless one is kept for this moment or a later one; return whether.

        A last moment that is far ahead of `now` was written by a clock that was wrong, and counts
        for nothing.
        """

    def begin(self, name: str, moment: float, timeout: float, expression: str) -> float:
        """Return the last moment of a schedule; one that is new begins with this moment.

        So does one that had another expression when it was begun last: what became due by that one
        may have run. And so does one whose last moment was written by a clock that was wrong.
        """

    def moments(self) -> dict[str, float]:
        """Return the last moment of each schedule that was begun, by the name of its series."""


class Taker(NamedTuple):
    """A recipient of some version of an app, for which rows are kept.

    Attributes:
        type: of the events that it takes, None for every type; of a queue the name of its handler.
    """

    recipient: Recipient
    type: str | None


def is_taken(recipient: Recipient, handlers: Mapping[Recipient, str]) -> bool:
    """Return whether some version takes what is for a recipient; without handlers nobody knows.

    What a process keeps for itself, such as a spool, it also takes.
    """
    is_own = recipient.bus.startswith("(") and recipient.bus != SCHEDULE
    return is_own or not handlers or recipient in handlers


def version_of(wanted: Mapping[Recipient, str | None]) -> str:
    """Return what tells these recipients and the types that they take from every other version."""
    rows = sorted((*recipient, type is not None, type or "") for recipient, type in wanted.items())
    return sha256(repr(rows).encode()).hexdigest()[:32]


class RecipientStore(Protocol):
    """Which recipients the handlers of an app are. Every method may raise `DatabaseFault`.

    The first app that has a handler of some name on a bus is the recipient of that name; another
    app's handler of the name is the recipient ``app/handler``. A name says so for good.

    Versions of an app may have other handlers, and the same ones for other types. Rows are kept for
    what any of them takes, until a process of a newer version finds that none of its processes
    lives: so a version that merely stopped gets what was published meanwhile. Newer is what came
    first later. When the newest has not lived for `ABANDONED` seconds, those of before end it, too.
    """

    def claim(
        self, app: str, wanted: Mapping[Recipient, str | None]
    ) -> Mapping[Recipient, Recipient]:
        """Return the recipients of an app by those that have its handlers' own names.

        This process lives from now on, for `LIVE` seconds; so it is called again every `RENEWED`.
        Events that were given up because nobody took their type are due again if it does.

        Raises:
            ConfigError: the rows belong to another stage; or everybody calls a queue by one name,
                and another app that is alive serves it.
        """

    def list_takers(self, timeout: float = PATIENCE, *, live: bool = False) -> list[Taker]:
        """Return the recipients for which rows are kept."""

    def release(self) -> None:
        """End what `claim` began: this process takes no more rows."""


@show_only("recipient waiting dead")
class Depth(NamedTuple):
    """How much there is for a recipient, counted as far as it was asked for.

    Attributes:
        key: the idempotency key of the first one that waits; None where none does.
    """

    recipient: Recipient
    waiting: int
    dead: int
    key: str | None


def sent_at(depth: Depth) -> float | None:
    """Return when the first row that waits was sent, in Unix seconds, as its key says it.

    leeward makes keys with the time in them. None for the key of somebody else.
    """
    last = (depth.key or "").rpartition("#")[2]
    if depth.recipient.bus != SCHEDULE:
        return time_of_id(last)
    from datetime import datetime  # who has no schedules does without

    try:
        return datetime.fromisoformat(last).timestamp()
    except ValueError:
        return None


@show_only("recipient waiting dead bytes")
class Backlog(NamedTuple):
    """How many rows of a recipient a store has.

    Attributes:
        bytes: of the documents of both; None where every bus was measured, without their rows.
        oldest: the document of the first one that waits; None where none does.
        key: the idempotency key of that one.
        approvals: how many of those that wait have to be approved by a person first.
    """

    recipient: Recipient
    waiting: int
    dead: int
    bytes: int | None
    oldest: str | None
    key: str | None = None
    approvals: int = 0


class DeliveryRows(DeliveryStore, DeadLetterStore, Protocol):
    """The rows of deliveries: those that wait, and those that were given up."""

    def depths(self, recipients: Iterable[Recipient], limit: int) -> list[Depth]:
        """Count rows without their documents, and hold up no writer for long."""

    def measure(self, bus: str | None, timeout: float = PATIENCE) -> list[Backlog]:
        """Return how many rows each recipient of a `bus` has, by name; None is every bus."""


class SpoolRows(DeliveryRows, Protocol):
    """Rows that wait until a target takes them: a spool, or an outbox."""

    def has_waiting(self, recipient: Recipient, lane: str, timeout: float) -> bool:
        """Return whether a lane of `recipient` has rows that are neither done nor dead."""


class Presence(Protocol):
    """Which apps processes work for over the rows of a target; others leave the rows to them."""

    def hold(self, app: str) -> None:
        """Show from now on that this process works for an app."""

    def release(self) -> None:
        """End what `hold` began."""

    def is_held(self, app: str) -> bool:
        """Return whether another process works for an app."""


class Stores(NamedTuple):
    """What an app runs on at a target.

    Attributes:
        open_journal: opens a `leeward.workflow.embedded.journal.Journal`; None for no runs.
        runner: the `leeward._delivery.runner.AppRunner` of the process; None where a worker has to
            make one.
        has_rows: whether there may be rows; where it returns False, looking would make the store.
        has_runs: the same of runs.
        presence: None where a process that publishes delivers nothing itself.
        recipients: None where nobody else has the same rows.
        listen: calls its first argument when another process may have added rows, its second one
            when it may have added runs; None where it cannot.
    """

    deliveries: DeliveryRows
    schedules: ScheduleStore
    open_journal: Callable[[], object] | None = None
    is_shared: bool = True
    runner: object | None = None
    has_rows: Callable[[], bool] = lambda: True
    has_runs: Callable[[], bool] = lambda: True
    presence: Presence | None = None
    recipients: RecipientStore | None = None
    listen: Callable[[Callable[[], None], Callable[[], None]], None] | None = None

    def read_handlers(self) -> dict[Recipient, str]:
        """Return the names of handlers, as their apps have them, by the recipients they are."""
        if self.recipients is None and self.runner is not None:
            running = cast("Any", self.runner).handlers()
            return {to: handler.name for to, handler in running.items()}
        takers = [] if self.recipients is None else self.recipients.list_takers()
        return {to: (to.bus == QUEUED_CALL and type) or to.subscriber for to, type in takers}
