"""The threads of a process that leases rows: a loop that looks for them, a pool that works on them.

Both change under one lock, and no thread is there before there is something to do.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from math import inf
from threading import Condition, Lock, RLock, Thread, current_thread
from time import monotonic
from typing import Any, Generic, TypeVar

from leeward.clock import Clock
from leeward.errors import Outcome
from leeward.forking import start_thread

LOOK_AGAIN = 1.0
"""Seconds between two looks for what other processes have left; and after a look that failed."""
LONGEST_PAUSE = 5.0
"""Seconds after a look that failed, at most: they double with each of several in a row."""
QUIET = 60.0  # seconds without a fault after which the next one of its kind is another outage
PASSING = frozenset({Outcome.LOCAL, Outcome.NOT_SENT, Outcome.REJECTED, Outcome.AMBIGUOUS})
"""How a look ends at a store that is away; what lasts, such as a full disk, has its reason."""
CARRIERS = 4
"""Threads that look for the queues of a process: as many as look at a time without a wait."""


class Loop:
    """Looks, and sleeps until it is woken or as long as its last look says; on a daemon thread.

    Args:
        look: looks once; returns the seconds until the next look, None for until something changes.
        is_over: returns whether there is no need to look any more; called under the lock.

    Attributes:
        failures: how many in a row have failed, the last one included.
        looked_at: when the last one ended that did not fail, on the monotonic clock; None for none.
        due: when it looks again if nothing changes, on the monotonic clock.
    """

    def __init__(
        self,
        carrier: Carrier,
        look: Callable[[], float | None],
        is_over: Callable[[], bool],
        log_fault: Callable[[Exception], None],
    ) -> None:
        self.lock = RLock()
        self.looks = 0
        self.failures = 0
        self.looked_at: float | None = None
        self.is_asleep = True
        self.is_started = False
        self.due = inf
        self._carrier = carrier
        self._look = look
        self._is_over = is_over
        self._log_fault = log_fault
        self._looked = Condition(self.lock)
        self._changes = self._seen = 0

    def wake(self) -> None:
        """Look now; start the thread if it does not run.

        If the process may have no further thread, the next call tries again.
        """
        with self.lock:
            self._changes += 1
            self.is_started = self._carrier.carry(self)

    def tell(self) -> None:
        """Wake it, if it runs: also if it was about to sleep."""
        with self.lock:
            self._changes += 1
            self._carrier.tell()

    def wait(self, is_enough: Callable[[], bool], seconds: float) -> None:
        """Wait until a condition holds, which is asked after each look."""
        with self._looked:
            self._looked.wait_for(is_enough, seconds)

    def join(self, seconds: float) -> None:
        """Wait for its end."""
        self._carrier.wait_for_end(self, seconds)

    def is_ready(self, now: float) -> bool:
        """Return whether it is to look."""
        return self._changes != self._seen or now >= self.due

    def look_once(self) -> bool:
        """Look, and return whether there is no need to look any more."""
        with self.lock:
            self._seen, self.is_asleep = self._changes, False
        try:
            pause = self._look()
            self.failures, self.looked_at = 0, monotonic()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may go well
            if self._carrier.is_first(error):
                self._log_fault(error)
            pause = min(LOOK_AGAIN * 2.0 ** min(self.failures, 10), LONGEST_PAUSE)
            self.failures += 1
        with self.lock:
            self.due = inf if pause is None else monotonic() + pause
            self.is_asleep = True
            self.looks += 1
            self._looked.notify_all()
            return self._is_over()


class Carrier:
    """A daemon thread that looks for loops, one after the other; it ends with the last of them.

    Args:
        faults: when each kind of fault came last, on the monotonic clock; of all whose store it is.
    """

    def __init__(self, name: str, faults: dict[object, float] | None = None) -> None:
        self._name = name
        self._faults = {} if faults is None else faults
        self._changed = Condition(Lock())
        self._loops: list[Loop] = []
        self._thread: Thread | None = None

    def carry(self, loop: Loop) -> bool:
        """Look for a loop from now on, and now; return whether the process may have the thread."""
        with self._changed:
            if loop not in self._loops:
                self._loops.append(loop)
            if self._thread is None or not self._thread.is_alive():
                thread = Thread(target=self._run, name=self._name, daemon=True)
                if not start_thread(thread):
                    return False
                self._thread = thread
            self._changed.notify_all()
            return True

    def tell(self) -> None:
        """Wake the thread, because a loop has changed."""
        with self._changed:
            self._changed.notify_all()

    def wait_for_end(self, loop: Loop, seconds: float) -> None:
        """Wait until nobody looks for a loop any more."""
        until = monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: loop not in self._loops, seconds)
            last = None if self._loops else self._thread
        if last is not None:
            last.join(max(0.0, until - monotonic()))

    def is_first(self, error: Exception) -> bool:
        """Return whether no fault of this kind came lately; those that pass are one kind."""
        is_brief, now = getattr(error, "outcome", None) in PASSING, monotonic()
        kind = (type(error), None if is_brief else getattr(error, "reason", None))
        last = self._faults.setdefault(kind, now)  # at once: another thread may meet it as well
        self._faults[kind] = now
        return last is now or now - last > QUIET

    def _run(self) -> None:
        while ready := self._wait():
            over = [loop for loop in ready if loop.look_once()]
            with self._changed:
                for loop in over:
                    self._loops.remove(loop)
                self._changed.notify_all()

    def _wait(self) -> list[Loop]:
        """Return the loops that are to look, once there is one; none if there are no loops."""
        with self._changed:
            while self._loops:
                now = monotonic()
                if ready := [loop for loop in self._loops if loop.is_ready(now)]:
                    return ready
                due = min(loop.due for loop in self._loops)
                self._changed.wait(None if due == inf else due - now)
            self._thread = None
            return []


class Carriers:
    """The few threads that look for any number of loops; a fork's child has others."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._most = limit
        self._process = os.getpid()
        self._taken = 0
        self._carriers: list[Carrier] = []
        self._faults: dict[object, float] = {}

    def take(self) -> Carrier:
        """Return one: another one for each loop, as long as there are so many."""
        if self._process != os.getpid():
            self._process, self._carriers, self._faults = os.getpid(), [], {}
        if len(self._carriers) < self._most:
            self._carriers.append(Carrier(self._name, self._faults))
            return self._carriers[-1]
        self._taken += 1
        return self._carriers[self._taken % self._most]


