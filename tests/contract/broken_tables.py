"""Drivers whose tables have one mistake each, around a correct driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from leeward.calls import Call, Delete, Key, ListItems, Load, Result, Scan, Store, Stored
from leeward.errors import Outcome
from leeward.testing import FaultyDriver
from leeward_contract_tests import (
    CompositeKeysContract,
    ExpiryContract,
    ListsContract,
    ScanContract,
    TablesContract,
)
from leeward_contract_tests.fixtures import ITEMS, PAIR, PAIRS
from tests.contract.cases import breaks


@breaks(TablesContract, "test_store_keeps_items_exactly", "only its key")
class ForgetsToStore(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store):
            return Result.ok(call.write_id)
        return super().perform(call, timeout)


@breaks(TablesContract, "test_store_keeps_items_exactly", "constants")
class AcknowledgesTooEarly(FaultyDriver):
    """Says OK to a store before it commits, and loses what it has not committed yet."""

    _pending: Store | None = None

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store):
            pending, self._pending = self._pending, call
            if pending is not None:
                super().perform(pending, timeout)
            return Result.ok(call.write_id)
        return super().perform(call, timeout)


class _ChangesLoads(FaultyDriver):
    """Loads something else than was stored."""

    def change(self, stored: Stored) -> Stored:
        raise NotImplementedError

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, Load) and result.value is not None:
            return result._replace(value=self.change(result.value))
        return result


@breaks(TablesContract, "test_store_replaces_the_whole_item")
class ReturnsStaleItems(_ChangesLoads):
    """Caches what it has loaded first."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self._cache: dict[str, Stored] = {}

    def change(self, stored: Stored) -> Stored:
        return self._cache.setdefault(stored.item["id"], stored)


@breaks(TablesContract, "test_store_shares_nothing_with_the_caller")
class SharesLoadedItems(FaultyDriver):
    """Hands out one and the same object for as long as the item is not written again."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self._cache: dict[Key, Stored] = {}

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store | Delete):
            self._cache.pop(call.key, None)
        result = super().perform(call, timeout)
        if isinstance(call, Load) and result.value is not None:
            return result._replace(value=self._cache.setdefault(call.key, result.value))
        return result


@breaks(TablesContract, "test_store_keeps_items_exactly", "moments")
class DropsMicroseconds(_ChangesLoads):
    def change(self, stored: Stored) -> Stored:
        return _mapped(stored, datetime, lambda moment: moment.replace(microsecond=0))


@breaks(TablesContract, "test_store_keeps_items_exactly", "decimals")
class FloatsForDecimals(_ChangesLoads):
    def change(self, stored: Stored) -> Stored:
        return _mapped(stored, Decimal, float)


@breaks(TablesContract, "test_store_keeps_items_exactly", "decimals")
class DropsTrailingZeros(_ChangesLoads):
    def change(self, stored: Stored) -> Stored:
        return _mapped(stored, Decimal, lambda number: number.normalize() + 0)


@breaks(TablesContract, "test_store_keeps_items_exactly", "one of each type at the top")
class TextsForDecimalsAtTheTop(_ChangesLoads):
    """Looks for decimals inside lists and maps only."""

    def change(self, stored: Stored) -> Stored:
        item = {k: str(v) if isinstance(v, Decimal) else v for k, v in stored.item.items()}
        return stored._replace(item=item)


@breaks(TablesContract, "test_store_keeps_the_write_id")
class DropsTheWriteId(_ChangesLoads):
    def change(self, stored: Stored) -> Stored:
        return stored._replace(write_id=None)


@breaks(ExpiryContract, "test_an_expired_item_is_not_found")
class DropsTheExpiry(_ChangesLoads):
    def change(self, stored: Stored) -> Stored:
        return stored._replace(expires_at=None)


@breaks(ExpiryContract, "test_if_absent_stores_at_the_moment_of_expiry")
class ExpiresAMomentLate(FaultyDriver):
    """Has ``<`` where ``<=`` is meant: an item is still there in the second of its expiry."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store | Delete):
            call = call._replace(now=call.now - 0.001)
        return super().perform(call, timeout)


@breaks(TablesContract, "test_store_replaces_the_whole_item")
class MergesItems(FaultyDriver):
    """Keeps the attributes that a new item does not have."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store):
            old = super().perform(Load(call.table, call.key), timeout).value
            call = call._replace(item={**(old.item if old else {}), **call.item})
        return super().perform(call, timeout)


@breaks(TablesContract, "test_store_gives_each_write_a_revision")
class KeepsOneRevision(FaultyDriver):
    """Gives every write of an item the same revision."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, Store) and result.value is not None:
            return result._replace(value="1")
        if isinstance(call, Load) and result.value is not None:
            return result._replace(value=result.value._replace(revision="1"))
        return result


@breaks(TablesContract, "test_load_of_an_absent_item_is_none")
class RaisesForAbsent(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, Load) and result.value is None:
            raise KeyError(call.key)
        return result


@breaks(TablesContract, "test_delete_removes_no_other_item")
class DeletesTheWrongKey(FaultyDriver):
    """Cuts the key at a blank before it deletes."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Delete):
            values = tuple(value.split()[0] for value in call.key.values)
            call = call._replace(key=call.key._replace(values=values))
        return super().perform(call, timeout)


@breaks(TablesContract, "test_store_keeps_odd_keys_apart")
class MixesKeysUp(FaultyDriver):
    """Takes upper and lower case for the same."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store | Load | Delete):
            values = tuple(value.lower() for value in call.key.values)
            call = call._replace(key=call.key._replace(values=values))
        return super().perform(call, timeout)


