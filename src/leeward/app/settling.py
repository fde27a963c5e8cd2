"""What becomes of a message once its handler has had it. Pure; all platforms share it.

A message is acknowledged, tried again, given up as a dead letter, or handed back. The last is for a
batch that fails nearly whole with one error: then a database is away or a deployment is broken, and
giving the messages up would only move the backlog to where nobody looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from leeward.app.problem import Failure
from leeward.errors import Ran

FIRST_WAIT: Final = 1.0
"""Seconds between the first two attempts; doubled for each one after."""

LONGEST_WAIT: Final = 900.0
"""Seconds between two attempts."""

SMALLEST_BATCH: Final = 5
"""Messages; of fewer nobody can tell whether it is they that are wrong."""

NEARLY_WHOLE: Final = 0.9
"""The share of a batch that fails with one error, for which that error is not the messages'."""


class Step(Enum):
    """What is done with a message."""

    ACKNOWLEDGE = "acknowledge"
    AGAIN = "again"
    DEAD_LETTER = "dead_letter"
    HAND_BACK = "hand_back"


class Settled(NamedTuple):
    """What becomes of one message.

    Attributes:
        step: what is done.
        after: seconds until it is delivered again, where the platform lets one say so; of a dead
            letter, if it cannot be sent.
    """

    step: Step
    after: float = 0.0


def next_step(
    failure: Failure | None,
    attempt: int | None,
    retries: int | None,
    unit: float,
    *,
    keeps: bool = True,
    together: bool = False,
) -> Settled:
    """Decide what becomes of a message.

    Args:
        failure: of its handler; None if that went well.
        attempt: 1 for the first; None where the platform does not count.
        retries: how often it is tried again; None leaves that to the platform.
        unit: random, 0 to 1, so that what failed together does not come again together.
        keeps: whether there is a dead-letter queue to send it to. Without one the platform's own
            rules are all there is, so whatever fails is delivered again.
        together: its batch `fails_as_one`.
    """
    if failure is None:
        return Settled(Step.ACKNOWLEDGE)
    after = _wait(failure, attempt, unit)
    if together:
        return Settled(Step.HAND_BACK, after)
    spent = attempt is not None and retries is not None and attempt > retries
    if keeps and (spent or not failure.retryable):
        return Settled(Step.DEAD_LETTER, after)
    return Settled(Step.AGAIN, after)


def fails_as_one(failures: Sequence[Failure | None]) -> bool:
    """Return whether a batch fails nearly whole with one error; None stands for a success."""
    least = NEARLY_WHOLE * len(failures)
    failed = [each for each in failures if each is not None]
    if len(failures) < SMALLEST_BATCH or len(failed) < least:
        return False
    return max(Counter((each.type, each.reason) for each in failed).values()) >= least


def ran_at_all(failure: Failure, attempt: int | None) -> Ran:
    """Return whether any attempt at a message has had an effect, as far as it is proved.

    That the last one had none says nothing of those before it.
    """
    return "maybe" if failure.ran == "no" and attempt != 1 else failure.ran


def _wait(failure: Failure, attempt: int | None, unit: float) -> float:
    """Return the seconds until the next attempt: what the failure asks for, if that is more."""
    longest = min(FIRST_WAIT * 2.0 ** min((attempt or 1) - 1, 40), LONGEST_WAIT)
    return min(max(longest * (1 + unit) / 2, failure.retry_after or 0.0), LONGEST_WAIT)
