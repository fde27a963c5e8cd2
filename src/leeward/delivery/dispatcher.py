"""The delivery loop: one daemon thread that leases rows, and a daemon thread for each attempt.

The loop sleeps until something is added, an attempt ends, or a retry or lease is due. While rows
are pending, and with a file that other processes write to, it also looks by itself once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Condition, Thread, current_thread
from time import monotonic
from typing import Literal, TypeAlias

from leeward.clock import Clock
from leeward.delivery.store import (
    DeadDelivery,
    Delivery,
    DeliveryStore,
    Failure,
    Message,
    Recipient,
)
from leeward.errors import ConfigError
from leeward.forking import HOLD_SECONDS, Forkable, watch
from leeward.logs import log_event
from leeward.sqlite.errors import DatabaseFault
from leeward.text import message_of

LOGGER = "leeward.delivery"
LOOK_AGAIN = 1.0
"""Seconds."""
GRACE = 2.0
"""Seconds that `close` waits for what is due, for the loop, and for attempts under way."""

Handler: TypeAlias = Callable[[Delivery, float], object]
"""Makes one attempt, which has until the second argument, on the clock's `monotonic`; any exception
is a failed attempt."""

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
    _changes: int
    _thread: Thread | None
    _running: dict[str, tuple[Thread, float]]
    """The attempts under way by their lease: who makes them, and when the lease ends."""

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
                self._thread = _started(Thread(target=self._loop, name="leeward-dispatch"))
            self._changed()

    def wait_idle(self, timeout: float) -> None:
        """Wait until no row is pending for a handler of this process.

        Raises:
            TimeoutError: some are left after `timeout` seconds; it names how many.
        """
        deadline = monotonic() + timeout
        self.wake()
        while True:
            seen = self._changes
            left = self._store.waiting(self._handlers())
            if not left:
                return
            seconds = deadline - monotonic()
            if seconds <= 0:
                raise TimeoutError(f"deliveries left after {timeout} seconds: {left}")
            self._wait(seen, min(seconds, LOOK_AGAIN))

    def close(self) -> None:
        """Deliver what is pending, for a moment; then take no further row, and let attempts end."""
        self._drain()
        with self._condition:
            self._closed = True
            self._changed()
            loop = self._thread
        if loop is not None:
            loop.join(GRACE)
        me = current_thread()
        with self._condition:
            self._condition.wait_for(
                lambda: all(thread is me for thread, _ in self._running.values()), GRACE
            )

    def hold(self) -> bool:
        """Stand still; for a fork."""
        return self._condition.acquire(timeout=HOLD_SECONDS)

    def release(self) -> None:
        """Go on; for the parent of a fork."""
        self._condition.release()

    def renew(self, *, held: bool) -> None:
        """Forget the parent's threads; for the child of a fork."""
        self._begin()

    def _begin(self) -> None:
        self._condition = Condition()
        self._changes = 0
        self._thread = None
        self._running = {}

    def _changed(self) -> None:
        """Count a change, so that it is noticed by whoever was about to sleep."""
        with self._condition:
            self._changes += 1
            self._condition.notify_all()

    def _wait(self, seen: int, seconds: float | None) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._changes != seen, seconds)

    def _loop(self) -> None:
        stalled = False
        while True:
            seen = self._changes
            if self._closed:
                return
            try:
                pause = self._deliver_due()
                stalled = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may go well
                if not stalled:
                    kind, reason = type(error).__name__, getattr(error, "reason", None)
                    log_event(LOGGER, "warning", "delivery_stalled", error=kind, reason=reason)
                stalled = True
                pause = LOOK_AGAIN
            self._wait(seen, pause)

    def _drain(self) -> None:
        """Wait while something is pending: a program often ends right after it publishes.

        A handler that closes its own target would wait for itself, so it does not wait.
        """
        deadline = monotonic() + GRACE
        while not self._closed and self.started:
            seen = self._changes
            if not self._is_busy():
                return
            left = deadline - monotonic()
            if left <= 0:
                return
            self._wait(seen, min(left, LOOK_AGAIN))

    def _is_busy(self) -> bool:
        if any(thread is current_thread() for thread, _ in list(self._running.values())):
            return False
        try:
            return bool(self._store.waiting(self._handlers()))
        except (DatabaseFault, ConfigError):
            return False

    def _deliver_due(self) -> float | None:
        """Start what is due; return the seconds to sleep, None for until something changes."""
        handlers, now = self._handlers(), self._clock.now()
        leases = [ends for _, ends in list(self._running.values())]
        free = self._policy.free_places(leases, now)
        if free <= 0:
            return LOOK_AGAIN
        deliveries, buried = self._store.take(handlers, now, free)
        for dead in buried:
            _log("error", "dead_lettered", dead, dead.failure.error)
        for delivery in deliveries:
            self._start(delivery, handlers[delivery.recipient], now)
        due = self._store.next_due(handlers, now)
        if due is not None:
            return min(due - now, LOOK_AGAIN)
        return LOOK_AGAIN if self._shared else None

    def _start(self, delivery: Delivery, handler: Handler, now: float) -> None:
        thread = Thread(
            target=self._attempt,
            args=(delivery, handler),
            name=f"leeward-deliver-{delivery.recipient.subscriber}",
        )
        with self._condition:
            self._running[delivery.lease] = (thread, now + self._policy.lease)
        if _started(thread) is None:
            self._ended(delivery)

    def _attempt(self, delivery: Delivery, handler: Handler) -> None:
        try:
            failure = self._handle(delivery, handler)
            if failure is None:
                self._store.finish(delivery)
            elif self._store.fail(delivery, failure, self._clock.now()):
                _log("error", "dead_lettered", delivery, failure.error)
        except Exception as error:  # noqa: BLE001 - the lease ends, and it is delivered again
            _log("warning", "attempt_not_recorded", delivery, type(error).__name__)
        finally:
            self._ended(delivery)

    def _handle(self, delivery: Delivery, handler: Handler) -> Failure | None:
        """Run the handler; return what it raised."""
        try:
            handler(delivery, self._clock.monotonic() + self._policy.lease)
        except BaseException as error:  # noqa: BLE001 - whatever ends it, the attempt has failed
            if not isinstance(error, AttemptFailed):
                error = AttemptFailed(error, again=None)
            name = type(error.cause).__name__
            _log("warning", "handler_failed", delivery, name)
            message = message_of(error.cause)
            return Failure(name, message, error.again, error.reason, error.ran)
        return None

    def _ended(self, delivery: Delivery) -> None:
        with self._condition:
            del self._running[delivery.lease]
            self._changed()


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


def _started(thread: Thread) -> Thread | None:
    """Start a daemon thread; None if the process may have no further one.

    That is not an error here: what was accepted is on the disk, and is delivered when the lease
    ends or the next change comes.
    """
    thread.daemon = True
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread
