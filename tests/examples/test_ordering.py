"""The order workflow of the shop: how an order ends, and what is taken back on the way.

Each row of `SCENARIOS` is a mistake that flows of this kind are known for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from leeward import Client
from leeward.testing.simulator import answer, error, simulate, throttle, time_out
from leeward.values.runs import RunState
from leeward.workflow.commands import Answer
from tests.examples.test_shop import ORDER, SHOP, settings

STOCK, MONEY, PARCEL = "reserve-stock", "charge", "ship-order"
GIVE_BACK, REFUND = "release-stock", "refund"
CUSTOMER, OPERATORS = "tell-customer", "tell-operators"


@pytest.fixture
def ordering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import the shop with its workflow; its data lies in a file of this test."""
    for name, value in settings(tmp_path).items():
        monkeypatch.setenv(name, value)
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(SHOP)
    for name in ("shop", "ordering"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    try:
        found = import_module("ordering")
        yield found
        found.cloud().close()
    finally:
        for name in ("shop", "ordering"):
            sys.modules.pop(name, None)


class Scenario(NamedTuple):
    """What functions answer, how the run ends, and how often some are called."""

    answers: dict[str, list[Answer]]
    ends: str | None
    calls: dict[str, int]


SCENARIOS: dict[str, Scenario] = {
    "all well": Scenario({}, None, {STOCK: 1, MONEY: 1, PARCEL: 1, CUSTOMER: 1, REFUND: 0}),
    "not valid": Scenario(
        {"check-order": [error("ValidationFailed")]}, "OrderRejected", {STOCK: 0, CUSTOMER: 1}
    ),
    "a check that fails otherwise is handled too": Scenario(
        {"check-order": [error("KeyError")]}, "OrderRejected", {STOCK: 0, CUSTOMER: 1}
    ),
    "out of stock: the payment is refunded": Scenario(
        {STOCK: [error("OutOfStock")]},
        "OrderFailed",
        {MONEY: 1, REFUND: 1, GIVE_BACK: 0, PARCEL: 0, CUSTOMER: 1},
    ),
    "out of stock, and the payment timed out: refunded all the same": Scenario(
        {STOCK: [error("OutOfStock")], MONEY: [time_out()]},
        "OrderFailed",
        {MONEY: 1, REFUND: 1, CUSTOMER: 1},
    ),
    "declined: a payment that never happened is not refunded": Scenario(
        {MONEY: [error("Problem")]}, "OrderFailed", {REFUND: 0, GIVE_BACK: 1, CUSTOMER: 1}
    ),
    "the payment timed out: it is not repeated, and refunded": Scenario(
        {MONEY: [time_out()]}, "OrderFailed", {MONEY: 1, REFUND: 1, GIVE_BACK: 1}
    ),
    "throttled twice: what did not run is tried again": Scenario(
        {MONEY: [throttle(), throttle(), answer()]}, None, {MONEY: 3, REFUND: 0}
    ),
    "the platform failed in the middle: not tried again": Scenario(
        {MONEY: [error("Call.Unknown")]}, "OrderFailed", {MONEY: 1, REFUND: 1}
    ),
    "the stock timed out: given back": Scenario(
        {STOCK: [time_out()]}, "OrderFailed", {GIVE_BACK: 1, REFUND: 1}
    ),
    "no carrier: everything is given back": Scenario(
        {PARCEL: [error("NoCarrier")]}, "OrderFailed", {GIVE_BACK: 1, REFUND: 1, CUSTOMER: 1}
    ),
    "a refund that is refused for ever is reported": Scenario(
        {PARCEL: [error("NoCarrier")], REFUND: [error("BankClosed")]},
        "OrderStuck",
        {REFUND: 6, GIVE_BACK: 1, OPERATORS: 1, CUSTOMER: 1},
    ),
    "an error that nobody has heard of": Scenario(
        {PARCEL: [error("NeverSeen")]}, "OrderFailed", {GIVE_BACK: 1, REFUND: 1}
    ),
}


def test_an_order_that_fails_is_a_run_that_fails(ordering: Any, subtests: pytest.Subtests) -> None:
    """And nothing stays taken that is not paid, nor paid that is not shipped."""
    for name, (answers, ends, calls) in SCENARIOS.items():
        with subtests.test(name):
            run = simulate(ordering.order_flow, ORDER, answers)
            assert (run.failure.name if run.failure else None) == ends
            assert {each: run.count_calls(each) for each in calls} == calls


def test_what_could_not_be_taken_back_is_told_by_name(ordering: Any) -> None:
    """The operators get the paths of the steps."""
    answers = {PARCEL: [error("NoCarrier")], REFUND: [error("BankClosed")]}
    run = simulate(ordering.order_flow, ORDER, answers)
    (report,) = (call.payload for call in run.calls if call.function == OPERATORS)
    assert report["steps"] == ["charge"]


def _done(cloud: Client, table: str, id: str) -> Any:
    record = cloud.load_data(table, id)
    return None if record is None else record.item.get("notes", record.item)


def test_the_workflow_runs_on_the_shops_own_functions(ordering: Any) -> None:
    """One order goes well; of one that finds no carrier nothing is left but the news of it."""
    cloud: Client = ordering.cloud()
    cloud.start_workflow("order", ORDER, id="order-42")
    run = cloud.wait_for_run("order", "order-42", timeout=60)
    assert (run.state, run.result) == (
        RunState.SUCCEEDED,
        {"order": "42", "parcel": "parcel-42"},
    )
    assert _done(cloud, "stock", "tea") == {"42": 2}
    assert list(_done(cloud, "charges", "42").values()) == ["9.90"]

    cloud.store_data("carriers", {"id": "today", "open": False})
    cloud.start_workflow("order", {**ORDER, "id": "43"}, id="order-43")
    run = cloud.wait_for_run("order", "order-43", timeout=60)
    assert (run.state, run.error, run.unreversed) == (RunState.FAILED, "OrderFailed", ())
    assert _done(cloud, "stock", "tea") == {"42": 2}
    assert _done(cloud, "refunds", "43") == _done(cloud, "charges", "43")
    assert _done(cloud, "notifications", "43")["text"] == "ada: order 43 is cancelled"


def test_two_orders_do_not_get_the_same_pieces(ordering: Any) -> None:
    """The second one fails, and its payment is given back."""
    cloud: Client = ordering.cloud()
    cloud.store_data("pieces", {"id": "tea", "pieces": 3})
    for id in ("1", "2"):
        cloud.start_workflow("order", {**ORDER, "id": id}, id=id)
        cloud.wait_for_run("order", id, timeout=60)
    states = [run.state for id in ("1", "2") if (run := cloud.get_run("order", id))]
    assert states == [RunState.SUCCEEDED, RunState.FAILED]
    assert _done(cloud, "stock", "tea") == {"1": 2}
    assert _done(cloud, "refunds", "1") is None
    assert _done(cloud, "refunds", "2") is not None
