"""What both drivers of stores that somebody else's library talks to have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from leeward.adapter import Capability, Driver, Limits
from leeward.calls import OBJECT_VERBS, Call, Result
from leeward.errors import Outcome, Unsupported

PAGE_OBJECTS: Final = 1000


class BroughtDriver(Driver):
    """A target that keeps objects, and does nothing else.

    The libraries know no deadline for a whole call, so an attempt runs on a thread of its own, and
    is left alone when its time is over. Nor do they tell a request that never left from one whose
    answer was lost: whatever they raise, unless it says that nothing ran, is AMBIGUOUS.

    Args:
        target: its name.
        buckets: those that there are, with where each is, for people.
        threads: attempts that are made at a time.
    """

    capabilities = frozenset({Capability.OBJECTS})
    limits = Limits()

    def __init__(self, target: str, buckets: Mapping[str, str], threads: int) -> None:
        self.target = target
        self._where = dict(buckets)
        self._threads = ThreadPoolExecutor(threads, target)

    @abstractmethod
    def attempt(self, call: Any) -> Result[Any]:
        """Make one attempt at a call of objects, in a bucket that there is.

        Whatever it raises is AMBIGUOUS.
        """

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, and wait no longer for it."""
        if call.verb not in OBJECT_VERBS:
            raise Unsupported(f"{self.target} keeps objects alone", target=self.target)
        wanted: Any = call
        if wanted.bucket not in self._where:
            return Result(Outcome.NOT_FOUND, code="no_bucket", message=f"no {wanted.bucket!r}")
        attempt = self._threads.submit(self._attempt, wanted)
        try:
            return attempt.result(timeout)
        except TimeoutError as error:
            outcome = Outcome.LOCAL if attempt.cancel() else Outcome.AMBIGUOUS
            return Result(outcome, code="deadline", cause=error)

    def describe(self) -> Mapping[str, str]:
        """Return where each bucket is."""
        return self._where

    def close(self) -> None:
        """End the threads; what is under way goes on to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _attempt(self, call: Any) -> Result[Any]:
        try:
            return self.attempt(call)
        except Exception as error:  # noqa: BLE001 - whatever a library raises
            return Result(Outcome.AMBIGUOUS, code=type(error).__name__, cause=error)


def another_object() -> Result[Any]:
    """Return the result of a call whose condition does not hold."""
    return Result(Outcome.CONFLICT, message="an object is there, or has another revision")
