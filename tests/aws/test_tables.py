from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import Failure, Phase, Response
from leeward.adapter.items import encode
from leeward.calls import Delete, Key, ListItems, Load, Scan, Store, Stored
from leeward.errors import Outcome
from leeward_aws.tables.plans import tables
from leeward_aws.tables.profile import DYNAMODB
from leeward_contract_tests.rows import each_row
from tests.aws.playing import NOW, SETTINGS, answer, document, header, play, refusal
from tests.aws.serialized import by_botocore, by_leeward
from tests.items.strategies import ITEMS

PLANS = tables(SETTINGS)
KEY = Key(("id",), ("42",))
ITEM = {"id": "42", "total": Decimal("9.90")}
STORE = Store("orders", KEY, ITEM, "write-1", NOW)
LOAD = Load("orders", KEY)
DELETE = Delete("orders", KEY, NOW)
SCAN = Scan("orders")
LIST = ListItems("orders", ("a", "b"), "p")
ALL = [STORE, LOAD, DELETE, SCAN]
WRITES = [STORE, DELETE]
DONE = answer({})
CONFLICT = refusal("ConditionalCheckFailedException")


def run(call: Any, *answers: Response | Failure, **options: Any) -> Any:
    return play(PLANS[call.verb], call, *answers, **options)


def native(
    item: dict[str, Any] = ITEM, write_id: str = "write-1", expires_at: float | None = None
) -> dict[str, Any]:
    return encode(item, DYNAMODB, write_id=write_id, expires_at=expires_at)


def changed(write_id: str = "write-0") -> dict[str, Any]:
    """Give an item of leeward's that another program has updated."""
    return native(write_id=write_id) | {"total": {"N": "5"}, "tags": {"SS": ["b", "a"]}}


FOREIGN = {"id": {"S": "42"}, "n": {"N": "1"}, "raw": {"B": "AAE="}}


def revision_of(item: dict[str, Any]) -> str:
    found: Stored = run(LOAD, answer({"Item": item})).result.value
    return found.revision


def parameters(value: Any) -> Any:
    """Give the JSON of a request as botocore takes it: binary as bytes."""
    if isinstance(value, list):
        return [parameters(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"B"} and isinstance(value["B"], str):
        return {"B": base64.b64decode(value["B"], validate=True)}
    return {name: parameters(inner) for name, inner in value.items()}


OPERATIONS = {
    "store": "PutItem",
    "load": "GetItem",
    "delete": "DeleteItem",
    "scan": "Scan",
    "list_items": "Query",
}

# What goes out.

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
KEYS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=2, unique_by=lambda pair: pair[0]).map(
    lambda pairs: Key(*map(tuple, zip(*pairs, strict=True)))
)
TIMES = st.floats(1.0, 4e9)
REVISIONS = st.none() | TEXT.filter(lambda text: not text.startswith("foreign:"))


def keyed(item: dict[str, Any], key: Key) -> dict[str, Any]:
    return {**item, **dict(zip(key.fields, key.values, strict=True))}


STORES = st.builds(
    lambda item, key, absent, revision, now, expires: Store(
        "orders", key, keyed(item, key), "write-1", now, expires, absent,
        None if absent else revision,
    ),
    ITEMS, KEYS, st.booleans(), REVISIONS, TIMES, st.none() | TIMES,
)  # fmt: skip
DELETES = st.builds(Delete, st.just("orders"), KEYS, TIMES, REVISIONS)
CURSORS = st.none() | KEYS.map(
    lambda key: json.dumps({field: {"S": value} for field, value in zip(*key, strict=True)})
)


BOUNDS = st.one_of(st.tuples(st.just(""), st.just(False)), st.tuples(TEXT, st.booleans())).flatmap(
    lambda low: st.tuples(st.just(low), st.none() | TEXT.filter(lambda high: high > low[0]))
)
LISTS = st.builds(
    lambda key, bounds, descending, limit: ListItems(
        "orders", ("a", "b"), key, bounds[0][0], bounds[0][1], bounds[1], descending, limit
    ),
    TEXT, BOUNDS, st.booleans(), st.integers(1, 1000),
)  # fmt: skip


