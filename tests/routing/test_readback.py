"""Calls that concern a table: one home, and what became of a write whose answer was lost."""

from __future__ import annotations

import pytest

from leeward._routing import FailoverDriver
from leeward._routing.readback import ReadBackVerdict, judge
from leeward.calls import Delete, Key, Load, Result, Store, Stored
from leeward.errors import ConfigError, Outcome
from leeward.testing import FakeClock
from tests.scripted import AMBIGUOUS, CONFLICT, NOT_SENT, OK, Scripted

KEY = Key(("id",), ("1",))
STORE = Store("t", KEY, {"id": "1"}, write_id="w-1", now=1000.0)
OURS: Result[Stored | None] = Result.ok(Stored({"id": "1"}, revision="r-1", write_id="w-1"))
OTHERS: Result[Stored | None] = Result.ok(Stored({"id": "1"}, revision="r-2", write_id="w-2"))
ABSENT: Result[Stored | None] = Result.ok(None)


def router(*drivers: Scripted, home: str | None = None) -> FailoverDriver:
    return FailoverDriver(drivers, home=home, clock=FakeClock())


def verbs(driver: Scripted) -> list[str]:
    return [call.verb for call in driver.calls]


def test_data_stays_at_home() -> None:
    """A table's home that cannot be reached is not replaced by another target."""
    a, b = Scripted("a", NOT_SENT, NOT_SENT), Scripted("b")
    result = router(a, b, home="a").perform(STORE, 15.0)
    assert result.outcome is Outcome.NOT_SENT
    assert not b.calls


def test_data_without_a_home_is_refused() -> None:
    """With several targets and no home, nothing is guessed and nothing is sent."""
    a, b = Scripted("a"), Scripted("b")
    with pytest.raises(ConfigError, match="LEEWARD_DATA_TARGET"):
        router(a, b).perform(STORE, 15.0)
    with pytest.raises(ConfigError, match="not in the order"):
        router(a, b, home="c").perform(Load("t", KEY), 15.0)
    assert not a.calls + b.calls


def test_a_table_s_own_home_goes_before_that_of_all() -> None:
    """The home of all tables is for those that have none of their own."""
    a, b = Scripted("a"), Scripted("b")
    failover = FailoverDriver([a, b], home="a", homes={"t": "b"}, clock=FakeClock())
    assert (failover.home_of("t"), failover.home_of("other")) == ("b", "a")


@pytest.mark.parametrize(
    ("call", "script", "outcome", "asked"),
    [
        (STORE, [AMBIGUOUS, OURS], Outcome.OK, ["store", "load"]),
        (STORE, [AMBIGUOUS, ABSENT, OK], Outcome.OK, ["store", "load", "store"]),
        (STORE, [AMBIGUOUS, OTHERS, OK], Outcome.OK, ["store", "load", "store"]),
        (STORE, [AMBIGUOUS, NOT_SENT, OK], Outcome.OK, ["store", "load", "store"]),
        (
            STORE._replace(if_absent=True),
            [AMBIGUOUS, ABSENT, CONFLICT, OURS],
            Outcome.OK,
            ["store", "load", "store", "load"],
        ),
        (
            STORE._replace(if_absent=True),
            [AMBIGUOUS, OTHERS],
            Outcome.AMBIGUOUS,
            ["store", "load"],
        ),
        (STORE._replace(if_absent=True), [CONFLICT], Outcome.CONFLICT, ["store"]),
        (
            STORE._replace(if_revision="r-2"),
            [AMBIGUOUS, OTHERS, OK],
            Outcome.OK,
            ["store", "load", "store"],
        ),
        (
            STORE._replace(if_revision="r-0"),
            [AMBIGUOUS, OTHERS],
            Outcome.AMBIGUOUS,
            ["store", "load"],
        ),
        (Delete("t", KEY, 1000.0), [AMBIGUOUS, ABSENT], Outcome.OK, ["delete", "load"]),
        (
            Delete("t", KEY, 1000.0),
            [AMBIGUOUS, OTHERS, OK],
            Outcome.OK,
            ["delete", "load", "delete"],
        ),
        (
            Delete("t", KEY, 1000.0, if_revision="r-0"),
            [AMBIGUOUS, OTHERS],
            Outcome.AMBIGUOUS,
            ["delete", "load"],
        ),
    ],
)
def test_a_lost_write_is_read_back(
    call: Store | Delete, script: list[Result[object]], outcome: Outcome, asked: list[str]
) -> None:
    """What became of a write is asked first, and our success is never reported as a conflict."""
    a = Scripted("a", *script)
    failover = router(a)
    result = failover.perform(call, 15.0)
    assert result.outcome is outcome
    assert verbs(a) == asked
    assert [attempt.read_back for attempt in result.attempts] == [verb == "load" for verb in asked]


def test_a_router_in_a_router_passes_on_that_a_write_was_resolved() -> None:
    """The outer one sees a success at once, and keeps what the inner one found out."""
    inner = router(Scripted("a", AMBIGUOUS, OURS))
    result = FailoverDriver([inner]).perform(STORE, 15.0)
    assert (result.value, result.resolved, len(result.attempts)) == ("r-1", True, 1)


def test_an_expired_item_does_not_stand_in_the_way() -> None:
    """A read-back that finds an expired item counts it as absent: from its last second on."""
    store = STORE._replace(if_absent=True)
    for expires_at, verdict in (
        (store.now - 1.0, ReadBackVerdict.OPEN),
        (store.now, ReadBackVerdict.OPEN),
        (store.now + 1.0, ReadBackVerdict.LOST),
    ):
        gone: Result[Stored | None] = Result.ok(
            Stored({"id": "1"}, revision="r-0", write_id="w-0", expires_at=expires_at)
        )
        assert judge(store, gone) is verdict
        ended = router(Scripted("a", AMBIGUOUS, gone, OK)).perform(store, 15.0).outcome
        assert ended is (Outcome.OK if verdict is ReadBackVerdict.OPEN else Outcome.AMBIGUOUS)
