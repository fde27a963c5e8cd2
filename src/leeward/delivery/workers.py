"""The threads that make attempts: what is leased waits here for its turn, and to be written down.

A thread takes one row after the other, and ends when none waits. It writes nothing itself: the loop
writes down together whatever has ended meanwhile, for a transaction costs as much for one row as
for hundreds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from threading import Condition, Thread, current_thread
from time import monotonic
from typing import NamedTuple

from leeward.clock import Clock
from leeward.delivery.policy import Policy
from leeward.delivery.rows import Delivery, LeaseEnd


class Handler(NamedTuple):
    """What handles the rows of one recipient.

    Attributes:
        attempt: makes one attempt, which has until the second argument, on the clock's `monotonic`;
            any exception is a failed attempt.
        most: how many attempts at one row it wants made; 0 leaves that to the policy.
    """

    attempt: Callable[[Delivery, float], object]
    most: int = 0


class Leased:
    """A row from its lease until its end is written down.

    Args:
        delivery: the row.
        handler: makes the attempt.
        ends: of the lease, in Unix seconds.
        deadline: of the attempt, on the clock's `monotonic`.
    """

    __slots__ = (
        "counted",
        "deadline",
        "delivery",
        "ended",
        "ends",
        "handler",
        "seconds",
        "since",
        "thread",
    )

    def __init__(self, delivery: Delivery, handler: Handler, ends: float, deadline: float) -> None:
        self.delivery = delivery
        self.handler = handler
        self.ends = ends
        self.deadline = deadline
        self.counted = delivery.counted
        self.since = monotonic()
        self.seconds = 0.0
        self.thread: Thread | None = None
        self.ended: LeaseEnd | None = None

    def is_under_way(self, now: float) -> bool:
        """Return whether its attempt takes a place: one that has outlived its lease takes none."""
        return self.thread is not None and self.ended is None and self.ends > now


class Workers:
    """What this process has leased, and who works on it.

    Args:
        condition: under it all is changed.
        policy: how many attempts at one time.
        clock: for leases.
        attempt: makes one, whatever comes; raises nothing.
        has_ended: called, under the condition, when there is something to write down and few rows
            are left to do meanwhile.
    """

    def __init__(
        self,
        condition: Condition,
        policy: Policy,
        clock: Clock,
        attempt: Callable[[Leased], LeaseEnd],
        has_ended: Callable[[], None],
    ) -> None:
        self.leased: set[Leased] = set()
        """Until it is written down how each has ended."""
        self._condition = condition
        self._policy = policy
        self._clock = clock
        self._attempt = attempt
        self._has_ended = has_ended
        self._waiting: deque[Leased] = deque()
        self._few = 0
        self._usual: float | None = None
        """Seconds that an attempt has taken lately; None where that is not known."""

    @property
    def has_work(self) -> bool:
        """Return whether rows wait for a thread."""
        return bool(self._waiting)

    def room(self, now: float) -> tuple[int, int, int, int]:
        """Return how many rows to lease, and how many of them may have been tried before.

        And how many may be rows whose last lease ended without a word: one at a time, for what
        ends this process takes an attempt from all that have begun beside it. Where attempts hang
        in this process, such rows are theirs, and end none. The last number is how many attempts
        begin at once.
        """
        with self._condition:
            held = [each for each in self.leased if each.ended is None]
        free = self._policy.free_places([each.ends for each in held], now)
        hanging = any(each.ends <= now for each in held)
        unheard = 0 if any(each.delivery.unheard for each in held) else 1
        tried = [each.ends for each in held if each.delivery.is_tried]
        again = self._policy.free_places(tried, now)
        limit = max(0, free + self._policy.rows_ahead(self._usual))
        return limit, max(0, again), max(0, again) if hanging else unheard, max(0, free)

    def add(self, leased: Iterable[Leased], now: float) -> None:
        """Let rows have their attempt; those that were tried before go first."""
        with self._condition:
            new = list(leased)
            self.leased.update(new)
            self._waiting.extendleft(each for each in reversed(new) if each.delivery.is_tried)
            self._waiting.extend(each for each in new if not each.delivery.is_tried)
            self._few = len(self._waiting) // 2
            busy = sum(each.is_under_way(now) for each in self.leased)
            wanted = min(len(self._waiting), self._policy.concurrency - busy)
            for _ in range(wanted):
                self._start()

    def hand_back(self, longest: float) -> None:
        """End without an attempt what has waited for `longest` seconds: others may have time."""
        with self._condition:
            since = monotonic() - longest
            for late in [each for each in self._waiting if each.since <= since]:
                self._waiting.remove(late)
                late.ended = LeaseEnd(late.delivery, begun=False)
                self._usual = None

    def ended(self) -> list[Leased]:
        """Return what has ended, and learn from it how long an attempt takes."""
        with self._condition:
            ended = [each for each in self.leased if each.ended is not None]
            seconds = [each.seconds for each in ended if each.thread is not None]
            if seconds:
                self._usual = sum(seconds) / len(seconds)
        return ended

    def begun(self) -> list[Leased]:
        """Return what has an attempt under way that its row does not count yet."""
        with self._condition:
            uncounted = [each for each in self.leased if not each.counted]
            return [each for each in uncounted if each.thread is not None and each.ended is None]

    def forget(self, leased: Iterable[Leased]) -> None:
        """Let go of what is written down."""
        with self._condition:
            self.leased.difference_update(leased)

    def is_this_thread_at_work(self) -> bool:
        """Return whether it is a handler that asks."""
        with self._condition:
            return any(each.thread is current_thread() for each in self.leased)

    def are_others_at_work(self) -> bool:
        """Return whether anybody but the thread that asks has a row."""
        with self._condition:
            return any(each.thread is not current_thread() for each in self.leased)

    def _start(self) -> None:
        """Start a thread, unless the process may have no further one.

        That is not an error here: the rows are on the disk, and are delivered when a thread has
        time or their lease ends.
        """
        leased = self._waiting.popleft()
        leased.thread = thread = Thread(target=self._work, args=(leased,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            leased.thread = None
            self._waiting.appendleft(leased)

    def _work(self, first: Leased) -> None:
        leased: Leased | None = first
        while leased is not None:
            began = monotonic()
            current_thread().name = f"leeward-deliver-{leased.delivery.recipient.subscriber}"
            ended = self._attempt(leased)
            leased = self._next(leased, ended, monotonic() - began)

    def _next(self, last: Leased, ended: LeaseEnd, seconds: float) -> Leased | None:
        """End one attempt and return the next, in one step: so a place has one thread at most."""
        with self._condition:
            kept_its_place = last.is_under_way(self._clock.now())
            last.seconds, last.ended = seconds, ended
            if len(self._waiting) <= self._few:
                self._has_ended()
            if not kept_its_place or not self._waiting:
                return None
            leased = self._waiting.popleft()
            leased.thread = current_thread()
            return leased
