"""What follows from a policy's numbers: pure, so that no test of it needs a clock or a thread."""

from __future__ import annotations

from leeward.leases.rules import DeliveryPolicy
from leeward_contract_tests.rows import each_row

POLICY = DeliveryPolicy(max_attempts=4, first_retry=0.5, lease=30.0, concurrency=3)


def test_each_pause_is_twice_the_one_before() -> None:
    """After the last attempt there is none: the delivery is given up."""
    due = [POLICY.schedule_retry(attempt, 100.0).due for attempt in (1, 2, 3, 4, 5)]
    assert due == [100.5, 101.0, 102.0, None, None]


@each_row(
    "attempts, due, most, spent",
    [
        (0, 0.0, 0, False),
        (3, 50.0, 0, False),
        (4, 50.0, 0, True),
        (5, 50.0, 0, True),
        (4, 0.0, 0, False),
        (5, 50.0, 6, False),
        (6, 50.0, 6, True),
        (3, 50.0, 1, False),
    ],
)
def test_a_delivery_whose_last_lease_has_ended_is_spent(
    attempts: int, due: float, most: int, spent: bool
) -> None:
    """Unless somebody has reset its time by hand: then it gets one more attempt."""
    assert POLICY.is_spent(attempts, due, most) is spent


def test_an_attempt_that_outlives_its_lease_leaves_its_place() -> None:
    """Handlers that hang do not use up the places."""
    assert POLICY.count_free_places([], 100.0) == 3
    assert POLICY.count_free_places([99.0, 100.0, 100.5, 130.0], 100.0) == 1
    assert POLICY.count_free_places([130.0] * 4, 100.0) == -1


def test_short_attempts_get_their_rows_by_the_hundred() -> None:
    """A tenth of a second's work for all places; nothing where it is not known what they take."""
    seconds = (None, 10.0, 0.1, 0.01, 0.001, 0.0)
    assert [POLICY.count_rows_ahead(each) for each in seconds] == [0, 0, 3, 30, 300, 512]
