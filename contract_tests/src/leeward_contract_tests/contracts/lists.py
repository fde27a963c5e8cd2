"""The contract of lists: the items of one partition, in one order everywhere, page by page."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

from leeward import Client, InvalidRequest, ItemPage, Outcome, TargetUnusable
from leeward.adapter import Capability, Driver
from leeward.calls import ListItems
from leeward.testing import FakeClock
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, fresh
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.exact import NASTY_ITEMS, exact
from leeward_contract_tests.faults import Faults
from leeward_contract_tests.fixtures import PAIR, PAIRS

RANGES, EXPIRY = Capability.RANGES, Capability.EXPIRY

ALL: Final = 100

HOUR: Final = 3600.0

ODD_SORTS: Final = [
    *("\x01", "\t", " ", '"', "%2f", "'", "-", ".", "..", "/", "0", "00", ":", "A", "[", "\\"),
    *("_", "__x__", "`", "a", "a\x01", "a ", "a!", "a%", "a-", "a.", "a/", "a/b", "a0", "a:"),
    *("aA", "a\\", "a_", "aa", "a|", "a~", "a\x7f", "a\u00fc", "a\U0001f9ca", "b", "u\u0308"),
    *("x" * 500, "x" * 499 + "y", "{", "~", "\u00fc", "\u540d\u524d", "\ud7ff", "\U0010ffff"),
]
"""Values of a sort field, in order, that stores are likely to put in another one."""


class ListsContract(Contract):
    """List the items of one partition."""

    @needs(RANGES)
    def test_list_is_in_the_order_of_code_points(self, client: Client) -> None:
        """Return each item once, in order and against it, over pages of several sizes."""
        partition = fresh("listed")
        for sort in reversed(ODD_SORTS):
            client.store_data(PAIRS, _item(partition, sort))
        assert sorted(ODD_SORTS) == ODD_SORTS
        for limit in (7, 100):
            assert _sorts(client, partition, limit=limit) == ODD_SORTS
            backwards = _sorts(client, partition, limit=limit, descending=True)
            assert backwards == ODD_SORTS[::-1]

    @needs(RANGES)
    def test_list_orders_what_stores_dispute(self, client: Client) -> None:
        """Return characters up to U+FFFF before those beyond; or refuse, by name, what is not."""
        partition = fresh("disputed")
        sorts = ["a\ue000", "a\uffff", "a\U00010000"]
        for sort in sorts:
            client.store_data(PAIRS, _item(partition, sort))
        for descending in (False, True):
            try:
                sorts_ = _sorts(client, partition, limit=1, descending=descending)
            except TargetUnusable as error:
                problem = str(error)
            else:
                problem = ""
                assert sorts_ == sorted(sorts, reverse=descending)
            assert not problem or "order" in problem

    @needs(RANGES)
    def test_list_keeps_to_its_bounds(self, client: Client) -> None:
        """Return what lies between the bounds, without these, and begins as is asked."""
        partition = fresh("bounded")
        sorts = ["a", "a/", "a/1", "a/2", "a/2/x", "a0", "b", "b\U0001f9ca", "c"]
        for sort in sorts:
            client.store_data(PAIRS, _item(partition, sort))
        cases: list[tuple[dict[str, str], list[str]]] = [
            ({"begins": "a/"}, ["a/", "a/1", "a/2", "a/2/x"]),
            ({"begins": "a/2"}, ["a/2", "a/2/x"]),
            ({"begins": "b\U0001f9ca"}, ["b\U0001f9ca"]),
            ({"begins": "d"}, []),
            ({"after": "a/1"}, ["a/2", "a/2/x", "a0", "b", "b\U0001f9ca", "c"]),
            ({"before": "a/2"}, ["a", "a/", "a/1"]),
            ({"after": "a/1", "before": "b"}, ["a/2", "a/2/x", "a0"]),
            ({"after": "a/15", "before": "az"}, ["a/2", "a/2/x", "a0"]),
            ({"after": "b", "before": "b\U0001f9ca!"}, ["b\U0001f9ca"]),
            ({"begins": "a/", "after": "a/1"}, ["a/2", "a/2/x"]),
            ({"begins": "a/", "before": "a/2"}, ["a/", "a/1"]),
            ({"begins": "a/", "after": "a/", "before": "a/2/"}, ["a/1", "a/2"]),
        ]
        for bounds, expected in cases:
            for limit in (1, 100):
                assert _sorts(client, partition, limit=limit, **bounds) == expected
                backwards = _sorts(client, partition, limit=limit, descending=True, **bounds)
                assert backwards == expected[::-1]

    @needs(RANGES)
    def test_list_gives_what_load_gives(self, client: Client) -> None:
        """Return items exactly, with the revision of a load."""
        key = {PAIR[0]: fresh("exact"), PAIR[1]: "42"}
        client.store_data(PAIRS, {**NASTY_ITEMS["decimals"], **key})
        record = client.load_data(PAIRS, key)
        (listed,) = client.list_data(PAIRS, key[PAIR[0]]).items
        assert record is not None
        assert exact(listed.item) == exact(record.item)
        assert (listed.revision, listed.target, listed.foreign) == (
            record.revision,
            record.target,
            False,
        )

    @needs(RANGES)
    def test_list_stays_in_its_partition(self, client: Client) -> None:
        """Return nothing of partitions whose names look alike, and an empty page of none."""
        partition = fresh("alone")
        others = [f"{partition}:", f"{partition}:1", f"{partition} ", f"{partition}\x01", "1"]
        for value in (partition, *others):
            client.store_data(PAIRS, _item(value, "1"))
        for value in (partition, *others[:-1]):
            page = client.list_data(PAIRS, value)
            assert [record.item for record in page.items] == [_item(value, "1")]
            assert page.cursor is None
        page = client.list_data(PAIRS, fresh("nobody"))
        assert (page.items, page.cursor) == ((), None)

    @needs(RANGES)
    def test_list_sees_what_was_written_last(self, client: Client) -> None:
        """Return what was stored, replaced or deleted before the list, as a load would."""
        partition = fresh("fresh")
        for n in range(3):
            client.store_data(PAIRS, {**_item(partition, "1"), "n": n})
            client.store_data(PAIRS, _item(partition, "2"))
            (first, second) = client.list_data(PAIRS, partition).items
            assert (first.item["n"], second.item) == (n, _item(partition, "2"))
            client.delete_data(PAIRS, _item(partition, "2"))
            (first,) = client.list_data(PAIRS, partition).items
            assert first.item["n"] == n

    @needs(RANGES, EXPIRY)
    def test_list_leaves_out_what_has_expired(self, client: Client, clock: FakeClock) -> None:
        """Return no expired item, though the page gets shorter by it."""
        partition = fresh("expired")
        for n in range(6):
            client.store_data(PAIRS, _item(partition, str(n)), expires_in=HOUR if n % 2 else None)
        clock.advance(HOUR + 1)
        assert _sorts(client, partition, limit=1) == ["0", "2", "4"]

    @needs(RANGES)
    def test_a_cursor_outlives_what_is_written_beside(self, client: Client) -> None:
        """Go on behind the last item of a page, which is gone, past what came before it."""
        partition = fresh("cursor")
        for sort in ("b", "d", "f", "h"):
            client.store_data(PAIRS, _item(partition, sort))
        page = client.list_data(PAIRS, partition, limit=2)
        assert _sorts_of(page) == ["b", "d"]
        client.delete_data(PAIRS, _item(partition, "d"))
        for sort in ("a", "aa", "e"):
            client.store_data(PAIRS, _item(partition, sort))
        assert _sorts(client, partition, limit=2, cursor=page.cursor) == ["e", "f", "h"]

    @needs(RANGES)
    def test_a_changed_cursor_leads_to_nothing_else(self, client: Client) -> None:
        """Stay within the bounds whatever position a caller writes into a cursor."""
        partition = fresh("forged")
        for sort in ("a/1", "b/1", "b/2", "b/3", "c/1", "c/2"):
            client.store_data(PAIRS, _item(partition, sort))
        bounds: list[dict[str, Any]] = [{"begins": "b/"}, {"after": "b/1", "before": "c/"}]
        for bounded in bounds:
            for descending in (False, True):
                order: dict[str, Any] = {"limit": 1, "descending": descending}
                cursor_ = client.list_data(PAIRS, partition, **bounded, **order).cursor
                inside = _sorts(client, partition, **bounded, **order)
                foreign = client.list_data(PAIRS, partition, **order).cursor
                while foreign is not None:
                    mixed = _with_position_of(cursor_, foreign)
                    sorts = _sorts_or_refusal(client, partition, mixed, **bounded, **order)
                    assert set(sorts) <= set(inside), (bounded, descending)
                    page = client.list_data(PAIRS, partition, **order, cursor=foreign)
                    foreign = page.cursor

    @needs(RANGES)
    def test_a_lost_list_is_not_an_empty_one(self, driver: Driver, faults: Faults) -> None:
        """Report a read without an answer as what it is."""
        call = ListItems(PAIRS, PAIR, fresh("lost"))
        with faults.lose_answers(ALL):
            result = driver.perform(call, SECONDS)
        assert result.outcome in (Outcome.AMBIGUOUS, Outcome.NOT_SENT)
        assert result.value is None


def _item(partition: str, sort: str) -> dict[str, Any]:
    return dict(zip(PAIR, (partition, sort), strict=True))


def _sorts_of(page: ItemPage) -> list[str]:
    return [record.item[PAIR[1]] for record in page.items]


def _with_position_of(cursor: str | None, foreign: str) -> str:
    """Return the cursor of one list, changed to stand where that of another does."""
    assert cursor is not None
    body, other = (urlsafe_b64decode(text_[3:] + "==") for text_ in (cursor, foreign))
    text = json.dumps([*json.loads(body)[:-1], json.loads(other)[-1]])
    return cursor[:3] + urlsafe_b64encode(text.encode()).decode()


def _sorts_or_refusal(client: Client, partition: str, cursor: str, **arguments: Any) -> list[str]:
    """Return the sort values from a cursor on; none where a service refuses it."""
    try:
        return _sorts(client, partition, cursor=cursor, **arguments)
    except InvalidRequest:
        return []


def _sorts(client: Client, partition: str, **arguments: Any) -> list[str]:
    """Return the sort values of all pages of a list."""
    sorts: list[str] = []
    cursor = arguments.pop("cursor", None)
    while True:
        page = client.list_data(PAIRS, partition, cursor=cursor, **arguments)
        assert len(page.items) <= arguments["limit"]
        sorts += _sorts_of(page)
        cursor = page.cursor
        if cursor is None:
            return sorts