@given(LISTS)
def test_a_list_is_one_condition_and_a_start_that_satisfies_it(call: ListItems) -> None:
    """As `Query` wants it, and whatever lies between the bounds is in what is asked for."""
    (request,) = run(call, answer({"Items": []})).sent
    body = document(request)
    values = {name: value["S"] for name, value in body["ExpressionAttributeValues"].items()}
    _, _, condition = body["KeyConditionExpression"].partition(" AND ")
    low, high = values.get(":low", ""), values.get(":high")
    assert high is None or low < high
    assert condition.count("#s") <= 1
    start = body.get("ExclusiveStartKey", {}).get("b", {}).get("S")
    assert start in (None, call.low, call.high)
    if start is not None and condition:
        assert start > low if ">" in condition else start < (high or "")
    assert body["ConsistentRead"] is True
    assert body["ScanIndexForward"] is not call.descending


@pytest.mark.parametrize(
    ("call", "last", "cursor"),
    [
        (LIST, None, None),
        (LIST, "m", "m"),
        (LIST._replace(high="m\x00"), "m", "m"),
        (LIST._replace(low="k", high="m"), "m", None),
        (LIST._replace(low="m", descending=True), "m", None),
        (LIST._replace(low="l", above=True, descending=True), "m", "m"),
    ],
)
def test_a_list_ends_where_no_start_is_left(
    call: ListItems, last: str | None, cursor: str | None
) -> None:
    """DynamoDB may end a page with the last item; behind it no start key is taken."""
    told = {} if last is None else {"LastEvaluatedKey": {"a": {"S": "p"}, "b": {"S": last}}}
    page = run(call, answer({"Items": [], **told})).result.value
    assert (page.items, page.cursor) == ((), cursor)


@each_row("last", [5, {"a": {"S": "p"}}, {"b": 5}, {"b": {"N": "5"}}])
def test_a_strange_last_key_of_a_list_is_ambiguous(last: Any) -> None:
    """Nothing is known of what is left."""
    result = run(LIST, answer({"Items": [], "LastEvaluatedKey": last})).result
    assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)


@given(STORES | DELETES | LISTS | st.builds(Load, st.just("orders"), KEYS) | st.builds(
    Scan, st.just("orders"), CURSORS, st.none() | st.integers(1, 1000)))  # fmt: skip
def test_botocore_would_send_the_same(call: Any) -> None:
    """The service's model knows every member, and spells it so."""
    (request,) = run(call, answer({"Items": []})).sent
    theirs = by_botocore("dynamodb", OPERATIONS[call.verb], parameters(document(request)))
    assert by_leeward("dynamodb", request) == theirs
    assert request.origin == SETTINGS.endpoints["dynamodb"]
    assert "/eu-west-1/dynamodb/aws4_request" in header(request, "Authorization")


def test_an_expiry_is_told_to_dynamodb() -> None:
    """In whole seconds, rounded up, in the attribute that a table's time to live looks at."""
    (request,) = run(STORE._replace(expires_at=NOW + 0.5), DONE).sent
    item = document(request)["Item"]
    assert item["_leeward_expires"] == {"N": str(int(NOW) + 3601)}
    assert item["_leeward"]["M"]["e"] == {"N": f"{NOW:.0f}.5"}


