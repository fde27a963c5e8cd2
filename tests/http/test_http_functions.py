"""Whose an answer is: every status, said by everybody, with and without the mark."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.adapter.http_functions import (
    UNPROVED,
    Address,
    Platform,
    Proof,
    Who,
    by_token,
    invoke,
    outcome_of,
)
from leeward.adapter.plans import Need, Send, View
from leeward.adapter.resolver import FunctionAddress
from leeward.calls import Invoke, Result
from leeward.envelope import MARK, request_headers
from leeward.errors import Outcome
from leeward.http.messages import Request, Response
from leeward_azure.functions.plans import PROOFS as AZURE
from leeward_contract_tests.rows import each_row
from leeward_google.functions.plans import PROOFS as GOOGLE

PLATFORMS = {"azure": AZURE, "google": GOOGLE}
STATUSES = [status for status in range(300, 600) if status < 512 or status % 20 == 0]
GATEWAYS = {408, 413, 425, 429, 502, 503, 504}
JSON: dict[str, Any] = {"headers": {"content-type": "application/json"}, "body": b'{"a":1}'}
PAGE: dict[str, Any] = {"headers": {"content-type": "text/html"}, "body": b"<html>no</html>"}
EMPTY: dict[str, Any] = {"headers": {"content-type": "text/plain"}, "body": b""}


def shown_by(proof: Proof, status: int) -> Response:
    """Make an answer that bears a proof."""
    headers = {} if proof.bare else {"content-type": "text/html"}
    if proof.header is not None:
        headers[proof.header[0]] = proof.header[1].title() or "Bearer"
    return Response(status, headers, proof.whole or proof.text or b"")


@pytest.mark.parametrize("platform", PLATFORMS)
@each_row("answer", {"json": JSON, "page": PAGE, "empty": EMPTY})
def test_a_marked_answer_is_the_handlers(platform: str, answer: dict[str, Any]) -> None:
    """Whatever its status, and whatever else it looks like: the function ran."""
    for status in STATUSES:
        marked = Response(status, answer["headers"] | {MARK: "1"}, answer["body"])
        assert outcome_of(marked, PLATFORMS[platform]) == (Who.HANDLER, (Outcome.APP_ERROR, None))
    for proof in PLATFORMS[platform]:
        for status in proof.statuses:
            shown = shown_by(proof, status)
            marked = Response(status, {**shown.headers, MARK: "1"}, shown.body)
            assert outcome_of(marked, PLATFORMS[platform])[0] is Who.HANDLER


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_the_platform_proves(platform: str) -> None:
    """Each of its proofs tells that the function did not run, or that it raised."""
    for proof in PLATFORMS[platform]:
        for status in proof.statuses:
            who, meaning = outcome_of(shown_by(proof, status), PLATFORMS[platform])
            assert who is Who.PLATFORM
            assert meaning.outcome is not Outcome.AMBIGUOUS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_json_is_the_functions_own(platform: str) -> None:
    """It ran, whatever its status says; but gateways have JSON of their own for some."""
    for status in STATUSES:
        who, meaning = outcome_of(Response(status, **JSON), PLATFORMS[platform])
        if status in GATEWAYS:
            assert (who, meaning.outcome) in {
                (Who.NOBODY_KNOWS, Outcome.AMBIGUOUS),
                (Who.NOBODY_KNOWS, UNPROVED.get(status, (None, None))[0]),
            }
        else:
            assert (who, meaning) == (Who.FUNCTION, (Outcome.APP_ERROR, None))


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("answer", [PAGE, EMPTY], ids=["page", "empty"])
def test_without_a_proof_nothing_is_said_not_to_have_run(
    platform: str, answer: dict[str, Any]
) -> None:
    """But that a request is too large: nobody takes that in."""
    for status in STATUSES:
        who, meaning = outcome_of(Response(status, **answer), PLATFORMS[platform])
        if status < 400:
            assert (who, meaning) == (Who.FUNCTION, (Outcome.APP_ERROR, None))
        else:
            assert who is Who.NOBODY_KNOWS
            assert status == 413 or meaning.outcome in {Outcome.AMBIGUOUS, Outcome.APP_ERROR}


def test_a_header_may_prove_by_its_beginning_or_as_a_whole() -> None:
    """In either case of letters; an unknown code that begins like a known one proves nothing."""
    begins = Proof(frozenset({403}), header=("code", "denied"))
    whole = Proof(frozenset({403}), header_is=("code", "denied"))
    for value, found in {"Denied": (True, True), "denied_now": (True, False)}.items():
        response = Response(403, {"code": value})
        assert (begins.holds(response), whole.holds(response)) == found
    assert not begins.holds(Response(403))
    assert not whole.holds(Response(403))


def test_an_adapter_may_know_the_address() -> None:
    """Then nothing is looked up; and what the platform says is read as HTTP has it."""
    platform = Platform((Proof(frozenset({429})),), lambda response: response.headers.get("id"))
    address = Address("https://f.example", "/double", "t")
    plan = invoke(platform, Invoke("double", b"21", "the-key"), View(0.0, 5.0), address)
    step = next(plan)
    assert isinstance(step, Send)
    assert step.request == Request(
        "POST",
        "https://f.example",
        "/double",
        (
            ("Content-Type", "application/json"),
            *request_headers("the-key", 5.0),
            ("Authorization", "Bearer t"),
        ),
        b"21",
    )
    with pytest.raises(StopIteration) as ended:
        plan.send(Response(429, {"id": "r-1", "retry-after": "2"}))
    assert ended.value.value == Result(
        Outcome.REJECTED, code="http.429", request_id="r-1", retry_after=2.0
    )
    assert "Bearer" not in repr(address)
    assert by_token(address._replace(token=None)) == ()


def test_an_address_that_is_not_known_is_needed() -> None:
    """The adapter's source gives it."""
    plan = invoke(Platform((), lambda _: None), Invoke("f", b"1", "k"), View(0.0, 5.0))
    assert next(plan) == Need(FunctionAddress("f"))
