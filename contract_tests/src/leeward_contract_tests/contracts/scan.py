"""The contract of `scan`: page by page, every item of a table comes by."""

from __future__ import annotations

import time

from leeward import Outcome
from leeward.adapter import Capability, Driver
from leeward.calls import Delete, Key, Scan, Store, Stored
from leeward.values import Item
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, delete, fresh, store
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.exact import NASTY_ITEMS, exact
from leeward_contract_tests.fixtures import ITEMS, PAIR, PAIRS

TABLES, SCAN, COMPOSITE_KEYS = Capability.TABLES, Capability.SCAN, Capability.COMPOSITE_KEYS

MANY = 120
"""Items: more than a page of most clouds holds."""

FEW = 21
"""Items: one more than the page that is asked for; the table has those of other tests, too."""

MOST_PAGES = 10_000


class ScanContract(Contract):
    """Walk through a table, for leeward's own upkeep."""

    @needs(TABLES, SCAN)
    def test_scan_finds_every_item_once(self, driver: Driver) -> None:
        """Return each of many items exactly once, over as many pages as it takes."""
        mark = fresh("scanned")
        for n in range(MANY):
            _perform(driver, store({"id": f"{mark}-{n}", "mark": mark, "n": n}))
        numbers = [row.item["n"] for row in _scan_all(driver) if row.item.get("mark") == mark]
        assert sorted(numbers) == list(range(MANY))

    @needs(TABLES, SCAN)
    def test_scan_gives_what_load_gives(self, driver: Driver) -> None:
        """Return items exactly, with their revision and write id."""
        call = store({**NASTY_ITEMS["decimals"], "id": fresh("item")})
        revision = driver.perform(call, SECONDS).value
        (row,) = [row for row in _scan_all(driver) if row.item["id"] == call.item["id"]]
        assert exact(row.item) == exact(call.item)
        assert (row.revision, row.write_id) == (revision, call.write_id)

    @needs(TABLES, SCAN)
    def test_scan_keeps_to_the_size_of_a_page(self, driver: Driver) -> None:
        """Return pages of at most so many items, and in all of them every item once."""
        mark = fresh("paged")
        for n in range(FEW):
            _perform(driver, store({"id": f"{mark}-{n}", "mark": mark, "n": n}))
        pages = _pages(driver, size=FEW - 1)
        assert max(map(len, pages)) < FEW
        marks = [row.item["n"] for page in pages for row in page if row.item.get("mark") == mark]
        assert sorted(marks) == list(range(FEW))

    @needs(TABLES, SCAN)
    def test_scan_passes_over_what_was_deleted(self, driver: Driver) -> None:
        """Return no item that was deleted before the scan began."""
        key = fresh("item")
        _perform(driver, store({"id": key}))
        _perform(driver, delete(key))
        assert key not in [stored.item["id"] for stored in _scan_all(driver)]

    @needs(TABLES, SCAN)
    def test_scan_stays_in_its_table(self, driver: Driver) -> None:
        """Return nothing of another table: a table that is not there is empty, or an error."""
        key = fresh("item")
        _perform(driver, store({"id": key}))
        page = driver.perform(Scan(fresh("no-such-table"), None), SECONDS).value
        assert page is None or page.items == ()

    @needs(TABLES, SCAN, COMPOSITE_KEYS)
    def test_scan_keeps_two_tables_apart(self, driver: Driver) -> None:
        """Return of each table its own items alone."""
        key = fresh("item")
        pair: Item = dict.fromkeys(PAIR, key)
        _perform(driver, store({"id": key}))
        _perform(driver, Store(PAIRS, Key(PAIR, (key, key)), pair, fresh("write"), time.time()))
        assert [stored.item for stored in _scan_all(driver) if key in stored.item.values()] == [
            {"id": key}
        ]
        assert [
            stored.item for stored in _scan_all(driver, PAIRS) if key in stored.item.values()
        ] == [pair]


def _perform(driver: Driver, call: Store | Delete) -> None:
    """Make a write; the client has no part in a scan."""
    assert driver.perform(call, SECONDS).outcome is Outcome.OK


def _scan_all(driver: Driver, table: str = ITEMS) -> list[Stored]:
    """Return everything in a table."""
    return [stored for page in _pages(driver, table) for stored in page]


def _pages(driver: Driver, table: str = ITEMS, size: int | None = None) -> list[tuple[Stored, ...]]:
    """Return all pages of a table."""
    pages: list[tuple[Stored, ...]] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        result = driver.perform(Scan(table, cursor, size), SECONDS)
        assert result.outcome is Outcome.OK
        assert result.value is not None
        pages.append(result.value.items)
        cursor = result.value.cursor
        if cursor is None:
            return pages
    raise AssertionError(f"the scan had not ended after {MOST_PAGES} pages")
