"""The delivery loop: it leases rows, lets threads make attempts, and writes down how they ended.

Attempts write nothing themselves: the loop writes down together whatever has ended meanwhile, for
a transaction costs as much for one row as for hundreds. It sleeps until something is added, an
attempt ends, or a retry or lease is due. While rows are pending, and with a file that other
processes write to, it also looks by itself once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from math import inf
from threading import Lock, current_thread
from time import monotonic
from typing import Any, Literal, TypeAlias

from leeward.clock import Clock
from leeward.errors import ConfigError
from leeward.forking import HOLD_SECONDS, Forkable, watch
from leeward.leases import threads
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import DeliveryPolicy, Room, needs_renewal
from leeward.leases.threads import Carriers, HeldLease, Loop, WorkPool
from leeward.logs import Fact, failure_facts, log_event
from leeward.records import NamedTuple
from leeward.stores import (
    AttemptFailure,
    DeadRow,
    DeliveryStore,
    LeasedRow,
    LeaseEnd,
    NewRow,
    Recipient,
    TakenRows,
)
from leeward.text import message_of

LOGGER = "leeward.delivery"
SOON = 0.02
"""Seconds until it is written down, at the latest, what has ended while other rows wait."""
GRACE = 2.0
"""Seconds that `close` waits for what is due, for the loop, and for attempts under way."""
BLOCKED = 0.1
"""Seconds after which a dispatcher asks again for attempts of a limit that others use up."""

Accept: TypeAlias = Callable[[Iterable[NewRow], float], None]
"""Keeps rows, within some seconds, and delivers them."""


class Receiver(NamedTuple):
    """What handles the rows of one recipient.

    Attributes:
        attempt: makes one attempt, which has until the second argument, on the clock's `monotonic`;
            any exception is a failed attempt.
        most: how many attempts at one row it wants made; 0 leaves that to the policy.
        name: of the handler; empty for the recipient's.
    """

    attempt: Callable[[LeasedRow, float], object]
    most: int = 0
    seconds: float = 0.0
    name: str = ""


class AttemptFailed(Exception):
    """Raised by a handler that knows whether there is to be another attempt.

    Args:
        reason: the failure's own word, or None.
        ran: ``no``, ``maybe`` or ``yes``: whether an attempt has had an effect.
        error: the class of an exception that counts more than its own; None for that of `cause`.
        after: seconds until another attempt; None where the policy decides.
    """

    def __init__(
        self,
        cause: BaseException,
        *,
        again: bool | None,
        reason: str | None = None,
        ran: str = "maybe",
        error: str | None = None,
        after: float | None = None,
    ) -> None:
        super().__init__()
        self.cause = cause
        name, message = error or type(cause).__name__, message_of(cause)
        self.failure = AttemptFailure(name, message, again, reason, ran, after)


class AttemptPutOff(Exception):
    """Raised by a handler that makes no attempt now: the row is due again, none is counted."""

    def __init__(self, after: float = 0.0, waits_for: AttemptFailure | None = None) -> None:
        super().__init__()
        self.after, self.waits_for = after, waits_for


class AttemptLimit:
    """How many attempts may be under way at one time, in several dispatchers of this process."""

    def __init__(self, limit: int) -> None:
        self._most = limit
        self._used = 0
        self._lock = Lock()
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever attempts have ended."""
        self._listeners.append(listener)

    def acquire(self, wanted: int) -> int:
        """Use up as many attempts as there are, at most `wanted`; return how many."""
        with self._lock:
            free = max(0, min(wanted, self._most - self._used))
            self._used += free
        return free

    def release(self, count: int, *, is_unused: bool = False) -> None:
        """Return attempts; those that were not made, without a word to the listeners."""
        with self._lock:
            self._used -= count
        if count and not is_unused:
            for listener in self._listeners:
                listener()


class DispatcherStatus(NamedTuple):
    """What a dispatcher does.

    Attributes:
        failures: looks in a row that failed, the last one included.
        looked_at: when the last look ended that did not fail, on the monotonic clock, or None.
        is_idle: nothing is under way, and nothing becomes due within a second.
    """

    under_way: int
    dead: int
    failures: int
    looked_at: float | None
    is_idle: bool
    looks: int


