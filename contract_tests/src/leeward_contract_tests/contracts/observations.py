"""What happened on the cloud, as its own functions report it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from leeward.cloudevents import from_json
from leeward.values import Event, Json
from leeward_contract_tests.contracts.calls import fresh
from leeward_contract_tests.fixtures import COUNT, SEEN

T = TypeVar("T")

CallFunction: TypeAlias = Callable[[str, Json], Any]
"""Calls one of the contract's functions and returns its answer."""

THREADS: Final = 8
PAUSE: Final = 0.01
"""Seconds between the first two looks."""
LONGEST_PAUSE: Final = 0.25
"""Seconds between two looks later on: each may bring a thousand events."""


def eventually(look: Callable[[], T], enough: Callable[[T], bool], patience: float) -> T:
    """Return what `look` returns when it is `enough`, or unchanged for `patience` seconds.

    So a slow machine does not count as a lost delivery as long as deliveries come.
    """
    value = look()
    deadline, pause = time.monotonic() + patience, PAUSE
    while not enough(value) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.25, LONGEST_PAUSE)
        before, value = value, look()
        if value != before:
            deadline = time.monotonic() + patience
    return value


class Runs:
    """Counts how often `COUNT` has run for this object's own counter."""

    def __init__(self, call_function: CallFunction, patience: float) -> None:
        self.payload: Json = {"name": fresh("runs")}
        self._call_function = call_function
        self._patience = patience
        self._looks = 0

    def count(self) -> int:
        """Return the runs so far, without the runs of this method itself."""
        self._looks += 1
        answer: int = self._call_function(COUNT, self.payload)
        return answer - self._looks

    def eventually(self, least: int) -> int:
        """Return the runs as soon as there are `least`, or those that there are in the end."""
        return eventually(self.count, lambda runs: runs >= least, self._patience)


class Deliveries:
    """What the bus has delivered."""

    def __init__(self, call_function: CallFunction, patience: float) -> None:
        self._call_function = call_function
        self._patience = patience

    def now(self, event_id: str) -> list[Event]:
        """Return the events of this id that were delivered so far, in the order of delivery."""
        return [from_json(document) for document in self._call_function(SEEN, {"id": event_id})]

    def eventually(self, event_id: str, least: int = 1) -> list[Event]:
        """Return them as soon as there are `least`, or those that there are in the end."""
        return eventually(
            lambda: self.now(event_id), lambda events: len(events) >= least, self._patience
        )


def in_parallel(work: Callable[[int], T]) -> list[T]:
    """Run `work` on several threads at once; return the results by the number of the thread."""
    start = Barrier(THREADS)

    def begin(number: int) -> T:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


class Times(NamedTuple):
    """Seconds: what a call is given, by when it must have ended, and what its function takes."""

    deadline: float
    latest: float
    takes: float

    @classmethod
    def here(cls, call: Callable[[], object]) -> Times:
        """Return times for this machine, as busy as it is, by what `call` takes.

        Made once before it is measured: by then the function's address, its credential and a
        connection are there.
        """
        call()
        began = time.monotonic()
        call()
        usual = time.monotonic() - began
        deadline = max(0.3, 5 * usual)
        latest = deadline + max(1.7, 10 * usual)
        return cls(deadline, latest, latest + 1.0)

    def twice(self) -> Times:
        """Return twice these times: on a busy machine they may be over before a function begins.

        leeward's handler then says that it did not run, which is true, and not what is tested.
        """
        return Times(2 * self.deadline, 2 * self.latest, 2 * self.takes)
