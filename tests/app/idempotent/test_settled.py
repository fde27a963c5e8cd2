"""What became of the calls with a key: what its record says, and what a probe may add."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.app.idempotency import (
    LeaseLost,
    NotDone,
    effect,
    idempotent,
)
from leeward.app.idempotency.record import (
    Claim,
    KeyState,
    LoadedRecord,
    Reason,
    Refuse,
    Start,
    decide,
    first_record,
    release_record,
    settle_by_hand,
    take_over,
    void_record,
)
from leeward.app.signatures import IDEMPOTENCY
from tests.app.idempotent.shop import ORDER, HalfDone, Shop, context


def settled(
    shop: Shop,
    function: Any,
    *,
    age: float | None = 1.0,
    given: tuple[Any, ...] | None = (ORDER,),
    **options: Any,
) -> dict[str, Any]:
    """Settle the key of the order, as a handler does."""
    answer: dict[str, Any] = getattr(function, IDEMPOTENCY).settle(
        age, given, context(shop.clock, **options)
    )
    return answer


class Killed(BaseException):
    """The process dies."""


def dying(shop: Shop, *first: BaseException | None, **options: Any) -> Any:
    """Return a marked function; its runs end before their effect, after it (None), or return."""
    runs = list(first)

    @idempotent(
        table="keys",
        key="order.id",
        lease=30,
        effects="marked",
        client=shop.client,
        clock=shop.clock,
        name="charge",
        **options,
    )
    def charge(order: dict[str, Any]) -> str:
        how = runs.pop(0) if runs else None
        if isinstance(how, Killed | ValueError):
            raise how
        effect()
        shop.charges.append(order["id"])
        if how is not None:
            raise how
        return "paid"

    return charge


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"failures": {HalfDone: "rerun"}}, HalfDone()),
        ({"unknown": "run"}, ConnectionError()),
    ],
)
def test_a_run_after_one_that_may_have_acted_is_never_settled_as_not_run(
    shop: Shop, options: dict[str, Any], first: Exception
) -> None:
    """The second run dies before its effect; the first one has had it."""
    charge = dying(shop, first, Killed(), **options)
    with pytest.raises(type(first)):
        charge(ORDER)
    with pytest.raises(Killed):
        charge(ORDER)
    shop.clock.advance(31)
    answer = settled(shop, charge)
    assert (answer["verdict"], answer["reason"]) == ("unknown", "unknown")
    assert shop.charges == ["42"]


def test_what_no_run_of_a_key_has_done_is_settled_as_not_run(shop: Shop) -> None:
    """One died before its effect, and the next one failed before it: nothing was declared."""
    charge = dying(shop, Killed(), ValueError())
    with pytest.raises(Killed):
        charge(ORDER)
    shop.clock.advance(31)
    with pytest.raises(ValueError):
        charge(ORDER)
    assert settled(shop, charge)["verdict"] == "not_run"
    assert shop.charges == []


def test_an_effect_does_not_begin_after_its_lease_where_a_probe_decides(shop: Shop) -> None:
    """A probe may say that nothing was done as soon as the lease is over."""

    @idempotent(
        table="keys",
        key="order.id",
        lease=30,
        effects="marked",
        probe=lambda _key, _context, _notes: NotDone(),
        client=shop.client,
        clock=shop.clock,
    )
    def charge(order: dict[str, Any]) -> None:
        shop.clock.advance(31)
        effect()
        shop.charges.append(order["id"])

    with pytest.raises(LeaseLost):
        charge(ORDER)
    assert shop.charges == []
    assert settled(shop, charge)["verdict"] == "not_run"


def test_a_claim_that_was_settled_meanwhile_does_not_run() -> None:
    """Its answer was lost, and an operator freed the key before it looked: it claims again."""
    claim = Claim("me", "payload", 60.0)
    record = first_record(claim, 0.0)
    assert decide(LoadedRecord(record, "7"), claim, 1.0) == Start(record, "7")
    freed = settle_by_hand(record, 61.0, ran=False, result=None, kept=False)
    assert freed is not None
    again = decide(LoadedRecord(freed, "8"), claim, 61.0)
    assert isinstance(again, Start)
    assert (again.record.state, again.record.fence) == (KeyState.IN_PROGRESS, 2)
    void = void_record(release_record(record), 0)._replace(owner="me")
    assert decide(LoadedRecord(void, "8"), claim, 61.0) == Refuse(Reason.VOIDED, voids=1)


def test_a_record_knows_of_as_many_voids_as_the_call_that_made_it() -> None:
    """The record with the voids is gone: a delivery that knows of fewer is late nevertheless."""
    claim = Claim("me", "payload", 60.0, voids=2)
    assert first_record(claim, 0.0).voids == 2
    free = release_record(first_record(claim._replace(voids=0), 0.0))
    assert take_over(LoadedRecord(free, "1"), claim, 0.0, None).record.voids == 2
