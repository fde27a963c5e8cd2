from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from leeward.calls import Result
from leeward.errors import Outcome
from leeward.local import Local
from tests.local.calls import NOW, PATIENT, delete, load, store, value_of

RACERS = 16


def test_if_absent_refuses_an_item_that_is_there(cloud: Local) -> None:
    """The first wins, the second is a conflict and changes nothing."""
    assert cloud.perform(store({"n": 1}, if_absent=True), 5).outcome is Outcome.OK
    assert cloud.perform(store({"n": 2}, if_absent=True), 5).outcome is Outcome.CONFLICT
    found = value_of(cloud.perform(load(), 5))
    assert found is not None
    assert found.item["n"] == 1


def test_if_revision_takes_only_the_current_one(cloud: Local) -> None:
    """A write under an older revision is a conflict and changes nothing."""
    first = value_of(cloud.perform(store({"n": 1}), 5))
    second = value_of(cloud.perform(store({"n": 2}, if_revision=first), 5))
    assert cloud.perform(store({"n": 3}, if_revision=first), 5).outcome is Outcome.CONFLICT
    found = value_of(cloud.perform(load(), 5))
    assert found is not None
    assert (found.item["n"], found.revision) == (2, second)


def test_if_revision_of_an_absent_item_is_a_conflict(cloud: Local) -> None:
    """Nothing has no revision, for writes and deletions."""
    assert cloud.perform(store(if_revision="r"), 5).outcome is Outcome.CONFLICT
    assert cloud.perform(delete(if_revision="r"), 5).outcome is Outcome.CONFLICT


def test_delete_takes_only_the_current_revision(cloud: Local) -> None:
    """An older revision is a conflict, and the item stays."""
    first = value_of(cloud.perform(store(), 5))
    second = value_of(cloud.perform(store(), 5))
    assert cloud.perform(delete(if_revision=first), 5).outcome is Outcome.CONFLICT
    assert value_of(cloud.perform(load(), 5)) is not None
    assert cloud.perform(delete(if_revision=second), 5).outcome is Outcome.OK
    assert value_of(cloud.perform(load(), 5)) is None


@pytest.mark.parametrize(("expires_at", "absent"), [(NOW, True), (NOW + 0.5, False)])
def test_an_expired_item_counts_as_absent(cloud: Local, expires_at: float, absent: bool) -> None:
    """It does from the very moment of its expiry, in every condition."""
    revision = value_of(cloud.perform(store(expires_at=expires_at), 5))
    expected = Outcome.CONFLICT if absent else Outcome.OK
    assert cloud.perform(delete(if_revision=revision), 5).outcome is expected
    revision = value_of(cloud.perform(store(expires_at=expires_at), 5))
    assert cloud.perform(store(if_revision=revision, expires_at=expires_at), 5).outcome is expected
    cloud.perform(store(expires_at=expires_at), 5)
    taken = cloud.perform(store(if_absent=True), 5)
    assert taken.outcome is (Outcome.OK if absent else Outcome.CONFLICT)


def race(cloud: Local, **condition: Any) -> list[Result[str]]:
    """Let many threads make the same conditional write at once."""
    start = Barrier(RACERS)

    def run(number: int) -> Result[str]:
        start.wait(PATIENT)
        return cloud.perform(store({"winner": number}, **condition), PATIENT)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(run, range(RACERS)))


def check_one_winner(cloud: Local, results: list[Result[str]]) -> None:
    """Demand one success, whose item is there, and conflicts otherwise."""
    won = [number for number, each in enumerate(results) if each.outcome is Outcome.OK]
    lost = [each for each in results if each.outcome is Outcome.CONFLICT]
    assert (len(won), len(lost)) == (1, RACERS - 1)
    found = value_of(cloud.perform(load(), 5))
    assert found is not None
    assert found.item["winner"] == won[0]


def test_one_of_many_threads_creates(cloud: Local) -> None:
    """Under `if_absent` exactly one of 16 racing threads wins."""
    check_one_winner(cloud, race(cloud, if_absent=True))


def test_one_of_many_threads_updates(cloud: Local) -> None:
    """Under `if_revision` exactly one of 16 racing threads wins."""
    revision = value_of(cloud.perform(store(), 5))
    check_one_winner(cloud, race(cloud, if_revision=revision))