class DeliveryAttempt(HeldLease):
    """A row from its lease until its end is written down.

    Args:
        ends: of the lease, in Unix seconds.
        deadline: of the attempt, on the clock's `monotonic`.
        renewed: when it was leased, or that was renewed, on the same clock.

    Attributes:
        is_counted: whether the row in the store counts it.
        is_late: the lease has ended once; another attempt may have the row.
    """

    __slots__ = ("deadline", "end", "is_counted", "is_late", "receiver", "renewed", "row")

    def __init__(
        self, row: LeasedRow, receiver: Receiver, ends: float, deadline: float, renewed: float = 0.0
    ) -> None:
        super().__init__(ends)
        self.renewed, self.is_late = renewed, False
        self.row = row
        self.receiver = receiver
        self.deadline = deadline
        self.is_counted = row.is_counted
        self.end: LeaseEnd | None = None

    @property
    def is_tried(self) -> bool:
        """Return whether an earlier attempt may have begun."""
        return self.row.is_tried

    @property
    def is_unheard(self) -> bool:
        """Return whether the row's last lease ended without a word."""
        return self.row.is_unheard


class Attempts(WorkPool[DeliveryAttempt]):
    """The attempts of this process, and the threads that make them.

    `make` raises nothing. `tell` is called, under the lock, when there is something to write down
    and few rows are left to do meanwhile.
    """

    def __init__(
        self,
        lock: AbstractContextManager[Any],
        policy: DeliveryPolicy,
        clock: Clock,
        make: Callable[[DeliveryAttempt], LeaseEnd],
        tell: Callable[[], None],
    ) -> None:
        super().__init__(lock, policy.concurrency, clock)
        self._policy = policy
        self._make = make
        self._tell = tell
        self._few = 0
        self._seconds: float | None = None
        """That an attempt has taken lately; None where that is not known."""

    def work(self, held: DeliveryAttempt) -> None:
        """Make an attempt."""
        held.end = self._make(held)

    def end(self, held: DeliveryAttempt) -> None:
        """Wake the loop, which writes it down, unless enough rows are left to do meanwhile."""
        del held
        if len(self._waiting) <= self._few:
            self._tell()

    def name(self, held: DeliveryAttempt) -> str:
        """Return the name of the thread that makes an attempt."""
        return f"leeward-deliver-{held.row.recipient.subscriber}"

    def room(self, now: float) -> Room:
        """Return what to lease."""
        with self._lock:
            held = [attempt for attempt in self.held if not attempt.is_over]
        return self._policy.room(held, now, self._seconds)

    def add(self, rows: Iterable[DeliveryAttempt], first: Iterable[DeliveryAttempt] = ()) -> None:
        """Queue rows for their attempt; those that were tried before go first."""
        with self._lock:
            rows = list(rows)
            tried = [row for row in rows if row.is_tried]
            self._few = (len(self._waiting) + len(rows)) // 2
            super().add([row for row in rows if not row.is_tried], [*first, *tried])

    def hand_back(self, longest: float) -> None:
        """End without an attempt what has waited for `longest` seconds: others may have time."""
        with self._lock:
            for attempt in self.withdraw(longest):
                attempt.end, attempt.is_over = LeaseEnd(attempt.row, is_begun=False), True
                self._seconds = None

    def list_ends(self) -> list[DeliveryAttempt]:
        """Return those that are over, and learn from them how long one takes."""
        with self._lock:
            over = [attempt for attempt in self.held if attempt.is_over]
            seconds = [attempt.seconds for attempt in over if attempt.thread is not None]
            if seconds:
                self._seconds = sum(seconds) / len(seconds)
        return over

    def list_starts(self, now: float = -inf) -> list[DeliveryAttempt]:
        """Return those under way that no row counts yet, or whose lease is renewed `now`."""
        lease = self._policy.lease
        with self._lock:
            under_way = (run for run in self.held if run.thread is not None and not run.is_over)
            return [
                run
                for run in under_way
                if not run.is_counted
                or (run.renewed + lease < run.deadline and needs_renewal(run.renewed, now, lease))
            ]

    def is_this_thread_at_work(self) -> bool:
        """Return whether it is a handler that asks."""
        with self._lock:
            return any(attempt.thread is current_thread() for attempt in self.held)

    def are_others_at_work(self) -> bool:
        """Return whether anybody but the thread that asks has a row."""
        with self._lock:
            return any(attempt.thread is not current_thread() for attempt in self.held)


