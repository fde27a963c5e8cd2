"""What a function or subscriber may know of its call."""

from __future__ import annotations

from dataclasses import dataclass, field

from leeward.clock import Clock


@dataclass(frozen=True, slots=True)
class Context:
    """What a function or subscriber may know of the call; handed to its second parameter.

    Attributes:
        function: name of the function or subscription.
        idempotency_key: the same on every attempt; for an event its source and id.
        attempt: 1 for the first delivery.
        deadline: on the clock's `monotonic`, when the caller stops waiting.
    """

    function: str
    idempotency_key: str
    attempt: int
    deadline: float
    _clock: Clock = field(repr=False, compare=False)

    def remaining(self) -> float:
        """Return the seconds until the deadline, never less than 0."""
        return max(0.0, self.deadline - self._clock.monotonic())
