"""Lists of a partition in Cosmos DB: the query, its bounds, and an order that is not leeward's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import InvalidRequest
from leeward.adapter.wire import Response
from leeward.calls import Key, ListItems, Store
from leeward.errors import Outcome
from leeward_azure.settings.services import Tables
from leeward_azure.tables.documents import document_of
from leeward_azure.tables.lists import query_of
from leeward_azure.tables.plans import tables
from leeward_contract_tests.rows import each_row
from tests.azure.playing import NOW, answer, document, headers_of, play

PLANS = tables(Tables("https://shop.test", "shop"))
FIELDS = ("customer", "order")
LIST = ListItems("orders", FIELDS, "\u00dcnal")
MORE = {"x_ms_continuation": "+RID:x"}


def run(call: Any, *answers: Response) -> Any:
    return play(PLANS[call.verb], call, *answers)


def given_(*orders: str, **headers: Any) -> Response:
    """Answer with documents of these sort values."""
    natives = []
    for order in orders:
        key = Key(FIELDS, (LIST.partition, order))
        call = Store("orders", key, dict(zip(FIELDS, key.values, strict=True)), "w", NOW)
        natives.append(document_of(call) | {"_etag": '"0600b5e2-0000"'})
    return answer({"Documents": natives}, **headers)


def orders(page: Any) -> list[str]:
    return [each.item["order"] for each in page.items]


def test_a_list_is_a_query_of_one_partition() -> None:
    """With the header of the partition, in ASCII, and the order of the attribute."""
    call = LIST._replace(low="a", above=True, high="b", limit=7)
    (request,) = run(call, given_()).sent
    headers = headers_of(request)
    assert (request.method, request.target) == ("POST", "/dbs/shop/colls/orders/docs")
    assert headers["x-ms-documentdb-partitionkey"] == '["\\u00dcnal"]'
    assert headers["x-ms-max-item-count"] == "7"
    assert headers["content-type"] == "application/query+json"
    assert document(request) == {
        "query": 'SELECT * FROM c WHERE IS_STRING(c["order"]) AND c["customer"] = @p0'
        ' AND c["order"] >= @p1 AND c["order"] < @p2 ORDER BY c["order"] ASC',
        "parameters": [
            {"name": "@p0", "value": "\u00dcnal"},
            {"name": "@p1", "value": "a"},
            {"name": "@p2", "value": "b"},
        ],
    }


def test_names_of_attributes_are_quoted() -> None:
    """Whatever is in them, and `id` is `~id` in Cosmos DB."""
    call = ListItems("orders", ('a"]; b', "id"), "p", descending=True)
    query = query_of(call, "m")["query"]
    assert query.endswith('c["a\\"]; b"] = @p0 AND c["~id"] <  @p1 ORDER BY c["~id"] DESC')


def test_a_page_of_nothing_leads_on_by_the_continuation() -> None:
    """Cosmos DB ends a page by what it has read, too."""
    call = LIST._replace(cursor='["m", ""]')
    page = run(call, given_(**MORE)).result.value
    assert (page.items, page.cursor) == ((), '["m", "+RID:x"]')
    (request,) = run(LIST._replace(cursor=page.cursor), given_()).sent
    assert headers_of(request)["x-ms-continuation"] == "+RID:x"
    assert document(request) == document(run(call, given_()).sent[0])


@pytest.mark.parametrize(
    "cursor", ["", "x", "[]", '["a"]', '["a", 5]', "5", "{}", '[5, ""]', '["a", "b\\r\\nc"]']
)
def test_a_cursor_that_no_page_has_given_is_not_sent(cursor: str) -> None:
    """The field is named."""
    with pytest.raises(InvalidRequest) as raised:
        run(LIST._replace(cursor=cursor))
    assert raised.value.field == "cursor"


@each_row(
    "call, values",
    [
        (LIST, ("a\U0001f9ca", "a\ufb01")),
        (LIST._replace(descending=True), ("a\ufb01", "a\U0001f9ca")),
        (LIST, ("a", "a")),
        (LIST._replace(cursor='["b", ""]'), ("a",)),
    ],
)
def test_another_order_is_refused_by_name(call: ListItems, values: tuple[str, ...]) -> None:
    """No page of it would be in order, nor the next one behind it."""
    result = run(call, given_(*values)).result
    assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "disorder")
    assert "UTF-16" in str(result.message)


TEXTS = st.text(
    st.sampled_from("az\ud7ff\ue000\ufb01\uffff\U00010000\U0010ffff"), min_size=1, max_size=3
)


def utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


@given(TEXTS, st.none() | TEXTS, TEXTS)
def test_bounds_leave_nothing_out_in_either_order(low: str, high: str | None, text: str) -> None:
    """What is between them is between those that are sent, whichever way texts are compared."""
    call = LIST._replace(low=low, high=high)
    if not call.holds(text):
        return
    query = query_of(call, "")
    values = [each["value"] for each in query["parameters"][1:]]
    for order in (str, utf16):
        for value in values:
            is_low = f">= @p{values.index(value) + 1}" in query["query"]
            one, other = order(text), order(value)
            assert one >= other if is_low else one < other  # type: ignore[operator]


@each_row("body", [b"", b"<html>", [], {}, {"Documents": {}}, {"Documents": [5]}])
def test_a_page_that_is_none_is_ambiguous(body: Any) -> None:
    """Nothing was read."""
    assert run(LIST, answer(body)).result.outcome is Outcome.AMBIGUOUS