class Dispatcher(Forkable):
    """Delivers the rows that this process has handlers for. Its thread starts on first need."""

    _loop: Loop
    _attempts: Attempts

    def __init__(
        self,
        store: DeliveryStore,
        receivers: Callable[[], Mapping[Recipient, Receiver]],
        clock: Clock,
        *,
        shared: bool,
        concurrency: int | None = None,
        limits: Sequence[AttemptLimit] = (),
        paused: bool = False,
        patient: bool = False,
        carriers: Carriers | None = None,
    ) -> None:
        """Keep what the dispatcher works with; its thread starts later.

        Args:
            store: of the rows.
            receivers: returns what handles the rows of whom.
            clock: for leases, if the store has none of its own.
            shared: other processes add rows.
            concurrency: attempts at one time; None for what the store's policy says.
            limits: that its attempts count against, besides.
            paused: take nothing before `resume`.
            patient: keep the ends of attempts while the store is away, and write them down later,
                rather than let the leases end. Nothing is taken meanwhile.
            carriers: whose threads look, where others look, too; None for a thread of its own.
        """
        self._store = store
        self._policy = store.policy
        if concurrency is not None:
            self._policy = store.policy._replace(concurrency=concurrency)
        self._receivers = receivers
        self._clock = store.clock or clock
        self._shared = shared
        self._limits = tuple(limits)
        self._is_paused = paused
        self._is_patient = patient
        self._hurries = False
        """Somebody waits until nothing is pending."""
        self._carriers = carriers or Carriers("leeward-dispatch", 1)
        self._closed = False
        self._dead = 0
        self._is_done = False
        """The last look has taken nothing, and nothing is due soon."""
        self._reached_at = monotonic()
        """When the store last answered, on the monotonic clock."""
        self._begin()
        for limit in self._limits:
            limit.listen(lambda: self._loop.tell())  # noqa: PLW0108 - another one after a fork
        watch(self)

    @property
    def started(self) -> bool:
        """Return whether the loop has been needed so far."""
        return self._loop.is_started

    def wake(self) -> None:
        """Look for work now; start the thread if it does not run."""
        with self._loop.lock:
            if not self._closed:
                self._loop.wake()

    def pause(self) -> None:
        """Stop taking rows; hand back what has no attempt yet."""
        with self._loop.lock:
            self._is_paused = True
            self._loop.tell()

    def resume(self) -> None:
        """Start taking rows again."""
        with self._loop.lock:
            self._is_paused = False
        self.wake()

    def drain(self, timeout: float) -> int:
        """Stop taking rows, and wait for attempts; return how many have not after `timeout`."""
        self.pause()
        with self._loop.lock:
            self._loop.wait(lambda: self._loop.is_asleep and not self._attempts.held, timeout)
            return len(self._attempts.held)

    def status(self) -> DispatcherStatus:
        """Return what it does."""
        with self._loop.lock:
            loop, held = self._loop, self._attempts.held
            return DispatcherStatus(
                sum(attempt.thread is not None and not attempt.is_over for attempt in held),
                self._dead,
                loop.failures,
                loop.looked_at,
                self._is_done and not held and not loop.failures,
                loop.looks,
            )

    def wait_idle(self, timeout: float) -> None:
        """Wait until no row is pending for a handler of this process.

        What fails meanwhile is tried again at once, whatever pause it would have.

        Raises:
            TimeoutError: some are left after `timeout` seconds; it names how many.
        """
        deadline = monotonic() + timeout
        self.wake()
        self._hurries = True
        try:
            while True:
                seen = self._loop.looks
                left = self._store.count_waiting(self._receivers())
                if not left:
                    return
                seconds = deadline - monotonic()
                if seconds <= 0:
                    raise TimeoutError(f"deliveries left after {timeout} seconds: {left}")
                self._wait_for_look(seen, seconds)
        finally:
            self._hurries = False

    def close(self) -> None:
        """Deliver what is pending, for a moment; then take no further row, and let attempts end.

        A program often ends right after it publishes. A handler that closes its own target would
        wait for itself, so it does not wait. One that is paused waits only until what has no
        attempt is handed back.
        """
        deadline = monotonic() + GRACE
        while not self._closed and not self._is_paused and self.started:
            seen, left = self._loop.looks, deadline - monotonic()
            if not self._is_busy() or left <= 0:
                break
            self._wait_for_look(seen, left)
        with self._loop.lock:
            self._closed = True
            self._loop.tell()
            keep = self._attempts.are_others_at_work
            if self._is_paused:
                keep = self._attempts.has_waiting
            self._loop.wait(lambda: self._loop.is_asleep and not keep(), GRACE)

    def hold(self) -> bool:
        """Pause, for a fork."""
        return self._loop.lock.acquire(timeout=HOLD_SECONDS)

    def release(self) -> None:
        """Continue in the parent of a fork."""
        self._loop.lock.release()

    def renew(self, *, held: bool) -> None:
        """Forget the parent's threads; for the child of a fork."""
        self._attempts.abandon()
        self._begin()

    def _begin(self) -> None:
        self._loop = Loop(
            self._carriers.take(),
            self._look,
            lambda: self._closed and not self._attempts.held,
            _log_stall,
        )
        self._attempts = Attempts(
            self._loop.lock, self._policy, self._clock, self._make, self._loop.tell
        )

    def _wait_for_look(self, seen: int, seconds: float) -> None:
        """Wait until the loop has written down what there was, once more than `seen` times."""
        self._loop.wait(lambda: self._loop.looks != seen, min(seconds, threads.LOOK_AGAIN))

    def _look(self) -> float | None:
        """Write down what has ended, lease what is due; return the seconds to sleep, if any."""
        is_over = self._closed or self._is_paused
        self._attempts.hand_back(0.0 if is_over else self._policy.longest_wait)
        starts = self._attempts.list_starts(self._clock.monotonic())
        self._finish(self._attempts.list_ends(), starts)
        if is_over:
            return threads.LOOK_AGAIN if self._attempts.held else None
        return self._take()

    def _finish(self, over: list[DeliveryAttempt], begun: list[DeliveryAttempt]) -> None:
        if not over and not begun:
            return
        now, since = self._clock.now(), self._clock.monotonic()
        for attempt in (*over, *begun):
            attempt.is_late = attempt.is_late or attempt.ends <= now
        receivers = {run.row.recipient: run.receiver for run in over}
        try:
            ends = [run.end._replace(is_late=run.is_late) for run in over if run.end]
            rows = [attempt.row for attempt in begun]
            for dead in self._store.finish(ends, now, rows):
                assert dead.failure is not None
                self._dead += 1
                to = receivers[dead.row.recipient]
                _log("error", "dead_lettered", dead.row, to, error=dead.failure.error)
            for attempt in begun:
                attempt.is_counted = True
                attempt.ends, attempt.renewed = now + self._policy.lease, since
        except Exception as error:
            if isinstance(error, DatabaseFault) and self._is_patient and not self._closed:
                raise
            for attempt in over:
                row, to, name = attempt.row, attempt.receiver, type(error).__name__
                _log("warning", "attempt_not_recorded", row, to, error=name)
        self._attempts.forget(over)
        for limit in self._limits:
            limit.release(len(over))

    def _is_busy(self) -> bool:
        if self._attempts.is_this_thread_at_work():
            return False
        try:
            return bool(self._store.count_waiting(self._receivers()))
        except (DatabaseFault, ConfigError):
            return False

    def _take(self) -> float | None:
        """Lease what is due for the attempts; return the seconds to sleep."""
        receivers, now = self._receivers(), self._clock.now()
        if self._is_done and (pause := self._store.quiet(receivers)):
            return pause
        room = self._attempts.room(now)
        self._is_done = False
        acquired = self._acquire(room)
        room = room if acquired is None else room._replace(limit=acquired)
        if room.limit <= 0:
            if self._is_patient and monotonic() - self._reached_at >= threads.LOOK_AGAIN:
                self._store.next_due(receivers, now)  # a worker notices that its store is away
                self._reached_at = monotonic()
            pause = threads.LOOK_AGAIN if acquired is None else BLOCKED
            return SOON if self._attempts.list_starts() else pause
        taken = self._lease(receivers, room, acquired or 0)
        if taken.dead or self._attempts.has_waiting() or self._attempts.list_starts():
            return SOON
        due = self._store.next_due(receivers, now)
        is_soon = due is not None and due - now < threads.LOOK_AGAIN
        self._is_done = not taken.rows and not is_soon
        if due is not None:
            return min(due - now, threads.LOOK_AGAIN)
        return threads.LOOK_AGAIN if self._shared else None

    def _lease(
        self, receivers: Mapping[Recipient, Receiver], room: Room, acquired: int
    ) -> TakenRows:
        """Lease rows, whose attempts have their time from then on, and let threads make them."""
        limits = {recipient: receiver.most for recipient, receiver in receivers.items()}
        count, since = 0, self._clock.monotonic()

        def look_at_clock() -> float:
            nonlocal since
            since = self._clock.monotonic()
            return self._clock.now()

        try:
            taken = self._store.take(receivers, look_at_clock, room, limits)
            count, self._reached_at = len(taken.rows), monotonic()
        finally:
            for limit in self._limits:
                limit.release(acquired - count, is_unused=True)
        self._dead += len(taken.dead)
        for dead in taken.dead:
            to = receivers[dead.recipient]
            _log("error", "dead_lettered", dead, to, error=dead.failure.error)
        lease, until = self._policy.lease, taken.leased_until
        self._attempts.add(
            DeliveryAttempt(row, to, until, since + max(to.seconds, lease), since)
            for row, to in ((row, receivers[row.recipient]) for row in taken.rows)
        )
        return taken

    def _acquire(self, room: Room) -> int | None:
        """Use up attempts of the limits; return how many rows to take, None without limits.

        None is leased ahead then: others may make those attempts meanwhile.
        """
        if not self._limits:
            return None
        wanted = min(room.limit, room.limit if room.places is None else room.places)
        for at, limit in enumerate(self._limits):
            acquired = limit.acquire(wanted)
            for earlier in self._limits[:at]:
                earlier.release(wanted - acquired, is_unused=True)
            wanted = acquired
        return wanted

    def _make(self, attempt: DeliveryAttempt) -> LeaseEnd:
        """Run the handler; return how that went, whatever it raised."""
        row = attempt.row
        try:
            attempt.receiver.attempt(row, attempt.deadline)
        except AttemptPutOff as later:
            return LeaseEnd(row, later.waits_for, is_begun=False, after=later.after)
        except BaseException as error:  # noqa: BLE001 - whatever ends it, the attempt has failed
            if not isinstance(error, AttemptFailed):
                error = AttemptFailed(error, again=None)
            facts = {"error": error.failure.error, **failure_facts(error.cause)}
            _log("warning", "handler_failed", row, attempt.receiver, **facts)
            after = SOON if self._hurries else error.failure.after
            return LeaseEnd(row, error.failure._replace(after=after))
        return LeaseEnd(row)


def _log_stall(error: Exception) -> None:
    facts = {"reason": getattr(error, "reason", None), **failure_facts(error)}
    log_event(LOGGER, "warning", "delivery_stalled", error=type(error).__name__, **facts)


def _log(
    level: Literal["warning", "error"],
    name: str,
    row: LeasedRow | DeadRow,
    to: Receiver,
    **facts: Fact,
) -> None:
    bus, subscriber = row.recipient
    names = {"queue": bus or subscriber, "handler": to.name or subscriber}
    log_event(LOGGER, level, name, id=row.id, **names, attempt=row.attempt, **facts)