def test_if_absent_takes_the_expired_for_absent() -> None:
    """The condition looks for the key, or for an expiry that is over."""
    call = STORE._replace(if_absent=True, key=Key(("~a", "b"), ("1", "2")))
    body = document(run(call, DONE).sent[0])
    assert body["ConditionExpression"] == "attribute_not_exists(#k) OR #l.#e <= :now"
    assert body["ExpressionAttributeNames"] == {"#k": "~~a", "#l": "_leeward", "#e": "e"}
    assert body["ExpressionAttributeValues"] == {":now": {"N": f"{NOW:.0f}"}}
    assert body["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


@pytest.mark.parametrize("call", [STORE._replace(if_revision="w-0"), DELETE._replace(
    if_revision="w-0")])  # fmt: skip
def test_if_revision_takes_the_expired_for_absent(call: Any) -> None:
    """The condition looks for the write id, in an item whose time has not come."""
    body = document(run(call, DONE).sent[0])
    assert body["ConditionExpression"] == (
        "#l.#w = :w AND (attribute_not_exists(#l.#e) OR #l.#e > :now)"
    )
    assert body["ExpressionAttributeNames"] == {"#l": "_leeward", "#w": "w", "#e": "e"}
    assert body["ExpressionAttributeValues"] == {
        ":w": {"S": "w-0"},
        ":now": {"N": f"{NOW:.0f}"},
    }


def test_reads_are_strong() -> None:
    """An item that was just written is there."""
    for call in (LOAD, SCAN, LIST):
        assert document(run(call, answer({"Items": []})).sent[0])["ConsistentRead"] is True


# What comes back.


@pytest.mark.parametrize("call", ALL)
@each_row("body", [b"", b"<html>", b"[]", b"null", b"{", b"NaN", b'{"a":1,"a":2}'])
def test_a_success_that_cannot_be_read_is_ambiguous(call: Any, body: bytes) -> None:
    """The page of a proxy is not a receipt, and does not prove that an item is absent."""
    result = run(call, answer(body)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert (result.reason, result.value) == ("undecodable", None)


@pytest.mark.parametrize("item", [[], "x", 5, True])
def test_an_answer_with_a_strange_item_is_ambiguous(item: Any) -> None:
    """An item is an object."""
    assert run(LOAD, answer({"Item": item})).result.outcome is Outcome.AMBIGUOUS


def summed(body: bytes, *, damage: int = 0, status: int = 200) -> Response:
    return answer(body, status, x_amz_crc32=str(crc32(body) ^ damage))


@pytest.mark.parametrize("call", ALL)
def test_a_checksum_is_checked(call: Any) -> None:
    """A body that does not fit it proves nothing, but that the request was carried out."""
    body = json.dumps({"Items": []} if call is SCAN else {}).encode()
    assert run(call, summed(body)).result.outcome is Outcome.OK
    result = run(call, summed(body, damage=1)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert (result.reason, result.value) == ("damaged", None)
    assert run(call, answer(body, x_amz_crc32="x")).result.outcome is Outcome.AMBIGUOUS


def test_a_damaged_refusal_is_no_proof() -> None:
    """A refusal is believed only if it is whole."""
    body = b'{"__type":"ThrottlingException"}'
    assert run(STORE, summed(body, status=400)).result.outcome is Outcome.REJECTED
    result = run(STORE, summed(body, damage=1, status=400)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, None)


def test_a_checksum_of_a_packed_body_is_left_alone() -> None:
    """It is of the bytes on the wire, which are unpacked by now."""
    packed = answer(b"{}", x_amz_crc32="1", content_encoding="gzip")
    assert run(LOAD, packed).result.outcome is Outcome.OK


def test_an_item_that_is_too_large_is_called_so() -> None:
    """DynamoDB tells it in words alone."""
    body = {
        "__type": "com.amazon.coral.validate#ValidationException",
        "message": "Item size has exceeded the maximum allowed size",
    }
    result = run(STORE, answer(body, 400)).result
    assert (result.outcome, result.reason) == (Outcome.CALLER, "payload_too_large")


# The echo of an earlier attempt.


def in_the_way(item: Any) -> Response:
    return answer(
        {"__type": "x#ConditionalCheckFailedException", "message": "x", "Item": item}, 400
    )


CONDITIONAL = [STORE._replace(if_absent=True), STORE._replace(if_revision="write-0")]


@pytest.mark.parametrize("call", CONDITIONAL)
def test_the_echo_of_our_own_write_is_no_conflict(call: Store) -> None:
    """An earlier attempt has written the item, and its answer was lost."""
    result = run(call, in_the_way(native())).result
    assert (result.outcome, result.value) == (Outcome.OK, "write-1")
    result = run(call, in_the_way(changed("write-1"))).result
    assert (result.outcome, result.value) == (Outcome.OK, "write-1")


# Items of other programs.


@pytest.mark.parametrize("item", [FOREIGN, changed()], ids=["stranger", "changed"])
def test_a_foreign_item_has_a_revision(item: dict[str, Any]) -> None:
    """It changes with anything in the item, and not with the order that a set comes in."""
    found = run(LOAD, answer({"Item": item})).result.value
    assert found.foreign
    assert found.revision.startswith("foreign:")
    assert found.write_id == ("write-0" if "_leeward" in item else None)
    again = {name: item[name] for name in sorted(item, reverse=True)}
    if "tags" in again:
        again["tags"] = {"SS": ["a", "b"]}
    assert revision_of(again) == found.revision
    assert revision_of(item | {"new": {"NULL": True}}) != found.revision
    assert revision_of(item | {"_leeward_expires": {"N": "5"}}) != found.revision


@pytest.mark.parametrize("call", WRITES)
@pytest.mark.parametrize("item", [FOREIGN, changed()], ids=["stranger", "changed"])
def test_a_foreign_revision_is_read_before_it_is_written(call: Any, item: dict[str, Any]) -> None:
    """The write is bound to every attribute that was read, leeward's own first."""
    played = run(call._replace(if_revision=revision_of(item)), answer({"Item": item}), DONE)
    assert played.result.outcome is Outcome.OK
    looked, written = played.sent
    assert header(looked, "X-Amz-Target").endswith(".GetItem")
    assert document(looked)["ConsistentRead"] is True
    body = document(written)
    terms = body["ConditionExpression"].split(" AND ")
    names, values = body["ExpressionAttributeNames"], body["ExpressionAttributeValues"]
    assert {names[f"#n{n}"]: values[f":v{n}"] for n in range(len(names)) if f":v{n}" in values} == (
        item
    )
    assert names["#n0"] == "_leeward"
    first = "#n0 = :v0" if "_leeward" in item else "attribute_not_exists(#n0)"
    assert terms == [first, *(f"#n{n} = :v{n}" for n in range(1, len(names)))]
    theirs = by_botocore("dynamodb", OPERATIONS[call.verb], parameters(body))
    assert by_leeward("dynamodb", written) == theirs


@pytest.mark.parametrize("call", WRITES)
@each_row(
    "now_there",
    {
        "gone": None,
        "changed": FOREIGN | {"n": {"N": "2"}},
        "reduced": {"id": {"S": "42"}},
        "leeward's": native(write_id="w-9"),
    },
)
def test_a_foreign_item_that_has_changed_is_a_conflict(call: Any, now_there: Any) -> None:
    """Nothing is written then."""
    there = {} if now_there is None else {"Item": now_there}
    played = run(call._replace(if_revision=revision_of(FOREIGN)), answer(there))
    assert (played.result.outcome, len(played.sent)) == (Outcome.CONFLICT, 1)


@pytest.mark.parametrize("call", WRITES)
def test_a_foreign_item_that_has_expired_is_a_conflict(call: Any) -> None:
    """It counts as absent, and a condition on nothing does not hold."""
    item = native(write_id="write-0", expires_at=NOW) | {"n": {"N": "1"}}
    call = call._replace(if_revision=revision_of(item))
    assert run(call, answer({"Item": item})).result.outcome is Outcome.CONFLICT
    earlier = call._replace(now=NOW - 1)
    assert run(earlier, answer({"Item": item}), DONE).result.outcome is Outcome.OK


@each_row(
    "trouble, outcome",
    [
        (Failure(Phase.CONNECT, sent=False, code="curl.7"), Outcome.NOT_SENT),
        (Failure(Phase.RECEIVE, sent=True, code="curl.56"), Outcome.NOT_SENT),
        (Failure(Phase.REFUSED_HERE, sent=False, code="bulkhead"), Outcome.LOCAL),
        (refusal("InternalServerError", 500), Outcome.NOT_SENT),
        (answer(b"<html>", 200), Outcome.NOT_SENT),
        (summed(b"{}", damage=1), Outcome.NOT_SENT),
        (refusal("ThrottlingException"), Outcome.REJECTED),
        (refusal("AccessDeniedException"), Outcome.AUTH),
        (refusal("ResourceNotFoundException"), Outcome.NOT_FOUND),
        (answer({"Item": {"id": {"X": 1}}}), Outcome.UNUSABLE),
    ],
)
def test_a_look_up_that_fails_has_written_nothing(trouble: Any, outcome: Outcome) -> None:
    """Whatever became of it, the write was not sent."""
    revision = revision_of(FOREIGN)
    for call in (STORE._replace(if_revision=revision), DELETE._replace(if_revision=revision)):
        result = run(call, trouble).result
        assert (result.outcome, result.executed) == (outcome, None)


# Pages.
