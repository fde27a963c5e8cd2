"""Whose an answer is that has not the mark of its call: every status, said by everybody.

What a function passes on, and what its mark decides, stands in `tests.http.test_relays`.
"""

from __future__ import annotations

from typing import Any

import pytest

from leeward._http.messages import Request, Response
from leeward.adapter.classification import AUTH, NOT_FOUND, REJECTED, TOO_LARGE
from leeward.adapter.http_functions import (
    Address,
    FunctionPlatform,
    Proof,
    by_token,
    invoke,
    outcome_of,
)
from leeward.adapter.plans import Need, Send, View
from leeward.adapter.resolver import FunctionAddress
from leeward.calls import Invoke, Result
from leeward.envelope import MARK, mark_of, request_headers
from leeward.errors import Outcome
from leeward_azure.functions.plans import PROOFS as AZURE
from leeward_contract_tests.rows import each_row
from leeward_google.functions.plans import PROOFS as GOOGLE

PLATFORMS = {"azure": AZURE, "google": GOOGLE}
STATUSES = [status for status in range(300, 600) if status < 512 or status % 20 == 0]
LATER = {408, 425, 429}
JSON: dict[str, Any] = {"headers": {"content-type": "application/json"}, "body": b'{"a":1}'}
PAGE: dict[str, Any] = {"headers": {"content-type": "text/html"}, "body": b"<html>no</html>"}
EMPTY: dict[str, Any] = {"headers": {"content-type": "text/plain"}, "body": b""}
UNKNOWN = (Outcome.AMBIGUOUS, "unmarked")
REFUSED = (Outcome.APP_ERROR, "unmarked_refusal")


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("answer", [JSON, PAGE, EMPTY], ids=["json", "page", "empty"])
@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("mark", [{}, {MARK: "1"}, {MARK: "0123456789abcdef;handler"}])
def test_without_a_proof_nobody_knows(
    platform: str, answer: dict[str, Any], marks: bool, mark: dict[str, str]
) -> None:
    """Neither that it ran, nor that it did not; what refuses this request alone stays."""
    for status in STATUSES:
        response = Response(status, answer["headers"] | mark, answer["body"])
        found = outcome_of(response, PLATFORMS[platform], marks=marks)
        assert found == (UNKNOWN if not mark and (status >= 500 or status in LATER) else REFUSED)


def test_what_no_function_can_say_is_proof_of_every_function() -> None:
    """An adapter says so of a header that its platform lets no function set."""
    proof = Proof(frozenset({503}), REJECTED, header=("nimbus-error", "busy"), by_anyone=True)
    response = Response(503, {"nimbus-error": "busy"})
    assert outcome_of(response, (proof,), marks=False) == REJECTED
    passed_on = Response(503, {"nimbus-error": "busy", MARK: "1"})
    assert outcome_of(passed_on, (proof,), marks=True) == REFUSED
    unsure = proof._replace(by_anyone=False)
    assert outcome_of(response, (unsure,), marks=True) == REJECTED
    assert outcome_of(response, (unsure,), marks=False) == UNKNOWN
    for meaning in (AUTH, NOT_FOUND, TOO_LARGE):
        refusing = unsure._replace(meaning=meaning)
        assert outcome_of(response, (refusing,), marks=False) == REFUSED


@each_row(
    "body, holds",
    [
        (b"<html><body><h1>Busy now</h1></body></html>", True),
        (b"\n <HTML><H1>\n  Busy, ask later.</H1></HTML>\n", True),
        (b"<html><body><p>upstream: Busy</p></body></html>", False),
        (b"busy", False),
        (b'{"page": "<h1>busy</h1>"}', False),
        (b"<h1>busy</h1> is what it said", False),
    ],
)
def test_a_page_is_whole_and_its_text_at_its_place(body: bytes, holds: bool) -> None:
    """It begins an element of a page that is HTML from its first byte to its last."""
    proof = Proof(frozenset({503}), REJECTED, page=b">busy")
    assert proof.holds(Response(503, {"content-type": "text/html"}, body)) is holds
    assert not proof.holds(Response(503, {"content-type": "application/json"}, body))


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
    platform = FunctionPlatform(
        (Proof(frozenset({429})),), lambda response: response.headers.get("id")
    )
    address = Address("https://f.example", "/double", "t")
    plan = invoke(platform, Invoke("double", b"21", "the-key", marks=True), View(0.0, 5.0), address)
    step = next(plan)
    assert isinstance(step, Send)
    assert step.request == Request(
        "POST",
        "https://f.example",
        "/double",
        (
            ("Content-Type", "application/json"),
            *request_headers("the-key", 5.0, None, mark_of("double", "the-key")),
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
    plan = invoke(FunctionPlatform((), lambda _: None), Invoke("f", b"1", "k"), View(0.0, 5.0))
    assert next(plan) == Need(FunctionAddress("f"))
