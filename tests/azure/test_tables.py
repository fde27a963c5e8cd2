from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward._http.messages import Failure, Phase, Request, Response
from leeward._items.encoding import digest
from leeward.adapter.plans import CLOCK_SKEW, Learn, View
from leeward.calls import Delete, Key, Load, Result, Scan, Store
from leeward.errors import Outcome
from leeward_azure.settings.services import Tables
from leeward_azure.tables.containers import Session
from leeward_azure.tables.documents import document_of
from leeward_azure.tables.plans import tables
from leeward_contract_tests.rows import each_row
from tests.azure import oracle
from tests.azure.playing import (
    KEY,
    LATER,
    MIDNIGHT,
    NOW,
    Played,
    answer,
    headers_of,
    play,
)
from tests.azure.test_signing import DATABASES, NAMES
from tests.playing import remembered

DOOR = Tables("https://shop.test", "shop")
PLANS = tables(DOOR)

ETAG, OTHER = '"0600b5e2-0000-0000-0000-56686c3f0000"', '"0600b5e2-0000-0000-0000-5668ffff0000"'
OWNER, ANEW = "Sl8fALN4sw4=", "+9kEANVq0wA="
ITEM = {"id": "42", "total": 9}
AT = Key(("id",), ("42",))
STORE = Store("orders", AT, ITEM, "write-1", NOW)
CREATE = STORE._replace(if_absent=True)
REPLACE = STORE._replace(if_revision=ETAG)
LOAD = Load("orders", AT)
DELETE = Delete("orders", AT, NOW)
DELETE_THIS = DELETE._replace(if_revision=ETAG)
SCAN = Scan("orders")

WRITTEN = answer(b"", 201, etag=ETAG)
DELETED = answer(b"", 204)


def run(call: Any, *answers: Response | Failure, **options: Any) -> Any:
    return play(PLANS[call.verb], call, *answers, **options)


def refused(status: int, sub: int = 0, **headers: Any) -> Response:
    told = {"x_ms_substatus": str(sub)} if sub else {}
    return answer({"code": "Word", "message": "secret 42"}, status, **told, **headers)


def found(
    write_id: str = "write-0", expires_at: float | None = None, etag: str = ETAG, **headers: Any
) -> Response:
    """Answer with the document of another write."""
    call = STORE._replace(write_id=write_id, expires_at=expires_at)
    return answer(document_of(call) | {"_etag": etag, "_rid": "r", "_ts": int(NOW)}, **headers)


def methods(played: Played) -> list[str]:
    return [request.method for request in played.sent]


def ended(result: Result[Any]) -> tuple[Outcome, str | None]:
    return result.outcome, result.reason


ABSENT, LAGGING = refused(404), refused(404, 1002)
EXISTS, CHANGED = refused(409), refused(412)
GONE = Failure(Phase.RECEIVE, sent=True, code="curl.56")
UNREACHED = Failure(Phase.CONNECT, sent=False, code="curl.7")


# What goes out.


