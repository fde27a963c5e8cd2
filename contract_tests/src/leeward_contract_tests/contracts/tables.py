"""The contract of `store`, `load` and `delete`: an item comes back exactly as it was stored."""

from __future__ import annotations

from typing import Any

import pytest

from leeward import Client, Outcome, PayloadTooLarge, Promise
from leeward._items.checks import checked_size
from leeward.adapter import Capability, Driver
from leeward.testing import FaultyDriver
from leeward.values import Item
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, delete, fresh, load, store
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.exact import NASTY_ITEMS, ODD_KEYS, exact
from leeward_contract_tests.fixtures import ITEMS


class TablesContract(Contract):
    """Keep single items, whole and exact."""

    @needs(Capability.TABLES)
    def test_store_keeps_items_exactly(self, client: Client, subtests: pytest.Subtests) -> None:
        """Return exactly what was stored, with every type, and know it for leeward's own."""
        for kind, nasty in NASTY_ITEMS.items():
            with subtests.test(kind):
                item: Item = {**nasty, "id": fresh("item")}
                client.store_data(ITEMS, item)
                record = client.load_data(ITEMS, item["id"])
                assert record is not None
                assert exact(record.item) == exact(item)
                assert not record.foreign

    @needs(Capability.TABLES)
    def test_store_tells_how_it_went(self, client: Client, driver: Driver) -> None:
        """Promise COMMITTED, name the target, and list the one attempt."""
        receipt = client.store_data(ITEMS, {"id": fresh("item")})
        (attempt,) = receipt.attempts
        assert (receipt.target, attempt.target) == (driver.target, driver.target)
        assert (receipt.promise, attempt.outcome) == (Promise.COMMITTED, Outcome.OK)
        assert not receipt.resolved

    @needs(Capability.TABLES)
    def test_store_replaces_the_whole_item(self, client: Client) -> None:
        """Keep nothing of the item that was there before."""
        key = fresh("item")
        client.store_data(ITEMS, {"id": key, "old": 1, "both": {"old": 1}})
        assert client.load_data(ITEMS, key) is not None
        client.store_data(ITEMS, {"id": key, "new": 2, "both": {"new": 2}})
        record = client.load_data(ITEMS, key)
        assert record is not None
        assert record.item == {"id": key, "new": 2, "both": {"new": 2}}

    @needs(Capability.TABLES)
    def test_store_gives_each_write_a_revision(self, client: Client) -> None:
        """Change the revision with every write, even of the same item; load gives the last."""
        item: Item = {"id": fresh("item"), "same": True}
        revisions = [client.store_data(ITEMS, item).revision for _ in range(3)]
        record = client.load_data(ITEMS, item["id"])
        assert len({*revisions, None}) == 4
        assert record is not None
        assert record.revision == revisions[-1]

    @needs(Capability.TABLES)
    def test_store_keeps_the_write_id(self, driver: Driver) -> None:
        """Keep the write id with the item, for the read-back after a lost answer."""
        call = store({"id": fresh("item")})
        assert driver.perform(call, SECONDS).outcome is Outcome.OK
        stored = driver.perform(load(call.item["id"]), SECONDS).value
        assert stored is not None
        assert stored.write_id == call.write_id

    @needs(Capability.TABLES)
    def test_store_shares_nothing_with_the_caller(self, client: Client) -> None:
        """Keep the item as it was when it was stored, whatever the caller does to it later."""
        item: Item = {"id": fresh("item"), "list": [1]}
        client.store_data(ITEMS, item)
        item["list"].append(2)
        for _ in range(2):
            record = client.load_data(ITEMS, item["id"])
            assert record is not None
            assert record.item["list"] == [1]
            record.item["list"].append(3)

    @needs(Capability.TABLES)
    def test_store_keeps_odd_keys_apart(self, client: Client) -> None:
        """Keep the items of keys apart that look alike, whatever their characters."""
        mark = fresh("odd")
        for key in ODD_KEYS:
            client.store_data(ITEMS, {"id": key, "mark": mark, "copy": [key]})
        records = [client.load_data(ITEMS, key) for key in ODD_KEYS]
        assert [record and record.item for record in records] == [
            {"id": key, "mark": mark, "copy": [key]} for key in ODD_KEYS
        ]

    @needs(Capability.TABLES)
    def test_store_takes_an_item_of_the_declared_size(self, client: Client, driver: Driver) -> None:
        """Accept an item exactly as large as the declared limit."""
        item = _make_item(driver.limits.item_bytes)
        client.store_data(ITEMS, item)
        record = client.load_data(ITEMS, item["id"])
        assert record is not None
        assert len(record.item["padding"]) == len(item["padding"])

    @needs(Capability.TABLES)
    def test_store_refuses_a_larger_item_unsent(
        self, client: Client, driver: Driver, recorder: FaultyDriver
    ) -> None:
        """Refuse an item of one byte more before the driver sees it."""
        with pytest.raises(PayloadTooLarge):
            client.store_data(ITEMS, _make_item(driver.limits.item_bytes + 1))
        assert recorder.calls == []

    @needs(Capability.TABLES)
    def test_store_takes_an_item_of_the_declared_depth(
        self, client: Client, driver: Driver
    ) -> None:
        """Accept an item nested as deep as declared."""
        inner: Any = "bottom"
        for _ in range(driver.limits.nesting - 1):
            inner = {"inner": inner}
        item: Item = {"id": fresh("deep"), "inner": inner}
        client.store_data(ITEMS, item)
        record = client.load_data(ITEMS, item["id"])
        assert record is not None
        assert record.item == item

    @needs(Capability.TABLES)
    def test_load_of_an_absent_item_is_none(self, client: Client) -> None:
        """Return None for an item that is not there: that is not an error."""
        assert client.load_data(ITEMS, fresh("absent")) is None

    @needs(Capability.TABLES)
    def test_load_of_an_absent_item_is_ok(self, driver: Driver) -> None:
        """Report an item that is not there as OK, without a value."""
        result = driver.perform(load(fresh("absent")), SECONDS)
        assert (result.outcome, result.value) == (Outcome.OK, None)

    @needs(Capability.TABLES)
    def test_load_tells_how_it_went(self, client: Client, driver: Driver) -> None:
        """Name the target and list the one attempt; an item without expiry has none."""
        key = fresh("item")
        client.store_data(ITEMS, {"id": key})
        record = client.load_data(ITEMS, {"id": key})
        assert record is not None
        (attempt,) = record.attempts
        assert (record.target, attempt.target) == (driver.target, driver.target)
        assert attempt.outcome is Outcome.OK
        assert record.expires_at is None

    @needs(Capability.TABLES)
    def test_delete_removes_the_item(self, client: Client, driver: Driver) -> None:
        """Remove the item, promise COMMITTED, and name the target."""
        key = fresh("item")
        client.store_data(ITEMS, {"id": key})
        receipt = client.delete_data(ITEMS, key)
        assert client.load_data(ITEMS, key) is None
        assert (receipt.promise, receipt.target) == (Promise.COMMITTED, driver.target)
        assert [attempt.outcome for attempt in receipt.attempts] == [Outcome.OK]

    @needs(Capability.TABLES)
    def test_delete_removes_no_other_item(self, client: Client) -> None:
        """Leave items alone whose keys look like the one that is deleted."""
        mark = fresh("odd")
        for key in ODD_KEYS:
            client.store_data(ITEMS, {"id": key, "mark": mark})
        gone = ODD_KEYS[::2]
        for key in gone:
            client.delete_data(ITEMS, key)
        left = [key for key in ODD_KEYS if client.load_data(ITEMS, key) is not None]
        assert left == [key for key in ODD_KEYS if key not in gone]

    @needs(Capability.TABLES)
    def test_delete_of_an_absent_item_is_ok(self, client: Client, driver: Driver) -> None:
        """Count a delete of what is not there, or no longer there, as done."""
        key = fresh("item")
        client.store_data(ITEMS, {"id": key})
        for _ in range(2):
            client.delete_data(ITEMS, key)
        assert driver.perform(delete(fresh("absent")), SECONDS).outcome is Outcome.OK


def _make_item(size: int) -> Item:
    """Return an item that measures `size` bytes."""
    item: Item = {"id": fresh("large"), "padding": ""}
    item["padding"] = "x" * (size - checked_size(item).bytes)
    return item
