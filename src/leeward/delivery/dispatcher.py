"""The delivery loop: one daemon thread that leases rows and writes down how they have ended.

Attempts are made by the threads of `workers`. The loop sleeps until something is added, an attempt
ends, or a retry or lease is due. While rows are pending, and with a file that other processes write
to, it also looks by itself once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Condition, RLock, Thread
from time import monotonic
from typing import Literal, TypeAlias

from leeward.clock import Clock
from leeward.delivery.rows import (
    DeadDelivery,
    Delivery,
    Failure,
    LeaseEnd,
    Message,
    Recipient,
)
from leeward.delivery.store import DeliveryStore
from leeward.delivery.workers import Handler, Leased, Workers
from leeward.errors import ConfigError
from leeward.forking import HOLD_SECONDS, Forkable, watch
from leeward.logs import log_event
from leeward.sqlite.errors import DatabaseFault
from leeward.text import message_of

LOGGER = "leeward.delivery"
LOOK_AGAIN = 1.0
"""Seconds."""
SOON = 0.02
"""Seconds until it is written down, at the latest, what has ended while other rows wait."""
GRACE = 2.0
"""Seconds that `close` waits for what is due, for the loop, and for attempts under way."""

Accept: TypeAlias = Callable[[Iterable[Message], float], None]
"""`Dispatcher.accept`."""


class AttemptFailed(Exception):
    """Raised by a handler that knows whether there is to be another attempt.

    Args:
        cause: what it has met.
        again: whether to try again.
        reason: the failure's own word, or None.
        ran: ``no``, ``maybe`` or ``yes``: whether an attempt has had an effect.
    """

    def __init__(
        self,
        cause: BaseException,
        *,
        again: bool | None,
        reason: str | None = None,
        ran: str = "maybe",
    ) -> None:
        super().__init__()
        self.cause = cause
        self.again = again
        self.reason = reason
        self.ran = ran


class Dispatcher(Forkable):
    """Delivers the rows that this process has handlers for. Its thread starts on first need."""

    _condition: Condition
    """For the loop: something may be due."""
    _turned: Condition
    """For those who wait for the loop; of the same lock."""
    _changes: int
    _turns: int
    _thread: Thread | None
    _workers: Workers
    _sleeps: bool
    """Whether the loop holds no rows that the workers do not know of."""

    def __init__(
        self,
        store: DeliveryStore,
        handlers: Callable[[], Mapping[Recipient, Handler]],
        clock: Clock,
        *,
        shared: bool,
    ) -> None:
        """Take the rows and what handles them; `shared` tells that other processes add rows."""
        self._store = store
        self._policy = store.policy
        self._handlers = handlers
        self._clock = clock
        self._shared = shared
        self._closed = False
        self._begin()
        watch(self)

    def accept(self, messages: Iterable[Message], timeout: float) -> None:
        """Keep `messages` durably, and deliver them in the background."""
        self._store.add(messages, timeout)
        self.wake()

    @property
    def started(self) -> bool:
        """Return whether the loop has been needed so far."""
        return self._thread is not None

    def wake(self) -> None:
        """Look for work now; start the thread if it does not run."""
        with self._condition:
            if self._closed:
                return
            if self._thread is None or not self._thread.is_alive():
                self._thread = self._start_loop()
            self._changed()

    def wait_idle(self, timeout: float) -> None:
        """Wait until no row is pending for a handler of this process.

        Raises:
            TimeoutError: some are left after `timeout` seconds; it names how many.
        """
        deadline = monotonic() + timeout
        self.wake()
        while True:
            seen = self._turns
            left = self._store.waiting(self._handlers())
            if not left:
                return
            seconds = deadline - monotonic()
            if seconds <= 0:
                raise TimeoutError(f"deliveries left after {timeout} seconds: {left}")
            self._wait_for_turn(seen, min(seconds, LOOK_AGAIN))

    def close(self) -> None:
        """Deliver what is pending, for a moment; then take no further row, and let attempts end."""
        self._drain()
        with self._condition:
            self._closed = True
            self._changed()
            self._turned.wait_for(
                lambda: self._sleeps and not self._workers.are_others_at_work(), GRACE
            )

    def hold(self) -> bool:
        """Stand still; for a fork."""
        return self._condition.acquire(timeout=HOLD_SECONDS)

    def release(self) -> None:
        """Go on; for the parent of a fork."""
        self._condition.release()

    def end(self) -> None:
        """End with a subinterpreter."""
        self.close()

    def renew(self, *, held: bool) -> None:
        """Forget the parent's threads; for the child of a fork."""
        self._begin()

    def _begin(self) -> None:
        lock = RLock()
        self._condition, self._turned = Condition(lock), Condition(lock)
        self._changes = self._turns = 0
        self._thread = None
        self._sleeps = True
        self._workers = Workers(
            self._condition, self._policy, self._clock, self._attempt, self._changed
        )

    def _changed(self) -> None:
        """Count a change, so that it is noticed by whoever was about to sleep."""
        with self._condition:
            self._changes += 1
            self._condition.notify()

    def _wait_for_turn(self, seen: int, seconds: float) -> None:
        """Wait until the loop has written down what there was, once more than `seen` times."""
        with self._turned:
            self._turned.wait_for(lambda: self._turns != seen, seconds)

    def _wait_for_change(self, seen: int, seconds: float | None) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._changes != seen, seconds)

    def _start_loop(self) -> Thread | None:
        """Start the loop; None if the process may have no further thread: another look tries."""
        thread = Thread(target=self._loop, name="leeward-dispatch", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return None
        return thread

    def _loop(self) -> None:
        stalled = False
        while True:
            with self._condition:
                seen, self._sleeps = self._changes, False
            try:
                pause = self._turn()
                stalled = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may go well
                if not stalled:
                    kind, reason = type(error).__name__, getattr(error, "reason", None)
                    log_event(LOGGER, "warning", "delivery_stalled", error=kind, reason=reason)
                stalled = True
                pause = LOOK_AGAIN
            with self._condition:
                self._sleeps = True
                self._turns += 1
                self._turned.notify_all()
                if self._closed and not self._workers.leased:
                    return
            self._wait_for_change(seen, pause)

    def _turn(self) -> float | None:
        """Write down what has ended, and lease what is due; return the seconds to sleep.

        None is for until something changes.
        """
        self._workers.hand_back(0.0 if self._closed else self._policy.longest_wait)
        self._record(self._workers.ended(), self._workers.begun())
        return None if self._closed else self._lease_due()

    def _record(self, ended: list[Leased], begun: list[Leased]) -> None:
        if not ended and not begun:
            return
        try:
            ends = [each.ended for each in ended if each.ended is not None]
            starts = [each.delivery for each in begun]
            for dead in self._store.record(ends, self._clock.now(), starts):
                assert dead.failure is not None
                _log("error", "dead_lettered", dead.delivery, dead.failure.error)
            for each in begun:
                each.counted = True
        except Exception as error:  # noqa: BLE001 - the leases end, and all are delivered again
            for each in ended:
                _log("warning", "attempt_not_recorded", each.delivery, type(error).__name__)
        finally:
            self._workers.forget(ended)

    def _drain(self) -> None:
        """Wait while something is pending: a program often ends right after it publishes.

        A handler that closes its own target would wait for itself, so it does not wait.
        """
        deadline = monotonic() + GRACE
        while not self._closed and self.started:
            seen = self._turns
            if not self._is_busy():
                return
            left = deadline - monotonic()
            if left <= 0:
                return
            self._wait_for_turn(seen, min(left, LOOK_AGAIN))

    def _is_busy(self) -> bool:
        if self._workers.is_this_thread_at_work():
            return False
        try:
            return bool(self._store.waiting(self._handlers()))
        except (DatabaseFault, ConfigError):
            return False

    def _lease_due(self) -> float | None:
        """Lease what is due for the workers; return the seconds to sleep."""
        handlers, now = self._handlers(), self._clock.now()
        limit, again, unheard, places = self._workers.room(now)
        if limit <= 0:
            return SOON if self._workers.begun() else LOOK_AGAIN
        most = {recipient: handler.most for recipient, handler in handlers.items()}
        taken = self._store.take(
            handlers, self._clock.now, limit, again, unheard, places=places, most=most
        )
        for dead in taken.buried:
            _log("error", "dead_lettered", dead, dead.failure.error)
        deadline = self._clock.monotonic() + self._policy.lease
        leased = [
            Leased(each, handlers[each.recipient], taken.ends, deadline)
            for each in taken.deliveries
        ]
        self._workers.add(leased, now)
        if self._workers.has_work or self._workers.begun():
            return SOON
        due = self._store.next_due(handlers, now)
        if due is not None:
            return min(due - now, LOOK_AGAIN)
        return LOOK_AGAIN if self._shared else None

    def _attempt(self, leased: Leased) -> LeaseEnd:
        """Run the handler; return how that went, whatever it raised."""
        delivery = leased.delivery
        try:
            leased.handler.attempt(delivery, leased.deadline)
        except BaseException as error:  # noqa: BLE001 - whatever ends it, the attempt has failed
            if not isinstance(error, AttemptFailed):
                error = AttemptFailed(error, again=None)
            name = type(error.cause).__name__
            _log("warning", "handler_failed", delivery, name)
            message = message_of(error.cause)
            return LeaseEnd(delivery, Failure(name, message, error.again, error.reason, error.ran))
        return LeaseEnd(delivery)


def _log(
    level: Literal["warning", "error"], name: str, row: Delivery | DeadDelivery, error: str
) -> None:
    bus, subscriber = row.recipient
    log_event(
        LOGGER,
        level,
        name,
        id=row.id,
        bus=bus,
        subscriber=subscriber,
        attempt=row.attempt,
        error=error,
    )
