from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from leeward._http.messages import Failure, Phase, Response
from leeward.calls import Delete, Key, Load, Scan, Store
from leeward.errors import InvalidRequest, Outcome
from leeward_contract_tests.rows import each_row
from leeward_google.identity.credentials import Bearer
from leeward_google.settings.services import Tables
from leeward_google.tables.plans import tables
from tests.google import oracle
from tests.google.answers import (
    DOCUMENTS,
    TYPES,
    UPDATED,
    absent,
    committed,
    page,
    stored,
    there,
)
from tests.google.playing import (
    LATER,
    NOW,
    answer,
    document,
    headers_of,
    play,
    refusal,
)

DOOR = Tables("https://firestore.googleapis.com"), "shop"
KEY = Key(("id",), ("42",))
ITEM = {"id": "42", "total": Decimal("9.90")}
NAME = f"{DOCUMENTS}/orders/42"
EARLIER = "2025-12-31T00:00:00Z"

STORE = Store("orders", KEY, ITEM, "write-1", NOW)
CREATE = STORE._replace(if_absent=True)
LEASE = CREATE._replace(expires_at=NOW + 60)
REPLACE = STORE._replace(if_revision=EARLIER)
LOAD = Load("orders", KEY)
DELETE = Delete("orders", KEY, NOW)
REMOVE = DELETE._replace(if_revision=EARLIER)
SCAN = Scan("orders")

ALL: list[Any] = [STORE, LOAD, DELETE, SCAN]
CONDITIONAL: list[Any] = [CREATE, REPLACE, REMOVE]

LOST = Failure(Phase.RECEIVE, sent=True, code="curl.56")
UNSENT = Failure(Phase.CONNECT, sent=False, code="curl.7")


def run(
    call: Any, *answers: Response | Failure, door: tuple[Tables, str] = DOOR, **options: Any
) -> Any:
    return play(tables(*door)[call.verb], call, *answers, **options)


def fields(write_id: str = "write-0", expires_at: float | None = None) -> Any:
    """Give the fields of an item that leeward has stored."""
    call = STORE._replace(write_id=write_id, expires_at=expires_at)
    return stored(run(call, committed()).sent[0])["fields"]


def methods(played: Any) -> list[str]:
    return [request.target.rpartition(":")[2] for request in played.sent]


def precondition(request: Any) -> Any:
    (write,) = document(request)["writes"]
    return write.get("currentDocument")


DONE: dict[str, Response] = {
    "store": committed(),
    "load": absent(),
    "delete": committed(None),
    "scan": page(),
}

# What goes out.


def theirs(method: str, kind: str, body: Any) -> Any:
    return oracle.by_firestore(method, oracle.message(oracle.message_class(TYPES, kind), body))


BASE = {"database": "projects/shop/databases/(default)"}


def test_google_cloud_firestore_would_send_the_same() -> None:
    """The same method, path and body, but for the way to spell them."""
    update = {"name": NAME, "fields": fields("write-1")}
    expected: list[tuple[Any, str, str, Any]] = [
        (STORE, "commit", "CommitRequest", BASE | {"writes": [{"update": update}]}),
        (LOAD, "batch_get_documents", "BatchGetDocumentsRequest", BASE | {"documents": [NAME]}),
        (DELETE, "commit", "CommitRequest", BASE | {"writes": [{"delete": NAME}]}),
        (
            SCAN._replace(cursor="41"),
            "run_query",
            "RunQueryRequest",
            {
                "parent": DOCUMENTS,
                "structuredQuery": {
                    "from": [{"collectionId": "orders"}],
                    "orderBy": [{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}],
                    "startAt": {"values": [{"referenceValue": f"{DOCUMENTS}/orders/41"}]},
                    "limit": 10,
                },
            },
        ),
    ]
    for call, method, kind, body in expected:
        (request,) = run(call, DONE[call.verb]).sent
        assert oracle.by_leeward(request) == theirs(method, kind, body)
        assert request.origin == "https://firestore.googleapis.com"
        assert headers_of(request) == {
            "content-type": "application/json",
            "authorization": "Bearer token-of-the-tests",
        }


@pytest.mark.parametrize("call", [REPLACE, REMOVE])
@each_row(
    "revision",
    {
        "another cloud's": "write-0",
        "nonsense": "x",
        "expires now": f"{NOW!r}@{EARLIER}",
        "expired": f"{NOW - 60!r}@{EARLIER}",
    },
)
def test_a_revision_that_cannot_be_there_is_a_conflict(call: Any, revision: str) -> None:
    """Nothing is sent: no document has it, or the item that has it counts as absent."""
    played = run(call._replace(if_revision=revision))
    assert (played.result.outcome, played.sent) == (Outcome.CONFLICT, [])


