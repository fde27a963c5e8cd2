"""What the router has seen of a target: pure evidence, counted per target."""

from __future__ import annotations

from typing import NamedTuple

from leeward.errors import Outcome
from leeward.routing.outcomes import TABLE


class Evidence(NamedTuple):
    """The attempts made on one target.

    Attributes:
        attempts: how many.
        failures: how many of them count against the target.
        last_outcome: of the most recent one; None before the first.
    """

    attempts: int = 0
    failures: int = 0
    last_outcome: Outcome | None = None


def observed(evidence: Evidence, outcome: Outcome) -> Evidence:
    """Return the evidence after one more attempt."""
    failed = TABLE[outcome].counts_against
    return Evidence(evidence.attempts + 1, evidence.failures + failed, outcome)
