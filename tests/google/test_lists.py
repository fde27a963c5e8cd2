"""Lists of a partition in Firestore: by the field that keeps the order, or else by names."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from leeward import InvalidRequest
from leeward.adapter.wire import Response
from leeward.calls import Key, ListItems, Load, Store
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from leeward_google.settings.services import Tables
from leeward_google.tables.documents import fields_of, id_of
from leeward_google.tables.lists import MOST_UNORDERED, ORDER
from leeward_google.tables.plans import tables
from tests.google import oracle
from tests.google.answers import DOCUMENTS, TYPES, UPDATED
from tests.google.playing import NOW, answer, document, play, refusal

PLANS = tables(Tables("https://firestore.googleapis.com"), "shop")
FIELDS = ("customer", "order")
LIST = ListItems("orders", FIELDS, "c1")
NAMES = f"{DOCUMENTS}/orders/"


def run(call: Any, *answers: Response, **options: Any) -> Any:
    return play(PLANS[call.verb], call, *answers, **options)


def native(order: str, customer: str = "c1", *, old: bool = False) -> dict[str, Any]:
    """Give the document of an item; an old one as it was before there were lists."""
    key = Key(FIELDS, (customer, order))
    call = Store("orders", key, dict(zip(FIELDS, key.values, strict=True)), "w", NOW)
    fields = fields_of(call)
    if old:
        del fields[ORDER]
    return {"name": NAMES + id_of(key), "fields": fields, "updateTime": UPDATED}


def count(number: int, moment: str = UPDATED) -> Response:
    fields = {"count": {"integerValue": str(number)}}
    return answer([{"result": {"aggregateFields": fields}, "readTime": moment}])


def given(*natives: dict[str, Any]) -> Response:
    found: list[Any] = [{"document": each, "readTime": UPDATED} for each in natives]
    return answer(found or [{"readTime": UPDATED}])


def got(*natives: dict[str, Any], missing: tuple[str, ...] = ()) -> Response:
    return answer([{"found": each} for each in natives] + [{"missing": each} for each in missing])


def methods(played: Any) -> list[str]:
    return [request.target.rpartition(":")[2] for request in played.sent]


def orders(page: Any) -> list[str]:
    return [each.item["order"] for each in page.items]


COUNTED = (count(2), count(2))


def test_an_item_has_what_keeps_its_order() -> None:
    """16 bytes for the partition, and the sort value; other keys have no such field."""
    value = b64decode(native("a/\u00e9")["fields"][ORDER]["bytesValue"])
    other = b64decode(native("a/\u00e9", "c2")["fields"][ORDER]["bytesValue"])
    assert (value[16:], other[16:], value[:16] != other[:16]) == (b"a/\xc3\xa9",) * 2 + (True,)
    single = Store("orders", Key(("id",), ("42",)), {"id": "42"}, "w", NOW)
    assert ORDER not in fields_of(single)


def test_a_key_that_an_index_would_cut_has_none() -> None:
    """Its order would be lost without a word."""
    assert ORDER in native("x" * 1484)["fields"]
    key = Key(FIELDS, ("c1", "x" * 1485))
    assert ORDER not in fields_of(
        Store("orders", key, dict(zip(FIELDS, key.values, strict=True)), "w", NOW)
    )


def test_who_loads_an_item_does_not_see_the_field() -> None:
    """Nor does an earlier leeward: it ignores names that begin so."""
    stored = native("1")
    load = Load("orders", Key(FIELDS, ("c1", "1")))
    found = run(load, got(stored)).result.value
    assert (found.item, found.foreign) == ({"customer": "c1", "order": "1"}, False)


def test_the_first_page_counts_twice_as_of_one_moment() -> None:
    """By names and by the field; then it asks for what is between the bounds."""
    played = run(LIST._replace(low="a", high="b"), *COUNTED, given(native("a"), native("a1")))
    assert methods(played) == ["runAggregationQuery", "runAggregationQuery", "runQuery"]
    by_name, by_field, page = map(document, played.sent)
    assert "readTime" not in by_name
    assert by_field["readTime"] == UPDATED
    name = by_name["structuredAggregationQuery"]["structuredQuery"]
    assert name["startAt"]["values"] == [{"referenceValue": f"{NAMES}c1:"}]
    whole = by_field["structuredAggregationQuery"]["structuredQuery"]
    assert (whole["orderBy"], whole["startAt"] == page["structuredQuery"]["startAt"]) == (
        page["structuredQuery"]["orderBy"],
        False,
    )
    assert page["structuredQuery"]["limit"] == 10
    assert orders(played.result.value) == ["a", "a1"]
    assert played.result.value.cursor is None


def test_google_cloud_firestore_knows_every_member() -> None:
    """Of the three requests, and spells them so."""
    played = run(LIST._replace(descending=True), *COUNTED, given())
    kinds = ["RunAggregationQueryRequest"] * 2 + ["RunQueryRequest"]
    for request, kind in zip(played.sent, kinds, strict=True):
        body = {"parent": DOCUMENTS, **document(request)}
        method = "run_query" if kind == "RunQueryRequest" else "run_aggregation_query"
        message = oracle.message(oracle.message_class(TYPES, kind), body)
        assert oracle.by_leeward(request) == oracle.by_firestore(method, message)


def test_documents_without_the_field_are_found_by_their_names() -> None:
    """In order, between the bounds, and those of other partitions are none of them."""
    old, foreign = native("a b", old=True), native("a-b", old=True)
    foreign["fields"] = {"note": {"stringValue": "by hand"}}
    others = [native("0"), native("z"), native("a.", "c10")]
    call = LIST._replace(low="a", high="b", limit=2)
    answers = (count(4), count(2), given(old, foreign, native("a0"), *others))
    played = run(call, *answers, got(foreign, old))
    assert methods(played)[2:] == ["runQuery", "batchGet"]
    assert document(played.sent[2])["structuredQuery"]["select"] == {
        "fields": [{"fieldPath": "`customer`"}, {"fieldPath": "`order`"}]
    }
    assert document(played.sent[3])["documents"] == [old["name"], foreign["name"]]
    page = played.result.value
    assert [(each.item.get("order"), each.foreign) for each in page.items] == [
        ("a b", False),
        (None, True),
    ]
    assert page.cursor == "*a-b"
    again = run(
        call._replace(cursor=page.cursor), given(old, foreign, native("a0")), got(native("a0"))
    )
    assert methods(again) == ["runQuery", "batchGet"]
    assert (orders(again.result.value), again.result.value.cursor) == (["a0"], None)


def test_a_long_key_is_found_by_its_fields() -> None:
    """Its name ends with a hash, and does not say what it is."""
    long = native("x" * 1485 + "/")
    assert ORDER not in long["fields"]
    played = run(LIST, count(1), count(0), given(long), got(long))
    assert orders(played.result.value) == ["x" * 1485 + "/"]


def test_too_many_to_be_put_in_order_are_refused() -> None:
    """By name, with the remedy."""
    many = [{"name": f"{NAMES}c1:{n}", "updateTime": UPDATED} for n in range(MOST_UNORDERED + 1)]
    result = run(LIST, count(9999), count(5), given(*many)).result
    assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "unordered")
    assert "store those items again" in str(result.message)


@pytest.mark.parametrize("cursor", ["", "=", "a", "5"])
def test_a_cursor_that_no_page_has_given_is_not_sent(cursor: str) -> None:
    """The field is named."""
    with pytest.raises(InvalidRequest) as raised:
        run(LIST._replace(cursor=cursor))
    assert raised.value.field == "cursor"


@each_row(
    "body",
    [
        *([], {}, [5], [{}], [{"result": {}}], [{"result": {"aggregateFields": {}}}]),
        [{"result": {"aggregateFields": {"count": {"integerValue": "x"}}}, "readTime": UPDATED}],
        [{"result": {"aggregateFields": {"count": {"integerValue": "1"}}}}],
    ],
)
def test_a_count_that_is_none_proves_nothing(body: Any) -> None:
    """It was a look: nothing has been done."""
    result = run(LIST, answer(body)).result
    assert (result.outcome, result.reason) == (Outcome.NOT_SENT, "undecodable")


@each_row("number", [1, 2, 3, 4])
def test_a_refusal_ends_the_list(number: int) -> None:
    """Whichever request is refused."""
    old = native("a", old=True)
    answers = [count(1), count(0), given(old), got(old)][: number - 1]
    result = run(LIST, *answers, refusal("RESOURCE_EXHAUSTED", 429)).result
    assert (result.outcome, result.value) == (Outcome.REJECTED, None)


@each_row("body", [[], [{}], [{"found": {"name": "x"}}], [{"missing": "x"}], {}, [{"found": 5}]])
def test_an_answer_about_something_else_is_ambiguous(body: Any) -> None:
    """What was asked for is not answered."""
    old = native("a", old=True)
    result = run(LIST, count(1), count(0), given(old), answer(body)).result
    assert (result.outcome, result.reason) == (Outcome.AMBIGUOUS, "undecodable")