@settings(max_examples=20)
@given(DATABASES, NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_requests_are_those_of_azure_cosmos(database: str, table: str, value: str) -> None:
    """Verb, path, signature, partition, condition and body."""
    plans = tables(Tables("https://shop.test", database))
    key = Key(("id",), (value,))
    call = Store(table, key, {"id": value, "n": 1}, "write-1", NOW, NOW + 60)
    native = document_of(call)
    name = native["id"]

    def sent(verb: str, put: Any, *answers: Response) -> oracle.Sent:
        (request,) = play(plans[verb], put, *answers).sent
        ours = oracle.by_leeward(request)
        if "x-ms-documentdb-is-upsert" in ours.headers:
            ours.headers["x-ms-documentdb-is-upsert"] = "True"  # as they spell it
        return ours

    def theirs(act: Any) -> oracle.Sent:
        return oracle.by_cosmos(KEY.key, MIDNIGHT, lambda of, m: act(of(database, table), m))

    this = {"etag": ETAG, "match_condition": oracle.IF_UNCHANGED}
    unchanged = call._replace(if_revision=ETAG)
    assert sent("store", call, WRITTEN) == theirs(lambda c, _: c.upsert_item(native))
    assert sent("store", call._replace(if_absent=True), WRITTEN) == theirs(
        lambda c, _: c.create_item(native)
    )
    assert sent("store", unchanged, WRITTEN) == theirs(
        lambda c, _: c.replace_item(name, native, **this)
    )
    assert sent("load", Load(table, key), ABSENT) == theirs(lambda c, _: c.read_item(name, name))
    assert sent("delete", Delete(table, key, NOW), DELETED) == theirs(
        lambda c, _: c.delete_item(name, name)
    )
    assert sent("scan", Scan(table), answer({"Documents": []})) == theirs(
        lambda c, _: list(c.read_all_items(max_item_count=100))
    )


def test_a_write_asks_for_no_document_back() -> None:
    """It would only be thrown away."""
    for call, back in ((STORE, WRITTEN), (CREATE, WRITTEN), (REPLACE, WRITTEN)):
        assert headers_of(run(call, back).sent[0])["prefer"] == "return=minimal"


def test_reads_take_nothing_from_a_cache() -> None:
    """Between here and the account."""
    for call, back in ((LOAD, ABSENT), (SCAN, answer({"Documents": []}))):
        assert headers_of(run(call, back).sent[0])["cache-control"] == "no-cache"


# Every row of the table, for every verb.


@pytest.mark.parametrize("call", [STORE, CREATE, SCAN], ids=range(3))
def test_a_plain_404_to_what_is_not_about_an_item_is_a_missing_table(call: Any) -> None:
    """There is no item that could be absent."""
    assert ended(run(call, ABSENT).result) == (Outcome.NOT_FOUND, None)


@each_row("call", [STORE, CREATE, REPLACE, LOAD, DELETE, SCAN])
@pytest.mark.parametrize("status", [401, 403, 404, 409, 412])
def test_the_word_of_a_proxy_is_not_believed(call: Any, status: int) -> None:
    """Only an answer that bears the mark of Cosmos DB says anything."""
    page = Response(status, {"content-type": "text/html"}, b"<html>404</html>")
    assert run(call, page).result.outcome is Outcome.AMBIGUOUS


# Store.


def test_a_create_replaces_nothing() -> None:
    """Only a store without a condition goes over what is there; the others say so to Cosmos DB."""
    upserts = [
        dict(run(call, answer(b"", 201, etag=ETAG)).sent[0].headers).get(
            "x-ms-documentdb-is-upsert"
        )
        for call in (STORE, CREATE, REPLACE)
    ]
    assert upserts == ["true", None, None]


def test_the_revision_of_an_item_that_expires_tells_it() -> None:
    """The same as a later load gives."""
    call = STORE._replace(expires_at=NOW + 60)
    revision = run(call, WRITTEN).result.value
    loaded = run(LOAD, found(expires_at=NOW + 60)).result.value
    assert revision == loaded.revision == f"{NOW + 60}@{ETAG}"


@each_row(
    "back",
    [
        answer(b"", 202, etag=ETAG), answer(b"", 204, etag=ETAG), answer(), answer(b"<html>"),
        answer({}), answer([]), answer({"_etag": 5}), answer(b"", etag="*"), answer({"_etag": ""}),
    ],
)  # fmt: skip
def test_a_success_that_is_not_cosmos_dbs_is_ambiguous(back: Response) -> None:
    """It may have been stored, and nobody says so."""
    result = run(STORE, back).result
    assert (result.outcome, result.executed, result.value) == (Outcome.AMBIGUOUS, True, None)


@pytest.mark.parametrize(("call", "told"), [(CREATE, EXISTS), (REPLACE, CHANGED)], ids=range(2))
def test_a_conflict_is_looked_into(call: Store, told: Response) -> None:
    """An item of another write is a conflict; the very write, an earlier attempt's echo."""
    another = run(call, told, found())
    assert ended(another.result) == (Outcome.CONFLICT, None)
    assert methods(another) == [another.sent[0].method, "GET"]
    echo = run(call, told, found("write-1", etag=OTHER)).result
    assert (echo.outcome, echo.value) == (Outcome.OK, OTHER)


@pytest.mark.parametrize(("call", "told"), [(CREATE, EXISTS), (REPLACE, CHANGED)], ids=range(2))
@each_row("trouble", [GONE, UNREACHED, refused(429), refused(503), LAGGING])
def test_a_conflict_that_cannot_be_looked_into_is_worth_another_attempt(
    call: Store, told: Response, trouble: Response | Failure
) -> None:
    """Nothing was written, that much is known."""
    assert run(call, told, trouble).result.outcome is Outcome.REJECTED


@pytest.mark.parametrize(("call", "told"), [(CREATE, EXISTS), (REPLACE, CHANGED)], ids=range(2))
@pytest.mark.parametrize("trouble", [refused(403), refused(400)], ids=range(2))
def test_a_conflict_that_may_not_be_looked_into_is_one(
    call: Store, told: Response, trouble: Response
) -> None:
    """Another attempt would end alike."""
    assert run(call, told, trouble).result.outcome is Outcome.CONFLICT


def test_what_was_in_the_way_and_is_gone_is_not_believed() -> None:
    """A replica may lag behind, or the item have been deleted: either way, once more."""
    assert ended(run(CREATE, EXISTS, ABSENT).result) == (Outcome.REJECTED, "contention")
    assert ended(run(REPLACE, CHANGED, ABSENT).result) == (Outcome.CONFLICT, None)


def test_an_unreadable_item_is_in_the_way() -> None:
    """Whoever wrote it."""
    broken = answer({"id": "42", "_etag": ETAG, "_leeward": _forged()})
    assert run(CREATE, EXISTS, broken).result.outcome is Outcome.CONFLICT


def test_where_nothing_has_expired_plans_stop_looking() -> None:
    """The next one creates at once."""
    learnt: dict[str, Any] = {"expired:orders": True}
    played = run(CREATE, ABSENT, WRITTEN, learnt=learnt)
    assert (played.result.outcome, methods(played)) == (Outcome.OK, ["GET", "POST"])
    assert learnt == {}


LOOKING = {"expired:orders": True}


@each_row(
    "answers, outcome, reason",
    [
        ([found()], Outcome.CONFLICT, None),
        ([found(expires_at=NOW + 1)], Outcome.CONFLICT, None),
        ([found("write-1")], Outcome.OK, None),
        ([found(expires_at=NOW), CHANGED, found("write-1")], Outcome.OK, None),
        ([found(expires_at=NOW), CHANGED, found()], Outcome.CONFLICT, None),
        ([found(expires_at=NOW), ABSENT], Outcome.REJECTED, "contention"),
        ([found(expires_at=NOW), GONE], Outcome.AMBIGUOUS, "receive"),
        ([GONE], Outcome.NOT_SENT, "receive"),
        ([refused(503)], Outcome.NOT_SENT, None),
        ([answer(b"<html>")], Outcome.NOT_SENT, "undecodable"),
        ([refused(429)], Outcome.REJECTED, None),
        ([refused(404, 1003)], Outcome.NOT_FOUND, None),
    ],
)
def test_a_create_that_looks_first(
    answers: list[Response | Failure], outcome: Outcome, reason: str | None
) -> None:
    """As long as it has only looked, it has done nothing."""
    assert ended(run(CREATE, *answers, learnt=dict(LOOKING)).result) == (outcome, reason)


REVISIONS_OF_NOTHING = ["", "*", "é", '"a", "b"', f"{NOW}@{ETAG}", f"{NOW - 9}@{ETAG}", "x\r\ny"]


@each_row("revision", REVISIONS_OF_NOTHING)
@pytest.mark.parametrize("call", [REPLACE, DELETE_THIS], ids=["store", "delete"])
def test_a_revision_that_nothing_has_now_is_a_conflict_unsent(call: Any, revision: str) -> None:
    """One that has expired too, and the one that would match everything."""
    result, sent, *_ = run(call._replace(if_revision=revision))
    assert (result.outcome, sent) == (Outcome.CONFLICT, [])


@pytest.mark.parametrize(
    ("call", "back"), [(REPLACE, WRITTEN), (DELETE_THIS, DELETED)], ids=range(2)
)
def test_a_revision_that_has_not_expired_goes_out_as_the_etag(call: Any, back: Response) -> None:
    """Cosmos DB knows nothing of the rest."""
    (request,) = run(call._replace(if_revision=f"{NOW + 1}@{ETAG}"), back).sent
    assert headers_of(request)["if-match"] == ETAG


# Load and delete.


@each_row(
    "back",
    [answer(b"<html>"), answer(), answer([]), answer({}), answer({"id": "43", "_etag": ETAG}),
     answer({"id": "42"}), answer({"id": "42", "_etag": ETAG}, 206),
     answer(b'{"id":"42","id":"43"}')],
)  # fmt: skip
def test_a_document_that_was_not_asked_for_is_ambiguous(back: Response) -> None:
    """It is the page of a proxy, or another document."""
    result = run(LOAD, back).result
    assert (result.outcome, result.reason) == (Outcome.AMBIGUOUS, "undecodable")


def _forged() -> dict[str, Any]:
    """Give leeward's own attribute with a tree that is none, and a digest that fits it."""
    return {"w": "write-0", "t": "{", "d": digest("m0;", "{")}


@pytest.mark.parametrize("status", [200, 202])
def test_another_success_of_a_delete_is_ambiguous(status: int) -> None:
    """Cosmos DB ends one with 204."""
    result = run(DELETE, answer({}, status)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)


# Scan.


# Credentials and clocks.


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_clock_is_set_by_the_answer(status: int) -> None:
    """Cosmos DB takes a date that is 15 minutes off; the plan is run again by its time."""
    played = run(STORE, refused(status, date=LATER), WRITTEN)
    assert played.result.outcome is Outcome.OK
    assert played.learnt == {CLOCK_SKEW: 3600.0}
    dates = [headers_of(request)["x-ms-date"] for request in played.sent]
    assert dates == [MIDNIGHT, LATER]


# Sessions.


def seen(token: str, owner: str = OWNER) -> dict[str, Any]:
    return {"x_ms_session_token": token, "x_ms_content_path": owner}


def shown(request: Request) -> str | None:
    return headers_of(request).get("x-ms-session-token")


@pytest.mark.parametrize(
    ("call", "answers"),
    [
        (CREATE, [refused(409, **seen("0:1#5")), found()]),
        (REPLACE, [refused(412, **seen("0:1#5")), found()]),
        (LOAD, [refused(404, **seen("0:1#5"))]),
        (DELETE, [refused(404, **seen("0:1#5"))]),
    ],
    ids=range(4),
)
def test_a_conflict_tells_of_the_session_too(call: Any, answers: list[Response]) -> None:
    """So what another process has written is there when this one looks at it after the 409."""
    played = run(call, *answers)
    assert played.learnt["session:orders"] == Session(OWNER, {"0": "1#5"})
    assert all(shown(request) == "0:1#5" for request in played.sent[1:])


def test_a_replica_that_lags_behind_is_asked_again() -> None:
    """Its 404 is no absent item; and what it tells is not taken for a session."""
    learnt: dict[str, Any] = {"session:orders": Session(OWNER, {"0": "1#5"})}
    lagging = refused(404, 1002, **seen("0:1#2"))
    played = run(LOAD, lagging, answer({"_rid": OWNER}), learnt=learnt)
    assert ended(played.result) == (Outcome.REJECTED, "session_lagging")
    assert learnt == {"session:orders": Session(OWNER, {"0": "1#5"})}
    assert [request.target for request in played.sent] == [
        "/dbs/shop/colls/orders/docs/42",
        "/dbs/shop/colls/orders",
    ]


@pytest.mark.parametrize("call", [LOAD, SCAN], ids=range(2))
def test_a_container_made_anew_is_not_waited_for(call: Any) -> None:
    """It would lag behind the old one for ever."""
    learnt: dict[str, Any] = {"session:orders": Session(OWNER, {"0": "1#5"})}
    played = run(call, LAGGING, answer({"_rid": ANEW}), learnt=learnt)
    assert (played.result.outcome, learnt) == (Outcome.REJECTED, {})


def test_a_look_at_the_container_is_signed_as_azure_cosmos_signs_it() -> None:
    """For the container, not for its documents."""
    learnt: dict[str, Any] = {"session:orders": Session(OWNER, {"0": "1#5"})}
    (_, request) = run(LOAD, LAGGING, answer({"_rid": OWNER}), learnt=learnt).sent
    assert oracle.by_leeward(request) == oracle.by_cosmos(
        KEY.key, MIDNIGHT, lambda of, _: of("shop", "orders").read()
    )


def test_an_answer_of_another_container_begins_a_session_anew() -> None:
    """It has the old one's name."""
    learnt: dict[str, Any] = {"session:orders": Session(OWNER, {"0": "1#5", "1": "1#5"})}
    run(STORE, answer(b"", 201, etag=ETAG, **seen("0:1#1", ANEW)), learnt=learnt)
    assert learnt == {"session:orders": Session(ANEW, {"0": "1#1"})}


@each_row("call", [STORE, CREATE, REPLACE, DELETE, DELETE_THIS])
def test_a_region_that_takes_no_writes_any_more_is_left(call: Any) -> None:
    """Connections that are kept would lead there again; the name leads to another one."""
    played = run(call, refused(403, 3))
    assert ended(played.result) == (Outcome.REJECTED, "write_region_moved")
    assert played.dropped == ["https://shop.test"]
    assert run(call, refused(403, 0)).dropped == []


def test_what_others_have_seen_meanwhile_is_kept() -> None:
    """Two writes that end at the same time: each saw the session as it was before both."""
    learnt = remembered({})
    steps = []
    for token in ("0:1#5", "1:1#7"):
        view = View(NOW, 10.0, learnt)
        plan = PLANS["store"](STORE, view)
        next(plan)
        plan.send(KEY)
        steps.append(plan.send(answer(b"", 201, etag=ETAG, **seen(token))))
    for step in steps:
        assert isinstance(step, Learn)
        learnt.learn(step)
    assert learnt == {"session:orders": Session(OWNER, {"0": "1#5", "1": "1#7"})}


def test_a_container_that_is_gone_takes_no_other_session_with_it() -> None:
    """What was seen meanwhile of the one that took its place stays."""
    late = Session(ANEW, {"0": "1#1"})
    learnt = remembered({"session:orders": Session(OWNER, {"0": "1#5"})})
    view = View(NOW, 10.0, learnt)
    plan = PLANS["store"](STORE, view)
    next(plan)
    plan.send(KEY)
    step = plan.send(refused(404, 1003))
    assert isinstance(step, Learn)
    learnt["session:orders"] = late
    learnt.learn(step)
    assert learnt == {"session:orders": late}
