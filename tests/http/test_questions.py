"""A question what became of a call, as it goes over HTTP, and whose answers count."""

from __future__ import annotations

import json
from typing import Any

from leeward import Settled, Verdict
from leeward._http.messages import Response
from leeward.adapter.http_functions import Address, FunctionPlatform, invoke
from leeward.adapter.plans import Learn, Send, View
from leeward.calls import Result, Settle
from leeward.envelope import BY_HANDLER, MARK, QUESTION, mark_of, settle_question
from leeward.errors import Outcome
from leeward.settling import read_answer
from leeward.values import FunctionFault
from leeward_contract_tests.rows import each_row

KEY = "k-1"
CALL = Settle("pay", settle_question(KEY, 2.0, b"null"), KEY, voids=3)
PLATFORM = FunctionPlatform((), lambda _: None)
OWN = mark_of("pay", KEY)
RAN = json.dumps({"verdict": "ran", "key": KEY, "result": 1}).encode()


def ask(response: Response, *, marks: bool = False) -> tuple[Send, Result[Any]]:
    """Return the request of a question, and what its answer means."""
    call = CALL._replace(marks=marks)
    plan = invoke(PLATFORM, call, View(0.0, 5.0), Address("https://f.example", "/pay"))
    sent = next(plan)
    assert isinstance(sent, Send)
    try:
        step = plan.send(response)
        while isinstance(step, Learn):
            step = plan.send(None)
    except StopIteration as end:
        return sent, end.value
    raise AssertionError("one request is all")


def test_a_question_looks_like_no_call() -> None:
    """Its content type is not JSON's, and it leaves no time to run anything."""
    sent, _ = ask(Response(200, {MARK: OWN}, RAN))
    assert dict(sent.request.headers) == {
        "Content-Type": QUESTION,
        "Idempotency-Key": KEY,
        "x-leeward-deadline-ms": "0",
        "x-leeward-call": OWN,
        "x-leeward-voids": "3",
        "x-leeward-settle": "5000",
    }
    assert json.loads(sent.request.body) == {"settle": KEY, "age": 2.0, "payload": None}
    assert "json" not in QUESTION


@each_row(
    "headers, marks, believed",
    [
        ({MARK: OWN + BY_HANDLER}, False, True),
        ({MARK: OWN}, False, True),
        ({MARK: "1"}, True, True),
        ({MARK: "1"}, False, False),
        ({MARK: mark_of("other", KEY) + BY_HANDLER}, True, False),
        ({MARK: mark_of("pay", "k-2")}, True, False),
        ({}, True, False),
        ({}, False, False),
    ],
)
def test_an_answer_counts_with_the_mark_of_its_question(
    headers: dict[str, str], marks: bool, believed: bool
) -> None:
    """Else the function may pass on what another one has said of its own record of the key."""
    _, result = ask(Response(200, headers, RAN), marks=marks)
    settled = read_answer(KEY, result)
    assert settled is not None
    unknown = Settled(Verdict.UNKNOWN, reason="no_answer")
    assert settled == (Settled(Verdict.RAN, 1) if believed else unknown)


NOT_SUPPORTED = Settled(Verdict.UNKNOWN, reason="not_supported")
RAISED = FunctionFault("KeyError", "'id'")


@each_row(
    "result, settled",
    [
        (Result(Outcome.APP_ERROR), NOT_SUPPORTED),
        (Result(Outcome.APP_ERROR, fault=RAISED), NOT_SUPPORTED),
        (Result(Outcome.APP_ERROR, code="http.422", fault=RAISED), NOT_SUPPORTED),
        (Result(Outcome.AMBIGUOUS, code="http.415"), NOT_SUPPORTED),
        (Result(Outcome.AMBIGUOUS, code="http.501"), NOT_SUPPORTED),
        (Result(Outcome.APP_ERROR, fault=RAISED, retry_after=2.0), None),
        (Result(Outcome.APP_ERROR, reason="timed_out", fault=RAISED), None),
        (Result(Outcome.APP_ERROR, fault=RAISED._replace(ran="maybe", retryable=True)), None),
        (
            Result(Outcome.APP_ERROR, fault=RAISED._replace(ran="no", reason="deadline")),
            NOT_SUPPORTED,
        ),
        (Result(Outcome.AMBIGUOUS, code="http.503"), None),
        (Result(Outcome.NOT_SENT), None),
    ],
)
def test_a_function_that_knows_no_question_is_asked_once(
    result: Result[Any], settled: Settled | None
) -> None:
    """It may have taken the question for a call. None is asked again: it may answer later."""
    assert read_answer(KEY, result) == settled
