"""The rules of leases: pure, so that no test of them needs a clock or a thread."""

from __future__ import annotations

from leeward.app.checks import LONGEST_RETRY
from leeward.app.dead_letters import retry_pause
from leeward.leases.rules import (
    DeliveryPolicy,
    NextAttempt,
    is_over,
    needs_renewal,
)

POLICY = DeliveryPolicy(max_attempts=4, first_retry=0.5, lease=30.0, concurrency=3)


def test_each_pause_is_twice_the_one_before() -> None:
    """After the last attempt there is none: the delivery is given up."""
    due = [POLICY.schedule_retry(attempt, 100.0).due for attempt in (1, 2, 3, 4, 5)]
    assert due == [100.5, 101.0, 102.0, None, None]


def test_retries_are_measured_in_time() -> None:
    """Five attempts take minutes, so a downstream may be away for one; nobody waits for long."""
    usual = [[retry_pause(attempt, unit) for attempt in range(1, 5)] for unit in (0.0, 1.0)]
    assert usual == [[2.0, 8.0, 32.0, 128.0], [3.0, 12.0, 48.0, 192.0]]
    assert DeliveryPolicy().max_attempts == 5
    assert retry_pause(99, 0.0) == retry_pause(1, 0.0, 1e9) == LONGEST_RETRY
    assert retry_pause(1, 0.0, 20.0) == 20.0
    own = [retry_pause(attempt, 0.0, None, (5, 60)) for attempt in (1, 2, 3)]
    assert own == [5.0, 60.0, 60.0]
    assert POLICY.schedule_retry(1, 100.0, after=1e9) == NextAttempt(1, 100.0 + LONGEST_RETRY)


def test_short_attempts_get_their_rows_by_the_hundred() -> None:
    """A tenth of a second's work for all places; nothing where it is not known what they take."""
    seconds = (None, 10.0, 0.1, 0.01, 0.001, 0.0)
    assert [POLICY.count_rows_ahead(each) for each in seconds] == [0, 0, 3, 30, 300, 512]


def test_a_lease_is_renewed_long_before_it_ends() -> None:
    """Twice more before its last third; and one that ends too late was written by a wrong clock."""
    assert [needs_renewal(100.0, now, 30.0) for now in (109.0, 110.0, 110.1)] == [
        *(False, False),
        True,
    ]
    assert [is_over(due, 100.0, 60.0) for due in (100.0, 100.1, 160.0, 160.1)] == [
        *(True, False),
        *(False, True),
    ]
