"""What the calls of one order have seen of each target. Counted; it decides nothing yet."""

from __future__ import annotations

from typing import NamedTuple

from leeward.errors import Outcome
from leeward.routing.outcomes import TABLE


class Evidence(NamedTuple):
    """The attempts made on one target, read-backs included.

    Attributes:
        attempts: how many.
        failures: how many of them count against the target.
        last_outcome: of the most recent one; None before the first.
    """

    attempts: int = 0
    failures: int = 0
    last_outcome: Outcome | None = None


class Health:
    """The evidence on every target. All calls share it: a runner holds its lock meanwhile.

    Args:
        order: the names of the targets.
    """

    __slots__ = ("_seen",)

    def __init__(self, order: tuple[str, ...]) -> None:
        # plain tuples: an Evidence for each attempt would double the cost of noting it
        self._seen: dict[str, tuple[int, int, Outcome | None]] = dict.fromkeys(order, (0, 0, None))

    def observe(self, target: str, outcome: Outcome) -> None:
        """Note how one more attempt on `target` ended."""
        attempts, failures, _ = self._seen[target]
        failed = TABLE[outcome].counts_against
        self._seen[target] = attempts + 1, failures + failed, outcome

    def evidence(self, target: str) -> Evidence:
        """Return what has been seen of `target`."""
        return Evidence(*self._seen[target])
