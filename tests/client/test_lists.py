"""Lists of a partition: what is refused, whose cursor it is, and what a page gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import (
    Client,
    Config,
    HomeUnavailable,
    InvalidRequest,
    Outcome,
    PayloadTooLarge,
    TargetUnusable,
    Unsupported,
)
from leeward._operations.lists import within
from leeward.adapter import Capability
from leeward.calls import ListItems, Page, Result, Stored
from leeward.config import TableConfig, TargetName
from leeward.local import Local
from leeward.testing import FakeClock
from leeward.text import text_behind
from leeward_contract_tests.rows import each_row
from tests.scripted import Scripted

FIELDS = ("customer", "order")
TABLE = TableConfig(key=FIELDS)
CONFIG = Config(tables={"orders": TABLE, "others": TABLE, "single": TableConfig()})


def stored(order: str, expires_at: float | None = None) -> Stored:
    return Stored({"customer": "c1", "order": order}, "r", None, expires_at)


def opened(*pages: Page, config: Config = CONFIG) -> tuple[Client, Scripted]:
    target = Scripted("a", *map(Result.ok, pages))
    return Client(target, config=config, clock=FakeClock(1000.0)), target


def cursor_of(**arguments: Any) -> str:
    """Give a cursor of a list of the partition c1."""
    client, _ = opened(Page((stored(arguments.get("begins", "1")),), "own"))
    cursor = client.list_data("orders", "c1", **arguments).cursor
    assert cursor is not None
    return cursor


@each_row(
    "options, field, words",
    [
        ({"table": "single"}, "table", "set key to a partition and a sort field"),
        ({"table": 5}, "table", "must be a string"),
        ({"partition": ""}, "partition", "at least one character"),
        ({"partition": 5}, "partition", "must be a string"),
        ({"partition": "\ud800"}, "partition", "lone surrogate"),
        ({"begins": 5}, "begins", "must be a string"),
        ({"after": b"a"}, "after", "must be a string"),
        ({"before": "a\udfff"}, "before", "lone surrogate"),
        ({"before": ""}, "before", "every key"),
        ({"after": "b", "before": "a"}, "before", "leave it out"),
        ({"after": "b", "before": "b"}, "before", "leave it out"),
        ({"begins": "b", "before": "b"}, "before", "leave it out"),
        ({"begins": "b", "after": "c"}, "after", "leave one of them out"),
        ({"descending": 1}, "descending", "True or False"),
        ({"limit": 0}, "limit", "from 1 to 1000"),
        ({"limit": 1001}, "limit", "from 1 to 1000"),
        ({"limit": True}, "limit", "whole number"),
        ({"timeout": 0}, "timeout", "out of range"),
        ({"cursor": ""}, "cursor", "None for the first page"),
        ({"cursor": 5}, "cursor", "None for the first page"),
        ({"cursor": "l1."}, "cursor", "None for the first page"),
        ({"cursor": "l1.WzFd"}, "cursor", "None for the first page"),
        ({"cursor": "l1.\u00e9"}, "cursor", "None for the first page"),
        ({"cursor": "l1." + "W1tb" * 20_000}, "cursor", "None for the first page"),
    ],
)
def test_what_is_wrong_is_refused(options: dict[str, Any], field: str, words: str) -> None:
    """Before anything is sent, with the field and the remedy."""
    client, target = opened()
    arguments = {"table": "orders", "partition": "c1"} | options
    with pytest.raises(InvalidRequest) as raised:
        client.list_data(**arguments)
    assert (raised.value.field, target.calls) == (field, [])
    assert words in str(raised.value)


@pytest.mark.parametrize("field", ["partition", "begins", "after", "before"])
def test_a_bound_is_no_longer_than_a_key(field: str) -> None:
    """No key of that length can be there."""
    client, target = opened()
    arguments: dict[str, Any] = {"partition": "c1", field: "a" * 2000}
    with pytest.raises(PayloadTooLarge) as raised:
        client.list_data("orders", **arguments)
    assert (raised.value.field, target.calls) == (field, [])


def test_a_target_that_cannot_list_is_refused() -> None:
    """By its name, with the remedy."""
    client, target = opened()
    target.capabilities = frozenset(Capability) - {Capability.RANGES}
    client = Client(target, config=CONFIG)
    with pytest.raises(Unsupported, match="a does not support ranges"):
        client.list_data("orders", "c1")


@each_row(
    "options, words",
    [
        ({"table": "others"}, "of the table 'orders', and this one is of 'others'"),
        ({"partition": "c2"}, "of another partition"),
        ({"descending": True}, "in the other direction"),
        ({"begins": "a"}, "with other bounds"),
        ({"after": "a"}, "with other bounds"),
        ({"before": "z"}, "with other bounds"),
    ],
)
def test_a_cursor_is_refused_elsewhere(options: dict[str, Any], words: str) -> None:
    """And the message says why."""
    client, target = opened()
    arguments = {"table": "orders", "partition": "c1"} | options
    with pytest.raises(InvalidRequest, match=words):
        client.list_data(cursor=cursor_of(), **arguments)
    assert target.calls == []


def test_a_cursor_stays_at_its_home() -> None:
    """A table that has moved has other cursors."""
    order = (TargetName("a", None), TargetName("b", None))
    client = Client(
        [Scripted("a"), Scripted("b")], config=CONFIG._replace(order=order, data_target="b")
    )
    with pytest.raises(InvalidRequest, match="at 'a', and the home of the table is 'b' now"):
        client.list_data("orders", "c1", cursor=cursor_of())


def test_a_home_that_is_down_has_no_empty_page() -> None:
    """The error is that of a load."""
    config = CONFIG._replace(order=(TargetName("a", None),))
    away = Result[Any](Outcome.NOT_SENT, code="curl.7")
    client = Client(Scripted("a", away, away, away), config=config, clock=FakeClock())
    with pytest.raises(HomeUnavailable, match="list_items 'orders' on a"):
        client.list_data("orders", "c1")


def test_a_lost_answer_is_asked_for_again() -> None:
    """A list changes nothing, so it may be repeated."""
    lost = Result[Any](Outcome.AMBIGUOUS, code="curl.56")
    target = Scripted("a", lost, Result.ok(Page((stored("1"),))))
    page = Client(target, config=CONFIG, clock=FakeClock()).list_data("orders", "c1")
    assert [attempt.outcome for attempt in page.attempts] == [Outcome.AMBIGUOUS, Outcome.OK]
    assert [each.attempts for each in page.items] == [()]


def test_a_cursor_goes_back_to_its_driver() -> None:
    """As it came, whatever is in it; the limit may change."""
    client, target = opened(Page((), 'own "\u00e9\x00'), Page(()))
    bounds: dict[str, Any] = {"begins": "2026-", "descending": True}
    first = client.list_data("orders", "c1", **bounds)
    last = client.list_data("orders", "c1", **bounds, limit=7, cursor=first.cursor)
    expected = ListItems("orders", FIELDS, "c1", "2026-", False, "2026.", True, 100)
    assert target.calls == [expected, expected._replace(limit=7, cursor='own "\u00e9\x00')]
    assert (last.items, last.cursor) == ((), None)


def test_a_cursor_holds_no_partition_and_no_bound_in_clear() -> None:
    """They are digests."""
    cursor = cursor_of(begins="secret")
    assert cursor.isascii()
    assert cursor_of(begins="secret") == cursor
    assert len(cursor) < 200


def test_expired_items_are_left_out() -> None:
    """A page gets shorter by them, and even empty, and its cursor stays."""
    client, _ = opened(
        Page((stored("1", 999.0), stored("2", 1001.0), stored("3"))),
        Page((stored("1", 1000.0),), "own"),
    )
    page = client.list_data("orders", "c1")
    assert [each.item["order"] for each in page.items] == ["2", "3"]
    assert [each.expires_at is None for each in page.items] == [False, True]
    page = client.list_data("orders", "c1")
    assert (page.items, page.cursor is None) == ((), False)


def test_a_cursor_outlives_the_process(tmp_path: Path) -> None:
    """Another driver over the same file goes on."""
    with Client(Local(path=tmp_path / "data"), config=CONFIG) as client:
        for order in "abc":
            client.store_data("orders", {"customer": "c1", "order": order})
        cursor = client.list_data("orders", "c1", limit=1).cursor
    with Client(Local(path=tmp_path / "data"), config=CONFIG) as client:
        page = client.list_data("orders", "c1", cursor=cursor)
    assert [each.item["order"] for each in page.items] == ["b", "c"]


TEXTS = st.text(
    st.sampled_from("\x00 a\x7f\ud7ff\ue000\uffff\U00010000\U0010ffff"), min_size=1, max_size=4
)


@given(TEXTS, TEXTS)
def test_the_text_behind_a_prefix_is_the_least(prefix: str, text: str) -> None:
    """What begins so is less, and what is greater and does not begin so is not."""
    behind = text_behind(prefix)
    if behind is None:
        assert text.startswith(prefix) or text < prefix
    else:
        assert behind.encode("utf-8").decode() == behind
        assert (prefix <= text < behind) == text.startswith(prefix)


@given(TEXTS, st.one_of(st.just(""), TEXTS), st.one_of(st.just(""), TEXTS), st.none() | TEXTS)
def test_the_range_is_what_the_bounds_say(
    text: str, begins: str, after: str, before: str | None
) -> None:
    """A key belongs to the list exactly if each bound takes it."""
    call = ListItems("orders", FIELDS, "c1")
    taken = text.startswith(begins) and text > after and (before is None or text < before)
    try:
        bounded = within(call, begins, after, before)
    except InvalidRequest:
        assert not taken
    else:
        assert bounded.holds(text) == taken


@each_row("descending", [False, True])
def test_a_changed_position_stays_within_the_bounds(descending: bool) -> None:
    """A caller may write any position into a cursor; the contract tries it on each store."""
    call = ListItems("orders", ("customer", "order"), "c1", "b", high="c", descending=descending)
    assert call.following("a" if not descending else "d") == call
    left = call.following("b1")
    assert (left.holds("b0"), left.holds("b2")) == (descending, not descending)


@each_row("customer, order", [("c2", "b2"), ("c1", "c1"), ("c1", "a")])
def test_the_items_of_another_list_are_refused(customer: str, order: str) -> None:
    """Those of another partition, and beyond the bounds; what others wrote is marked."""
    found = Stored({"customer": customer, "order": order}, "r")
    client, _ = opened(Page((found,), None), Page((found._replace(foreign=True),), None))
    with pytest.raises(TargetUnusable, match="the item of another key"):
        client.list_data("orders", "c1", begins="b")
    assert client.list_data("orders", "c1", begins="b").items[0].foreign
