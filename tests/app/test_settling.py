"""What becomes of a message: decided by values, alike for every platform."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leeward.app.answers import HandlerFailure, InvalidInput, Problem, failure_of, out_of_time
from leeward.app.checks import LONGEST_RETRY
from leeward.app.dead_letters import (
    MessageStep,
    NextStep,
    fails_as_one,
    next_step,
    ran_in_any_attempt,
)

AWAY = failure_of(ConnectionError(), (), "maybe")
NEVER = failure_of(Problem("no", reason="broken"), (), "maybe")
BAD = failure_of(InvalidInput("$", "int"), (), "no")
LATE = failure_of(out_of_time(), (), "no")


def test_a_message_is_tried_again_until_it_is_given_up() -> None:
    """Failure, attempt and retries decide; what is permanent is given up at once."""
    assert next_step(None, 1, 0, 0.0) == NextStep(MessageStep.ACKNOWLEDGE)
    table = [
        (AWAY, 1, 2, NextStep(MessageStep.AGAIN, 3.0)),
        (AWAY, 2, 2, NextStep(MessageStep.AGAIN, 12.0)),
        (AWAY, 3, 2, NextStep(MessageStep.DEAD_LETTER, 48.0)),
        (AWAY, 9, 2, NextStep(MessageStep.DEAD_LETTER, LONGEST_RETRY)),
        (AWAY, 1, 0, NextStep(MessageStep.DEAD_LETTER, 3.0)),
        (AWAY, 12, None, NextStep(MessageStep.AGAIN, LONGEST_RETRY)),
        (AWAY, None, 2, NextStep(MessageStep.AGAIN, 3.0)),
        (NEVER, 1, 2, NextStep(MessageStep.DEAD_LETTER, 3.0)),
        (NEVER, None, None, NextStep(MessageStep.DEAD_LETTER, 3.0)),
        (BAD, 1, None, NextStep(MessageStep.DEAD_LETTER, 3.0)),
        (LATE, 1, None, NextStep(MessageStep.AGAIN, 3.0)),
    ]
    for failure, attempt, retries, wanted in table:
        found = next_step(failure, attempt, retries, 1.0)
        assert found == wanted, (failure, attempt, retries)


def test_without_a_dead_letter_queue_nothing_is_given_up() -> None:
    """The platform's own rules are all there is then."""
    for failure in (AWAY, NEVER, BAD):
        assert next_step(failure, 9, 0, 1.0, keeps=False).step is MessageStep.AGAIN


def test_a_batch_that_fails_as_one_is_handed_back() -> None:
    """Nearly whole, and with one error: class and reason."""
    other = failure_of(Problem("no", reason="other"), (), "maybe")
    table: list[tuple[list[HandlerFailure | None], bool]] = [
        ([AWAY] * 10, True),
        ([*[AWAY] * 9, None], True),
        ([*[AWAY] * 8, None, None], False),
        ([NEVER] * 5, True),
        ([NEVER] * 4, False),
        ([*[NEVER] * 5, *[other] * 5], False),
        ([None] * 10, False),
        ([], False),
    ]
    for failures, wanted in table:
        assert fails_as_one(failures) is wanted, failures
    assert next_step(NEVER, 1, 2, 1.0, together=True) == NextStep(MessageStep.HAND_BACK, 3.0)
    assert next_step(AWAY, 9, 2, 1.0, together=True).step is MessageStep.HAND_BACK
    assert next_step(None, 9, 2, 1.0, together=True).step is MessageStep.ACKNOWLEDGE


@given(
    st.one_of(st.none(), st.integers(1, 10_000)),
    st.one_of(st.none(), st.integers(0, 99)),
    st.floats(0, 1),
    st.one_of(st.none(), st.floats(0, 1e9)),
)
def test_waits_are_bounded_and_heed_what_the_failure_asks_for(
    attempt: int | None, retries: int | None, unit: float, asked: float | None
) -> None:
    """Whoever asks for more than the longest wait gets the longest."""
    found = next_step(AWAY._replace(retry_after=asked), attempt, retries, unit)
    assert 0 <= found.after <= LONGEST_RETRY
    if found.step is MessageStep.AGAIN:
        assert found.after >= min(asked or 2.0, LONGEST_RETRY)


def test_that_nothing_ran_is_said_on_proof_alone() -> None:
    """And then of the first attempt: a later one says nothing of those before it."""
    proved = failure_of(ValueError(), (), "no")
    table: list[tuple[HandlerFailure, int | None, str]] = [
        (BAD, 1, "no"),
        (LATE, 1, "no"),
        (proved, 1, "no"),
        (BAD, 2, "maybe"),
        (BAD, None, "maybe"),
        (proved, 2, "maybe"),
        (proved, None, "maybe"),
        (AWAY, 1, "maybe"),
        (AWAY._replace(ran="yes"), 5, "yes"),
    ]
    for failure, attempt, wanted in table:
        assert ran_in_any_attempt(failure, attempt) == wanted, (failure, attempt)
