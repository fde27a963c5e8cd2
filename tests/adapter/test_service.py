"""The plan of one request and one JSON object, as most verbs of small clouds are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from leeward.adapter.classification import REJECTED
from leeward.adapter.plans import Need, Send, View
from leeward.adapter.resolver import Token
from leeward.adapter.service import (
    JSON,
    UNDECODABLE,
    Service,
    bearer,
    by_headers,
    result_of_refusal,
)
from leeward.adapter.wire import Request, Response
from leeward.calls import Result
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row

TOKEN = Token("stratus")


def refusal(response: Response, now: float) -> Result[Any]:
    return result_of_refusal(response, now, REJECTED, response.headers.get("code"), "id")


SERVICE = Service(TOKEN, refusal, "id", by_headers(bearer))


def run(status: int, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> Result[Any]:
    """Run a plan against one answer; its value is that of ``n``."""
    request = Request("POST", "https://stratus.example", "/", JSON, b"{}")
    plan = SERVICE.exchange_json(request, View(1000.0, 5.0), lambda said: int(said["n"]))
    assert next(plan) == Need(TOKEN)
    assert plan.send("t") == Send(
        request._replace(headers=(*JSON, ("Authorization", "Bearer t"))), effect=True
    )
    with pytest.raises(StopIteration) as ended:
        plan.send(Response(status, {"id": "r-1", **(headers or {})}, body))
    result: Result[Any] = ended.value.value
    return result


def test_the_value_is_taken_out_of_a_good_answer() -> None:
    """With the service's id of the request."""
    assert run(200, b'{"n": "7"}') == Result.ok(7, request_id="r-1")


@each_row("body", [b"", b"[]", b"{", b"{}", b'{"n": "x"}', b'{"n": []}'])
def test_a_good_answer_without_it_ran_and_is_lost(body: bytes) -> None:
    """Whatever is wrong with it, and with what was raised as the cause."""
    result = run(200, body)
    assert (result.outcome, result.reason, result.executed) == (
        Outcome.AMBIGUOUS,
        UNDECODABLE,
        True,
    )
    assert (result.code, result.request_id) == ("http.200", "r-1")
    assert result.cause is not None


def test_a_refusal_is_the_services() -> None:
    """By its own code, else by the status; with the wait that it asks for, if that makes sense."""
    result = run(429, headers={"code": "slow_down", "retry-after": " 3 "})
    assert result == Result(Outcome.REJECTED, code="slow_down", request_id="r-1", retry_after=3.0)
    assert run(503, headers={"retry-after": "soon"}) == Result(
        Outcome.REJECTED, code="http.503", request_id="r-1"
    )