@breaks(CompositeKeysContract, "test_pairs_are_kept_apart")
class JoinsKeyFields(FaultyDriver):
    """Writes a key of two fields as one text, with a slash between."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store | Load | Delete):
            call = call._replace(key=Key(("id",), ("/".join(call.key.values),)))
        return super().perform(call, timeout)


@breaks(ScanContract, "test_scan_finds_every_item_once")
class ScansOnePage(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, Scan) and result.value is not None:
            return result._replace(value=result.value._replace(cursor=None))
        return result


@breaks(CompositeKeysContract, "test_a_condition_looks_at_both_fields")
class LooksAtOneKeyField(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store | Load | Delete):
            call = call._replace(key=Key(("id",), call.key.values[:1]))
        return super().perform(call, timeout)


@breaks(TablesContract, "test_delete_of_an_absent_item_is_ok")
class MissesWhatItDeletes(FaultyDriver):
    """Reports an item that is not there as if the table were not."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Delete):
            found = super().perform(Load(call.table, call.key), timeout)
            if found.value is None:
                return Result(Outcome.NOT_FOUND, code="404")
        return super().perform(call, timeout)


@breaks(ScanContract, "test_scan_gives_what_load_gives")
class ScansWithoutWriteIds(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, Scan) and result.value is not None:
            items = tuple(each._replace(write_id=None) for each in result.value.items)
            return result._replace(value=result.value._replace(items=items))
        return result


@breaks(ScanContract, "test_scan_keeps_to_the_size_of_a_page")
class ScansInItsOwnPages(FaultyDriver):
    """Chooses the size of a page itself, whatever is asked for."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        return super().perform(
            call._replace(most=None) if isinstance(call, Scan) else call, timeout
        )


@breaks(ScanContract, "test_scan_stays_in_its_table")
class ScansOneTable(FaultyDriver):
    """Scans the one table that its author has tried, whatever table it is told."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Scan):
            call = call._replace(table=ITEMS)
        return super().perform(call, timeout)


@breaks(ScanContract, "test_scan_keeps_two_tables_apart")
class ScansEveryTable(FaultyDriver):
    """Adds to one table's items those of the other."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, Scan) and call.table == PAIRS and result.value is not None:
            more: Any = super().perform(Scan(ITEMS), timeout).value
            items = result.value.items + more.items
            return result._replace(value=result.value._replace(items=items))
        return result


class _ChangesLists(FaultyDriver):
    """Lists something else, or otherwise."""

    def change(self, call: ListItems) -> ListItems:
        return call

    def change_page(self, page: Any) -> Any:
        return page

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if not isinstance(call, ListItems):
            return super().perform(call, timeout)
        result = super().perform(self.change(call), timeout)
        return result._replace(value=result.value and self.change_page(result.value))


@breaks(ListsContract, "test_list_is_in_the_order_of_code_points")
class ListsWithoutCase(_ChangesLists):
    """Orders each page as people do."""

    def change_page(self, page: Any) -> Any:
        return page._replace(
            items=tuple(sorted(page.items, key=lambda each: each.item[PAIR[1]].lower()))
        )


@breaks(ListsContract, "test_list_keeps_to_its_bounds")
class ListsItsBounds(_ChangesLists):
    """Takes the lower bound for one that is part of the list."""

    def change(self, call: ListItems) -> ListItems:
        return call._replace(above=False) if call.cursor is None else call


@breaks(ListsContract, "test_list_gives_what_load_gives")
class ListsOtherRevisions(_ChangesLists):
    def change_page(self, page: Any) -> Any:
        return page._replace(items=tuple(each._replace(revision="1") for each in page.items))


@breaks(ListsContract, "test_list_leaves_out_what_has_expired")
class EndsListsAtExpiredItems(_ChangesLists):
    """Takes a page that nothing is left of for the last one."""

    def change_page(self, page: Any) -> Any:
        return page._replace(cursor=None) if page.items[0].expires_at else page


@breaks(ListsContract, "test_list_stays_in_its_partition")
class ListsByTheBeginning(_ChangesLists):
    """Takes a blank at the end of a partition for none."""

    def change(self, call: ListItems) -> ListItems:
        return call._replace(partition=call.partition.strip(" "))


@breaks(ListsContract, "test_list_sees_what_was_written_last")
class ListsFromACache(FaultyDriver):
    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self._cache: dict[Call, Result[Any]] = {}

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if not isinstance(call, ListItems):
            return super().perform(call, timeout)
        if call not in self._cache:
            self._cache[call] = super().perform(call, timeout)
        return self._cache[call]


@breaks(ListsContract, "test_a_cursor_outlives_what_is_written_beside")
class CountsItsCursors(_ChangesLists):
    """Goes on by the number of items that came, whatever was deleted since."""

    def change(self, call: ListItems) -> ListItems:
        self._skipped = int(call.cursor or "0")
        self._most = call.limit
        return call._replace(cursor=None, limit=1000)

    def change_page(self, page: Any) -> Any:
        behind = self._skipped + self._most
        more = str(behind) if len(page.items) > behind else None
        return page._replace(items=page.items[self._skipped : behind], cursor=more)


def _mapped(stored: Stored, kind: type, change: Callable[[Any], Any]) -> Stored:
    """Give the item with every value of `kind` changed."""

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: walk(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        return change(value) if isinstance(value, kind) else value

    return stored._replace(item=walk(stored.item))
