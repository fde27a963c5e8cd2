"""When this process itself stood still: stopped, without a processor, or its event loop blocked.

Whoever waits for an answer then does not see it come, so a wait proves only as much against a
target as this process was running meanwhile. A runner beats at an even pace; a beat that is late
shows for how long nothing went on here. Without beats nobody can tell, and nothing is taken off.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final, NamedTuple

MOST_KEPT: Final = 32
"""Standstills that are remembered: those of the last seconds, however busy the machine is."""


LATEST: Final = 1.0
"""Seconds that a beat may be late; after that nobody beats any more."""


class BeginHeartbeat(NamedTuple):
    """Ask the runner to beat: there is a baseline now, against which waits are measured."""


BEGIN: Final = BeginHeartbeat()


class Heartbeat:
    """The beats of one order. Times are monotonic seconds.

    Args:
        pace: seconds between two beats.
        rest: seconds without a new call after which beating ends.
    """

    __slots__ = ("_busy_at", "_calls", "_last", "_number", "_pace", "_rest", "_standstills")

    def __init__(self, pace: float, rest: float) -> None:
        self._pace = pace
        self._rest = rest
        self._last = -inf
        self._standstills: deque[tuple[float, float]] = deque(maxlen=MOST_KEPT)
        self._number = self._calls = 0
        self._busy_at = 0.0

    def is_due(self, now: float) -> bool:
        """Return whether nobody has beaten for so long that somebody should begin to."""
        return now - self._last > self._rest

    def begin(self, now: float) -> int:
        """Begin to beat; return the number with which to do it. Whoever beat before is to end."""
        self._number += 1
        self._last = self._busy_at = now
        return self._number

    def end(self) -> None:
        """Let nobody beat any more."""
        self._number += 1
        self._last = -inf

    def beat(self, number: int, now: float, calls: int) -> bool:
        """Note a beat, where so many calls have begun by now; return whether to go on."""
        if number != self._number:
            return False
        late = self._late_by(now)
        if late:
            self._standstills.append((now - late, now))
        self._last = now
        if calls != self._calls:
            self._calls, self._busy_at = calls, now
        if now - self._busy_at < self._rest:
            return True
        self.end()
        return False

    def stood_still(self, began: float, now: float) -> float:
        """Return for how many seconds of a time that ends `now` this process did not run."""
        if not self.is_known(began):
            return 0.0
        seconds = min(self._late_by(now), now - began)
        for start, end in self._standstills:
            seconds += max(0.0, end - max(start, began))
        return seconds

    def is_known(self, began: float) -> bool:
        """Return whether it was beating in a time that began then.

        A beat may have been late already: an event loop that is blocked begins calls, too. One that
        has ended does not say so, and beats no more.
        """
        return self._last >= began - LATEST

    def _late_by(self, now: float) -> float:
        """Return by how many seconds the next beat is late; 0 if that may be the scheduler's."""
        since = now - self._last
        return since - self._pace if 2 * self._pace < since < inf else 0.0
