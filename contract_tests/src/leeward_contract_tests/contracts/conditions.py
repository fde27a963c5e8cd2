"""The contract of conditions: of those who race for an item, exactly one wins."""

from __future__ import annotations

import pytest

from leeward import Client, Conflict, Outcome
from leeward.adapter import Capability, Driver
from leeward.calls import Store
from leeward.values import Item
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, fresh, load, store
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.observations import THREADS, in_parallel
from leeward_contract_tests.fixtures import ITEMS

TABLES, CONDITIONS = Capability.TABLES, Capability.CONDITIONS

MANY = 30
"""Items: more than DynamoDB stores by one request."""


class ConditionsContract(Contract):
    """Store and delete under a condition, judged where the item is."""

    @needs(TABLES, CONDITIONS)
    def test_if_absent_stores_what_is_absent(self, client: Client) -> None:
        """Store an item whose key no other item has."""
        item: Item = {"id": fresh("item"), "by": "the first"}
        receipt = client.store_data(ITEMS, item, if_absent=True)
        assert _load(client, item["id"]) == (item, receipt.revision)

    @needs(TABLES, CONDITIONS)
    def test_if_absent_leaves_what_is_there(self, client: Client, driver: Driver) -> None:
        """Report CONFLICT after one attempt where an item is there, and change nothing."""
        item: Item = {"id": fresh("item"), "by": "the first"}
        first = client.store_data(ITEMS, item)
        with pytest.raises(Conflict) as raised:
            client.store_data(ITEMS, {**item, "by": "the second"}, if_absent=True)
        assert _load(client, item["id"]) == (item, first.revision)
        assert raised.value.target == driver.target
        assert [attempt.outcome for attempt in raised.value.attempts] == [Outcome.CONFLICT]

    @needs(TABLES, CONDITIONS)
    def test_if_absent_is_judged_by_the_driver(self, driver: Driver) -> None:
        """Report an item that is there as CONFLICT, without a revision."""
        item: Item = {"id": fresh("item")}
        results = [driver.perform(store(item, if_absent=True), SECONDS) for _ in range(2)]
        assert [result.outcome for result in results] == [Outcome.OK, Outcome.CONFLICT]
        assert results[1].value is None

    @needs(TABLES, CONDITIONS)
    def test_if_absent_stores_what_was_deleted(self, client: Client) -> None:
        """Count a deleted item as absent."""
        item: Item = {"id": fresh("item")}
        client.store_data(ITEMS, item)
        client.delete_data(ITEMS, item["id"])
        receipt = client.store_data(ITEMS, item, if_absent=True)
        assert _load(client, item["id"]) == (item, receipt.revision)

    @needs(TABLES, CONDITIONS)
    def test_if_revision_stores_over_that_revision(self, client: Client) -> None:
        """Replace an item that still has the revision, as a receipt or a record told it."""
        item: Item = {"id": fresh("item"), "n": 0}
        first = client.store_data(ITEMS, item)
        client.store_data(ITEMS, {**item, "n": 1}, if_revision=first.revision)
        record = client.load_data(ITEMS, item["id"])
        assert record is not None
        third = client.store_data(ITEMS, {**item, "n": 2}, if_revision=record.revision)
        assert _load(client, item["id"]) == ({**item, "n": 2}, third.revision)

    @needs(TABLES, CONDITIONS)
    def test_if_revision_leaves_a_later_revision(self, client: Client) -> None:
        """Report CONFLICT where the item was written again, and change nothing."""
        item: Item = {"id": fresh("item"), "n": 0}
        first = client.store_data(ITEMS, item)
        second = client.store_data(ITEMS, {**item, "n": 1})
        with pytest.raises(Conflict):
            client.store_data(ITEMS, {**item, "n": 2}, if_revision=first.revision)
        assert _load(client, item["id"]) == ({**item, "n": 1}, second.revision)

    @needs(TABLES, CONDITIONS)
    def test_if_revision_creates_nothing(self, client: Client) -> None:
        """Report CONFLICT where the item is gone, and leave it gone."""
        item: Item = {"id": fresh("item")}
        first = client.store_data(ITEMS, item)
        client.delete_data(ITEMS, item["id"])
        with pytest.raises(Conflict):
            client.store_data(ITEMS, item, if_revision=first.revision)
        assert client.load_data(ITEMS, item["id"]) is None

    @needs(TABLES, CONDITIONS)
    def test_if_revision_deletes_that_revision(self, client: Client) -> None:
        """Delete an item that still has the revision."""
        item: Item = {"id": fresh("item")}
        first = client.store_data(ITEMS, item)
        client.delete_data(ITEMS, item["id"], if_revision=first.revision)
        assert client.load_data(ITEMS, item["id"]) is None

    @needs(TABLES, CONDITIONS)
    def test_if_revision_deletes_no_later_revision(self, client: Client) -> None:
        """Report CONFLICT where the item was written again, and leave it."""
        item: Item = {"id": fresh("item")}
        first = client.store_data(ITEMS, item)
        second = client.store_data(ITEMS, item)
        with pytest.raises(Conflict):
            client.delete_data(ITEMS, item["id"], if_revision=first.revision)
        assert _load(client, item["id"]) == (item, second.revision)

    @needs(TABLES, CONDITIONS)
    def test_if_revision_deletes_nothing_absent(self, client: Client) -> None:
        """Report CONFLICT where the item is gone: a condition on nothing does not hold."""
        item: Item = {"id": fresh("item")}
        first = client.store_data(ITEMS, item)
        client.delete_data(ITEMS, item["id"])
        with pytest.raises(Conflict):
            client.delete_data(ITEMS, item["id"], if_revision=first.revision)

    @needs(TABLES, CONDITIONS)
    def test_if_absent_has_one_winner(self, client: Client) -> None:
        """Create an item for exactly one of several threads; the others get CONFLICT."""
        key = fresh("raced")
        won = in_parallel(lambda number: _wins(client, {"id": key, "by": number}, if_absent=True))
        record = client.load_data(ITEMS, key)
        assert sorted(won) == [False] * (THREADS - 1) + [True]
        assert record is not None
        assert record.item["by"] == won.index(True)

    @needs(TABLES, CONDITIONS)
    def test_if_revision_has_one_winner(self, client: Client) -> None:
        """Replace a revision for exactly one of several threads; the others get CONFLICT."""
        key = fresh("raced")
        revision = client.store_data(ITEMS, {"id": key, "by": None}).revision
        won = in_parallel(
            lambda number: _wins(client, {"id": key, "by": number}, if_revision=revision)
        )
        record = client.load_data(ITEMS, key)
        assert sorted(won) == [False] * (THREADS - 1) + [True]
        assert record is not None
        assert record.item["by"] == won.index(True)

    @needs(TABLES, CONDITIONS)
    def test_stores_at_once_hold_each_for_itself(self, driver: Driver) -> None:
        """Store many at once as each alone: by its own condition, with a result of its own."""
        mark = fresh("at-once")
        plain = [store({"id": f"{mark}-{n}", "n": n}) for n in range(MANY)]
        _check_many(driver, plain, [Outcome.OK] * MANY)
        if_absent = [
            store({"id": f"{mark}-{n}", "n": -n}, if_absent=True)
            for n in range(MANY // 2, 2 * MANY)
        ]
        expected = [*[Outcome.CONFLICT] * (MANY // 2), *[Outcome.OK] * MANY]
        _check_many(driver, if_absent, expected)


def _check_many(driver: Driver, calls: list[Store], expected: list[Outcome]) -> None:
    """Store many at once, or see that nothing was stored where a driver cannot do that."""
    many = getattr(driver, "store_many", None)  # a plain class need not have it
    results = many(calls, SECONDS) if many else None
    if results is not None:
        assert [result.outcome for result in results] == expected
    for call, result in zip(calls, results or [None] * len(calls), strict=True):
        stored = driver.perform(load(call.item["id"]), SECONDS).value
        written = result is not None and result.outcome is Outcome.OK
        assert (stored is not None and stored.write_id == call.write_id) is written
        if stored is not None and written:
            assert (stored.item, stored.revision) == (call.item, result.value)
        if results is None:
            assert driver.perform(call, SECONDS).outcome in (Outcome.OK, Outcome.CONFLICT)


def _wins(
    client: Client, item: Item, *, if_absent: bool = False, if_revision: str | None = None
) -> bool:
    try:
        client.store_data(ITEMS, item, if_absent=if_absent, if_revision=if_revision)
    except Conflict:
        return False
    return True


def _load(client: Client, key: str) -> tuple[Item, str] | None:
    record = client.load_data(ITEMS, key)
    return None if record is None else (record.item, record.revision)
