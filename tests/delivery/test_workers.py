"""Threads and places: what waits for one, and what is not kept waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Condition, Event
from typing import cast

import pytest

from leeward._delivery.dispatcher import Attempts, DeliveryAttempt, Dispatcher, Receiver
from leeward.leases.rules import DeliveryPolicy
from leeward.stores import DeliveryStore, LeasedRow, LeaseEnd, Recipient, TakenRows
from leeward.testing import FakeClock
from tests.local.calls import PATIENT, until

HERE = Recipient("b", "s")
PLACES = 2
POLICY = DeliveryPolicy(concurrency=PLACES, lease=10.0)


class Room:
    """Workers whose attempts begin at once, and end when they are told to."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.begun: SimpleQueue[int] = SimpleQueue()
        self._go = [Event() for _ in range(9)]
        self.has_ended = Event()
        changed = Condition()
        self.attempts = Attempts(changed, POLICY, self.clock, self._make, self.has_ended.set)

    def add(self, *ids: int, attempt: int = 1, counted: bool = True) -> None:
        """Let rows of these ids wait for their attempt."""
        now = self.clock.now()
        row = LeasedRow(0, Recipient("b", "s"), "k", "d", attempt, "lease", is_counted=counted)
        rows = [row._replace(id=id) for id in ids]
        ends = now + POLICY.lease
        self.attempts.add(DeliveryAttempt(row, Receiver(print), ends, 0.0) for row in rows)

    def ids_begun(self, count: int) -> set[int]:
        """Wait until so many attempts have begun since the last look."""
        return {self.begun.get(timeout=PATIENT) for _ in range(count)}

    def end(self, *ids: int) -> None:
        """Let the attempts at these rows end."""
        for id in ids:
            self._go[id].set()

    def _make(self, attempt: DeliveryAttempt) -> LeaseEnd:
        self.begun.put(attempt.row.id)
        assert self._go[attempt.row.id].wait(PATIENT)
        return LeaseEnd(attempt.row)


@pytest.fixture
def room() -> Iterator[Room]:
    """Give workers; all their attempts end in the end."""
    room = Room()
    yield room
    room.end(*range(9))


def test_a_place_has_one_thread_and_gets_the_next_row(room: Room) -> None:
    """Those that were tried before go first."""
    room.add(1, 2, 3, 4)
    assert room.ids_begun(PLACES) == {1, 2}
    room.add(5, attempt=2)
    assert room.begun.empty()
    for last, following in ((1, 5), (5, 3), (3, 4)):
        room.end(last)
        assert room.ids_begun(1) == {following}
    room.end(4)
    assert room.has_ended.wait(PATIENT)


def test_what_waits_too_long_is_handed_back(room: Room) -> None:
    """Its attempt has not begun; and nothing is leased ahead until attempts are short again."""
    room.add(1, 2, 3)
    room.ids_begun(PLACES)
    room.attempts.hand_back(PATIENT)
    assert room.attempts.list_ends() == []
    room.attempts.hand_back(0.0)
    (late,) = room.attempts.list_ends()
    assert late.end == LeaseEnd(late.row, is_begun=False)
    room.attempts.forget([late])
    assert room.attempts.room(room.clock.now()) == (0, PLACES, 1, 0)


def test_an_attempt_that_outlives_its_lease_gives_its_place_away(room: Room) -> None:
    """Another thread gets the next row; the late one takes none, so a place is used once."""
    room.add(1, 2)
    room.ids_begun(PLACES)
    room.clock.sleep(POLICY.lease + 1)
    assert room.attempts.room(room.clock.now()) == (PLACES, PLACES, PLACES, PLACES)
    room.add(3, 4, 5)
    assert room.ids_begun(PLACES) == {3, 4}
    room.end(1, 2)
    until(lambda: len(room.attempts.list_ends()) == PLACES)
    assert room.begun.empty()
    room.end(3)
    assert room.ids_begun(1) == {5}


def test_those_that_were_tried_before_are_few(room: Room) -> None:
    """One of them may be what ends the process, and with it what was leased beside it."""
    room.add(1, attempt=2)
    assert room.attempts.room(room.clock.now()) == (PLACES - 1, PLACES - 1, 1, PLACES - 1)
    room.add(2, 3, attempt=3)
    assert room.attempts.room(room.clock.now()) == (0, 0, 1, 0)


def test_an_attempt_is_counted_while_it_is_under_way(room: Room) -> None:
    """Not before it begins, and not if it has ended: its end counts it."""
    room.add(1, 2, 3, 4, counted=False)
    room.ids_begun(PLACES)
    begun = room.attempts.list_starts()
    assert {each.row.id for each in begun} == {1, 2}
    for each in begun:
        each.is_counted = True
    assert room.attempts.list_starts() == []
    room.end(1)
    assert room.ids_begun(1) == {3}
    room.end(3)
    assert room.ids_begun(1) == {4}
    assert [each.row.id for each in room.attempts.list_starts()] == [4]


class SlowStore:
    """A store whose answer takes half of a lease; it leases one row, once."""

    policy = POLICY
    clock = None

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._rows = [LeasedRow(0, HERE, "k", "d", 1, "lease")]

    def take(self, _: object, clock: Callable[[], float], *__: object) -> TakenRows:
        """Lease it."""
        rows, self._rows = self._rows, []
        until = clock() + POLICY.lease
        self._clock.sleep(POLICY.lease / 2)
        return TakenRows(rows, [], until)

    def finish(self, *_: object) -> list[LeaseEnd]:
        """Forget it."""
        return []

    def next_due(self, *_: object) -> None:
        """Return that nothing is due."""

    def count_waiting(self, _: object) -> int:
        """Count it."""
        return 0


@pytest.mark.parametrize("seconds", [0.0, 300.0])
def test_the_time_of_an_attempt_begins_with_its_lease(seconds: float) -> None:
    """Not when the store has answered: else the lease could end first."""
    clock, deadlines = FakeClock(), SimpleQueue[float]()
    began = clock.monotonic()
    receiver = Receiver(lambda _, deadline: deadlines.put(deadline), 0, seconds)
    store = cast("DeliveryStore", SlowStore(clock))
    dispatcher = Dispatcher(store, lambda: {HERE: receiver}, clock, shared=True)
    dispatcher.wake()
    assert deadlines.get(timeout=PATIENT) - began == pytest.approx(max(seconds, POLICY.lease))
    dispatcher.close()