def test_a_request_says_who_is_charged() -> None:
    """Where the identity has no project of its own; and no repr shows the token."""
    bearer = Bearer("secret-of-the-tests", "payer")
    played = run(LOAD, absent(), credential=bearer)
    assert headers_of(played.sent[0])["x-goog-user-project"] == "payer"
    assert "secret" not in repr(bearer) + repr(played.sent)


@each_row("call", ALL + CONDITIONAL)
def test_a_table_that_is_no_collection_is_refused_before_anything_is_sent(call: Any) -> None:
    """The message names the field."""
    with pytest.raises(InvalidRequest) as raised:
        run(call._replace(table="a/b"))
    assert raised.value.field == "table"


# What comes back.


BAD = [b"", b"<html>", b"null", b"{", b"NaN", b'{"a":1,"a":2}', b"[]", b"[1]", b"{}", b"[{}]"]


@pytest.mark.parametrize("call", [STORE, LOAD, DELETE])
@each_row("body", BAD)
def test_a_success_that_cannot_be_read_is_ambiguous(call: Any, body: bytes) -> None:
    """The page of a proxy is not a receipt, and does not prove that an item is absent."""
    result = run(call, answer(body)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert (result.reason, result.value) == ("undecodable", None)


STRANGE: dict[str, list[Any]] = {
    "store": [
        {"commitTime": UPDATED}, {"commitTime": UPDATED, "writeResults": []},
        {"commitTime": UPDATED, "writeResults": [{}]},
        {"commitTime": UPDATED, "writeResults": [{"updateTime": UPDATED}] * 2},
        {"writeResults": [{"updateTime": UPDATED}]},
        {"commitTime": UPDATED, "writeResults": ["x"]},
        {"commitTime": UPDATED, "writeResults": [{"updateTime": "now"}]},
    ],
    "load": [
        [{"readTime": UPDATED}], [{"missing": f"{DOCUMENTS}/orders/43"}], [{"missing": 5}],
        [{"found": []}], [{"found": {"updateTime": UPDATED}}], [{"found": {"name": NAME}}],
        [{"missing": NAME}, {"missing": NAME}],
        [{"found": {"name": f"{DOCUMENTS}/orders/43", "updateTime": UPDATED}}],
        {"missing": NAME},
    ],
    "delete": [{"commitTime": UPDATED}, {"writeResults": [{}]}, {"commitTime": 5}],
    "scan": [
        {}, [], [5], [{"document": 5}], [{"document": {"name": NAME}}],
        [{"document": {"updateTime": UPDATED}}] * 10,
    ],
}  # fmt: skip


@each_row(
    "call, body",
    [(call, body) for call in ALL for body in STRANGE[call.verb]],
)
def test_a_success_that_says_something_else_is_ambiguous(call: Any, body: Any) -> None:
    """What was asked for is not answered."""
    result = run(call, answer(body)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert (result.reason, result.value) == ("undecodable", None)


@pytest.mark.parametrize("call", ALL)
def test_a_wait_that_is_asked_for_is_told(call: Any) -> None:
    """In a header, as seconds or a date, or in the details."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"}
    for response, seconds in [
        (refusal("RESOURCE_EXHAUSTED", 429, "", info), 2.5),
        (refusal("RESOURCE_EXHAUSTED", 429, "", info, retry_after="7"), 7.0),
        (refusal("UNAVAILABLE", 503, retry_after=LATER), 3600.0),
        (refusal("UNAVAILABLE", 503, retry_after="soon"), None),
        (refusal("UNAVAILABLE", 503, retry_after="Sat, 31 Feb 2026 01:00:00 GMT"), None),
        (refusal("UNAVAILABLE", 503, retry_after="999999"), None),
        (refusal("UNAVAILABLE", 503), None),
    ]:
        assert run(call, response).result.retry_after == seconds


UNREADABLE = [
    {"x": {"laterValue": 1}}, {"x": {}}, {"x": {"integerValue": "abc"}},
    {"x": {"stringValue": "a", "integerValue": "1"}}, {"x": {"timestampValue": "soon"}},
    {"x": {"arrayValue": 5}}, {"x": 5}, "x",
]  # fmt: skip


def in_the_raw(native: Any) -> Response:
    return answer([{"found": {"name": NAME, "fields": native, "updateTime": UPDATED}}])


@each_row("native", UNREADABLE)
def test_an_item_that_leeward_cannot_read_is_unusable(native: Any) -> None:
    """Another program, or a later Firestore, has written it; there is nothing to try again."""
    listed = answer([{"document": {"name": NAME, "fields": native, "updateTime": UPDATED}}])
    for call, response in [(LOAD, in_the_raw(native)), (SCAN, listed)]:
        result = run(call, response).result
        assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "undecodable")
        assert result.cause is not None


# Conditions that do not hold.

TAKEN = refusal("ALREADY_EXISTS", 409, f"Document already exists: {NAME}")
ANOTHER = refusal("FAILED_PRECONDITION", 400, "the stored version does not match")


def in_the_way(call: Any) -> Response:
    """Refuse a write whose condition does not hold."""
    return TAKEN if isinstance(call, Store) and call.if_absent else ANOTHER


@each_row("call", CONDITIONAL)
@pytest.mark.parametrize(
    ("word", "outcome"),
    [("NOT_FOUND", Outcome.NOT_FOUND), ("FAILED_PRECONDITION", Outcome.UNUSABLE)],
)
def test_a_database_in_the_way_is_no_conflict(call: Any, word: str, outcome: Outcome) -> None:
    """The look is refused for the reason that the write was refused for."""
    assert run(call, refusal(word, 400), refusal(word, 400)).result.outcome is outcome


@pytest.mark.parametrize("call", [CREATE, REPLACE])
def test_the_echo_of_our_own_write_is_no_conflict(call: Store) -> None:
    """An earlier attempt has written the item, and its answer was lost."""
    result = run(call, in_the_way(call), there(fields("write-1"))).result
    assert (result.outcome, result.value) == (Outcome.OK, UPDATED)
    gone = call._replace(expires_at=NOW - 1)
    answers = [there(fields("write-1", NOW - 1))]
    if not gone.if_absent:
        answers.insert(0, in_the_way(call))
    result = run(gone, *answers).result
    assert (result.outcome, result.value) == (Outcome.OK, f"{NOW - 1!r}@{UPDATED}")


@pytest.mark.parametrize("call", CONDITIONAL, ids=range(3))
@each_row(
    "look, outcome",
    [
        (LOST, Outcome.REJECTED),
        (UNSENT, Outcome.REJECTED),
        (answer(b"<html>"), Outcome.REJECTED),
        (refusal("UNAVAILABLE", 503), Outcome.REJECTED),
        (refusal("RESOURCE_EXHAUSTED", 429), Outcome.REJECTED),
        (refusal("PERMISSION_DENIED", 403), Outcome.CONFLICT),
        (refusal("INVALID_ARGUMENT", 400), Outcome.CONFLICT),
    ],
)
def test_a_look_that_fails_proves_only_that_nothing_was_written(
    call: Any, look: Any, outcome: Outcome
) -> None:
    """What another attempt could tell is worth another attempt."""
    result = run(call, in_the_way(call), look).result
    assert (result.outcome, result.executed, result.value) == (outcome, None, None)


def test_a_token_that_is_refused_in_between_is_renewed() -> None:
    """The plan begins anew; the first time has written nothing."""
    stale = refusal("UNAUTHENTICATED", 401)
    played = run(REPLACE, in_the_way(REPLACE), stale, in_the_way(REPLACE), there(fields()))
    assert played.result.outcome is Outcome.CONFLICT
    assert methods(played) == ["commit", "batchGet"] * 2


# Expired items, which Firestore leaves in the way.

FLAG = {f"expired:{DOCUMENTS}/orders": True}


def test_an_item_that_is_to_expire_is_looked_for_first() -> None:
    """Where one expires, the one before it may have expired."""
    played = run(LEASE, absent(), committed())
    assert played.result.outcome is Outcome.OK
    assert methods(played) == ["batchGet", "commit"]
    assert precondition(played.sent[1]) == {"exists": False}


def test_an_expired_item_that_is_met_is_looked_for_by_the_next_attempt() -> None:
    """Nothing was written by the one that met it, and there is nothing to wait for."""
    expired = there(fields(expires_at=NOW - 1), time=EARLIER)
    played = run(CREATE, in_the_way(CREATE), expired)
    assert (played.result.outcome, played.result.reason) == (Outcome.REJECTED, "expired_in_the_way")
    assert (played.result.retry_after, played.learnt) == (0.0, FLAG)
    again = run(CREATE, expired, committed(), learnt=played.learnt)
    assert (again.result.outcome, methods(again)) == (Outcome.OK, ["batchGet", "commit"])
    assert precondition(again.sent[1]) == {"updateTime": EARLIER}


def test_an_item_that_came_and_went_is_contention() -> None:
    """Another attempt may find the place free."""
    result = run(CREATE, in_the_way(CREATE), absent()).result
    assert (result.outcome, result.reason) == (Outcome.REJECTED, "contention")


def test_a_race_for_an_expired_item_has_a_loser() -> None:
    """Its update time is another one by now, and so is the item."""
    expired = there(fields(expires_at=NOW - 1))
    played = run(LEASE, expired, in_the_way(REPLACE), there(fields("write-2", NOW + 5)))
    assert played.result.outcome is Outcome.CONFLICT
    assert methods(played) == ["batchGet", "commit", "batchGet"]


# Pages.
