"""What goes to Stratus, and what its answers mean. Plans are tested without server and mock."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from leeward.adapter.plans import Need, Plan, Send, View
from leeward.adapter.wire import Request, Response
from leeward.calls import Call, Delete, Invoke, Key, Load, Publish, Result, Store
from leeward.envelope import BY_HANDLER, MARK, mark_of
from leeward.errors import Outcome
from leeward.values import Event
from leeward_stratus import plans
from leeward_stratus.errors import CODES
from leeward_stratus.tokens import TOKEN

ORIGIN = "https://eu.stratus.example"
KEY = Key(("id",), ("a/b",))

INVOKE = Invoke("send receipt", b'{"n": 1}', "the-key")
PUBLISH = Publish("orders", (Event("t", id="1", source="s"), Event("t", id="2", source="s")))
STORE = Store("t", KEY, {"id": "a/b"}, "w", 1.5, 60.0, if_absent=True)
LOAD = Load("t", KEY)
DELETE = Delete("t", KEY, 1.5, if_revision="7")
CALLS: list[Call] = [INVOKE, PUBLISH, STORE, LOAD, DELETE]


def begin(call: Call) -> tuple[Plan, Request]:
    """Return a plan that waits for its answer, and the request that it has made."""
    planner: Callable[..., Plan] = getattr(plans, call.verb)
    plan = planner(ORIGIN, call, View(1000.0, 5.0))
    assert next(plan) == Need(TOKEN)
    step = plan.send("the-token")
    assert isinstance(step, Send)
    assert step.effect
    return plan, step.request


def answered(call: Call, response: Response) -> Result[Any]:
    """Return how a plan ends with an answer."""
    plan, _ = begin(call)
    with pytest.raises(StopIteration) as ended:
        plan.send(response)
    result: Result[Any] = ended.value.value
    return result


@pytest.mark.parametrize(
    ("call", "target", "document"),
    [
        (INVOKE, "/functions/send%20receipt", {"n": 1}),
        (
            PUBLISH,
            "/buses/orders",
            [{"specversion": "1.0", "id": each, "source": "s", "type": "t"} for each in "12"],
        ),
        (LOAD, "/tables/t/load", {"key": "a/b"}),
        (DELETE, "/tables/t/delete", {"key": "a/b", "now": 1.5, "if_revision": "7"}),
    ],
    ids=lambda value: getattr(value, "verb", ""),
)
def test_a_call_is_one_request(call: Call, target: str, document: Any) -> None:
    """With a token, and JSON."""
    _, request = begin(call)
    assert (request.method, request.origin, request.target) == ("POST", ORIGIN, target)
    assert json.loads(request.body) == document
    assert dict(request.headers)["Authorization"] == "Bearer the-token"
    assert dict(request.headers)["Content-Type"] == "application/json"


def test_an_item_goes_with_its_conditions() -> None:
    """The document is leeward's; the expiry stands beside it, for Stratus to judge."""
    document = json.loads(begin(STORE)[1].body)
    assert document.pop("item")["id"] == "a/b"
    assert document == {
        "key": "a/b",
        "now": 1.5,
        "expires_at": 60.0,
        "if_absent": True,
        "if_revision": None,
    }


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.verb)
def test_each_error_that_stratus_documents_has_a_meaning(call: Call) -> None:
    """The same for each verb, by the header alone; a body proves nothing."""
    for code, meaning in CODES.items():
        for status in (400, 401, 404, 429, 503):
            result = answered(call, Response(status, {"stratus-error": code}, b'{"a": 1}'))
            assert (result.outcome, result.reason) == meaning


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.verb)
def test_any_other_error_proves_nothing(call: Call) -> None:
    """Of a proxy, or one that is new."""
    for status in (400, 401, 403, 404, 429, 500, 502, 503):
        stays = call is INVOKE and status in (400, 401, 403, 404)  # it may have run
        for headers in ({}, {"stratus-error": "forbidden_in_2031"}):
            result = answered(call, Response(status, headers))
            assert result.outcome is (Outcome.APP_ERROR if stays else Outcome.AMBIGUOUS)


def test_a_function_may_answer_with_any_status() -> None:
    """Behind leeward's handler the mark proves that it ran, and the body tells what it raised."""
    body = b'{"errorType": "ValueError", "errorMessage": "no such order"}'
    for status in (400, 404, 429, 500):
        mark = mark_of(INVOKE.function, INVOKE.idempotency_key) + BY_HANDLER
        result = answered(INVOKE._replace(marks=True), Response(status, {MARK: mark}, body))
        assert result.outcome is Outcome.APP_ERROR
        assert result.fault is not None
        assert (result.fault.type, result.fault.message) == ("ValueError", "no such order")


@pytest.mark.parametrize(
    ("call", "body", "value"),
    [
        (INVOKE, b'{"a": 1}', {"a": 1}),
        (PUBLISH, b"{}", (Result.ok(None), Result.ok(None))),
        (STORE, b'{"revision": "8"}', "8"),
        (LOAD, b'{"item": null}', None),
        (DELETE, b"{}", None),
    ],
    ids=lambda value: getattr(value, "verb", ""),
)
def test_a_good_answer_has_the_value(call: Call, body: bytes, value: Any) -> None:
    """With the id of the request, for a support ticket."""
    result = answered(call, Response(200, {"stratus-request": "r-1"}, body))
    assert result == Result.ok(value, request_id="r-1")


@pytest.mark.parametrize(
    ("call", "body"),
    [(INVOKE, b"<html>"), (PUBLISH, b"ok"), (STORE, b"{}"), (LOAD, b"{}"), (DELETE, b"")],
    ids=lambda value: getattr(value, "verb", ""),
)
def test_a_good_answer_that_cannot_be_read_is_lost(call: Call, body: bytes) -> None:
    """It ran; a store without a revision is not reported as one that is known.

    What a function gives without its mark may be the page of a gateway.
    """
    result = answered(call, Response(200, {}, body))
    ran = None if call is INVOKE else True
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, ran)


def test_an_item_of_another_program_that_cannot_be_read_is_unusable() -> None:
    """The answer is sound, and nobody needs to look again."""
    body = b'{"item": 1, "revision": "8"}'
    result = answered(LOAD, Response(200, {}, body))
    assert (result.outcome, result.reason) == (Outcome.UNUSABLE, "undecodable")
