"""What becomes of a call whose table does not answer, or does not take what it is given."""

from __future__ import annotations

from typing import Any

import pytest

from leeward import (
    Client,
    DedupUnavailable,
)
from leeward.app.context import call_within
from leeward.app.idempotency import (
    current_run,
    effect,
    idempotent,
)
from leeward.calls import Call, Result
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from tests.app.idempotent.shop import ORDER, Declined, Shop, context, refused


def test_an_end_that_no_table_takes_is_written_all_the_same(shop: Shop) -> None:
    """Of a failure repeats get the class; a result that cannot be read is given, and not kept."""
    charge = shop.charging(failures={Declined: "replay"})
    shop.fails = Declined("\ud800")
    with pytest.raises(Declined):
        charge(ORDER)
    with pytest.raises(Declined):
        charge(ORDER)

    @idempotent(table="keys", key="order", client=shop.client, clock=shop.clock, name="loop")
    def loop(order: str) -> list[Any]:
        shop.charges.append(order)
        found: list[Any] = []
        found.append(found)
        return found

    result = loop("43")
    assert result[0] is result
    assert refused(loop, "43") == ("not_kept", None)
    assert shop.charges == ["42", "43"]


def test_a_result_that_the_table_does_not_take_is_not_a_failed_call(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Too large, or nothing that a table takes: it is given once, and repeats learn that it ran."""
    for key, result in {"large": "x" * 10_000_000, "odd": object()}.items():
        charge = shop.charging()
        shop.charges.clear()

        @idempotent(table="keys", key="key", client=shop.client, name="give")
        def give(key: str) -> object:
            shop.charges.append(key)
            return result  # noqa: B023 - called in this round

        assert give(key) is result
        assert refused(give, key) == ("not_kept", None)
        assert shop.charges == [key]
    assert charge is not None
    own = [each for each in caplog.records if each.name == "leeward.idempotency"]
    assert [each.msg.split()[0] for each in own] == ["result_not_kept"] * 2


def test_a_table_that_is_away_refuses_by_default(shop: Shop) -> None:
    """Nothing runs; when the table is back, the same call runs."""
    charge = shop.charging()
    for fault in (Fault.REFUSE, Fault.THROTTLE, Fault.SUSPEND, Fault.LOSE_REQUEST, Fault.DENY):
        shop.table.fail(fault)
        call = context(shop.clock)
        with pytest.raises(DedupUnavailable, match="did not run"):
            call_within(call, charge, ORDER)
        assert (call.dedup, call.effects) == ("target", 0)
        shop.table.heal()
    assert shop.charges == []
    assert charge(ORDER)["number"] == 1


def test_run_and_flag_runs_without_the_table(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """The handler and the answer can tell; a table that is set up wrongly still refuses."""
    recorded = []

    @idempotent(
        table="keys", key="order.id", unreachable="run_and_flag", client=shop.client, name="charge"
    )
    def charge(order: dict[str, Any]) -> int:
        run = current_run()
        assert run is not None
        recorded.append(run.recorded)
        shop.charges.append(order["id"])
        return len(shop.charges)

    shop.table.fail(Fault.REFUSE)
    call = context(shop.clock)
    assert call_within(call, charge, ORDER) == 1
    assert (call.dedup, recorded) == ("none", [False])
    assert "run_unrecorded" in caplog.text
    shop.table.fail(Fault.DENY)
    with pytest.raises(DedupUnavailable):
        charge(ORDER)
    shop.table.heal()
    call = context(shop.clock)
    assert call_within(call, charge, ORDER) == 2
    assert (call.dedup, recorded) == ("target", [False, True])


def test_an_end_that_cannot_be_written_is_not_a_failed_call(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """The result is given, and a repeat does not run: so the answer says that it is recognised."""

    @idempotent(
        table="keys", key="order.id", lease=30, client=shop.client, clock=shop.clock, name="charge"
    )
    def charge(order: dict[str, Any]) -> int:
        shop.charges.append(order["id"])
        shop.table.fail(Fault.REFUSE)
        return len(shop.charges)

    call = context(shop.clock)
    assert call_within(call, charge, ORDER) == 1
    assert call.dedup == "target"
    assert "end_not_recorded" in caplog.text
    shop.table.heal()
    assert refused(charge, ORDER) == ("running", 5.0)
    shop.clock.advance(28)
    assert refused(charge, ORDER)[1] == pytest.approx(2.0, abs=0.1)
    shop.clock.advance(3)
    assert refused(charge, ORDER) == ("unknown", None)
    assert len(shop.charges) == 1


def test_an_answer_says_that_a_key_is_worth_nothing_where_a_repeat_may_run(shop: Shop) -> None:
    """Somebody has deleted the record meanwhile, or the function runs after an unknown end.

    Or an effect was allowed to begin that could not be written down, nor could the end be.
    """

    @idempotent(table="keys", key="order.id", name="f", client=shop.client, clock=shop.clock)
    def forgotten(order: dict[str, Any]) -> None:
        shop.client.delete_data("keys", "f:42")

    @idempotent(
        table="keys",
        key="order.id",
        unknown="run",
        client=shop.client,
        clock=shop.clock,
        name="again",
    )
    def again(order: dict[str, Any]) -> None:
        shop.table.fail(Fault.REFUSE)

    @idempotent(
        table="keys",
        key="order.id",
        effects="marked",
        unreachable="run_and_flag",
        client=shop.client,
        clock=shop.clock,
        name="flagged",
    )
    def flagged(order: dict[str, Any]) -> None:
        shop.table.fail(Fault.REFUSE)
        effect()

    for function in (forgotten, again, flagged):
        shop.table.heal()
        call = context(shop.clock)
        call_within(call, function, ORDER)
        assert call.dedup == "none"


class FailsOnce(FaultyDriver):
    """Fails the call of one number, counted from 0."""

    def __init__(self, number: int, fault: Fault, clock: FakeClock) -> None:
        super().__init__(Local(clock=clock))
        self._at, self._fault = number, fault

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if len(self.calls) == self._at:
            self.fail(self._fault, times=1)
        return super().perform(call, timeout)


def test_any_one_answer_of_the_table_may_be_lost(subtests: pytest.Subtests) -> None:
    """Claim, mark or end, whether the write took place or not: the call runs, and has a record."""
    for fault in (Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.REFUSE):
        for number in range(4):
            clock, charges = FakeClock(), list[str]()
            with (
                subtests.test(f"{fault.value}, call {number}"),
                Client(FailsOnce(number, fault, clock), clock=clock) as client,
            ):

                @idempotent(
                    table="keys", key="order", effects="marked", client=client, name="charge"
                )
                def charge(order: str) -> int:
                    effect()
                    charges.append(order)  # noqa: B023 - called in this round
                    return len(charges)  # noqa: B023 - likewise

                assert [charge("42") for _ in range(3)] == [1, 1, 1]