class HeldLease:
    """A row that this process has leased, until it lets go of it."""

    __slots__ = ("ends", "is_over", "seconds", "since", "thread")

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.since = monotonic()
        self.seconds = 0.0
        self.thread: Thread | None = None
        self.is_over = False

    def is_under_way(self, now: float) -> bool:
        """Return whether its work takes a place: what has outlived its lease takes none."""
        return self.thread is not None and not self.is_over and self.ends > now


H = TypeVar("H", bound=HeldLease)


class WorkPool(ABC, Generic[H]):
    """What this process holds, and the threads that work on it.

    A thread takes one row after the other, and ends when none waits.
    """

    def __init__(self, lock: AbstractContextManager[Any], places: int, clock: Clock) -> None:
        self.held: set[H] = set()
        self._lock = lock
        self._places = places
        self._clock = clock
        self._waiting: deque[H] = deque()

    @abstractmethod
    def work(self, held: H) -> None:
        """Do the work of a row; it never raises."""

    @abstractmethod
    def end(self, held: H) -> None:
        """Note that the work on a row is over; called under the lock."""

    @abstractmethod
    def name(self, held: H) -> str:
        """Return what the thread that works on a row is called."""

    def has_waiting(self) -> bool:
        """Return whether rows wait for a thread."""
        return bool(self._waiting)

    def add(self, rows: Iterable[H], first: Iterable[H] = ()) -> None:
        """Queue rows, and `first` before all that wait; start threads for them."""
        with self._lock:
            rows, first = list(rows), list(first)
            self.held.update(rows, first)
            self._waiting.extendleft(reversed(first))
            self._waiting.extend(rows)
            now = self._clock.now()
            busy = sum(row.is_under_way(now) for row in self.held)
            for _ in range(min(len(self._waiting), self._places - busy)):
                self._start()

    def forget(self, rows: Iterable[H]) -> None:
        """Release rows."""
        with self._lock:
            self.held.difference_update(rows)

    def withdraw(self, longest: float = 0.0) -> list[H]:
        """Return what has waited for `longest` seconds, and let it wait no more."""
        with self._lock:
            since = monotonic() - longest
            late = [waiter for waiter in self._waiting if waiter.since <= since]
            for waiter in late:
                self._waiting.remove(waiter)
        return late

    def abandon(self) -> None:
        """Leave what waits to the parent; for the child of a fork, where only one thread goes on.

        That is a thread of this pool if a handler has forked, and it would take the next row.
        """
        self._waiting.clear()

    def _start(self) -> None:
        """Start a thread, unless the process may have no further one.

        That is not an error here: the rows are on the disk, and are worked on when a thread has
        time or their lease ends.
        """
        held = self._waiting.popleft()
        held.thread = thread = Thread(target=self._run, args=(held,), daemon=True)
        if not start_thread(thread):
            held.thread = None
            self._waiting.appendleft(held)

    def _run(self, first: H) -> None:
        held: H | None = first
        while held is not None:
            began = monotonic()
            current_thread().name = self.name(held)
            self.work(held)
            held = self._next(held, monotonic() - began)

    def _next(self, last: H, seconds: float) -> H | None:
        """End one row and return the next, in one step: so a place has one thread at most."""
        with self._lock:
            kept_its_place = last.is_under_way(self._clock.now())
            last.seconds, last.is_over = seconds, True
            self.end(last)
            if not kept_its_place or not self._waiting:
                return None
            held = self._waiting.popleft()
            held.thread = current_thread()
            return held
