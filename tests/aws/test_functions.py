from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import Failure, Response
from leeward.adapter.plans import CLOCK_SKEW
from leeward.calls import Enqueue, FunctionFault, Invoke, Look, LookResult, Result
from leeward.calls.looks import BACKLOG, QUEUE
from leeward.envelope import mark_of, seal, seal_failure, seal_refusal
from leeward.errors import InvalidRequest, Outcome
from leeward_aws.functions.plans import functions
from leeward_aws.looks import looks
from leeward_contract_tests.rows import each_row
from tests.aws.playing import (
    LATER,
    SETTINGS,
    answer,
    header,
    play,
    refusal,
)
from tests.aws.serialized import by_botocore, by_leeward

PLANS = functions(SETTINGS)
CALL = Invoke("send-receipt", b'{"order":"42"}', "key-1")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
QUEUED = Enqueue("send-receipt", b'{"order":"42"}', "key-1")


def invoke(*answers: Response | Failure, **options: Any) -> Any:
    return play(PLANS["invoke"], CALL, *answers, **options)


def enqueue(*answers: Response | Failure, **options: Any) -> Any:
    return play(PLANS["enqueue"], QUEUED, *answers, **options)


def fault(document: Any, kind: str = "Unhandled") -> Any:
    return invoke(answer(document, x_amz_function_error=kind)).result


# What goes out.

_PART = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
_ALIAS = st.just("") | st.builds(":{}".format, _PART | st.just("$LATEST"))
FUNCTIONS = st.builds(
    "{}{}{}".format,
    st.sampled_from(
        [
            "",
            "function:",
            "123456789012:function:",
            "arn:aws:lambda:eu-west-1:123456789012:function:",
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:",
        ]
    ),
    _PART,
    _ALIAS,
)
ODD = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)
PAYLOADS = st.binary(max_size=50)
IDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=255)


@given(FUNCTIONS | ODD.filter(lambda name: name not in (".", "..")), PAYLOADS, IDS)
def test_invoke_sends_what_botocore_would(function: str, payload: bytes, key: str) -> None:
    """Path, headers and body are the same, for names, ARNs and odd characters alike."""
    played = play(PLANS["invoke"], Invoke(function, payload, key), answer(None))
    ours = by_leeward("lambda", played.sent[0])
    assert ours.headers.pop("content-type") == "application/json"
    parameters = {
        "FunctionName": function,
        "InvocationType": "RequestResponse",
        "ClientContext": ours.headers["x-amz-client-context"],
        "Payload": payload,
    }
    assert ours == by_botocore("lambda", "Invoke", parameters)


@given(FUNCTIONS, PAYLOADS)
def test_enqueue_sends_what_botocore_would(function: str, payload: bytes) -> None:
    """The same, and no client context, which Lambda drops for a queued call."""
    played = play(PLANS["enqueue"], Enqueue(function, payload, "key"), answer(b"", 202))
    ours = by_leeward("lambda", played.sent[0])
    assert ours.headers.pop("content-type") == "application/json"
    parameters = {"FunctionName": function, "InvocationType": "Event", "Payload": payload}
    assert ours == by_botocore("lambda", "Invoke", parameters)


@given(IDS, st.floats(0, 86_400))
def test_the_key_and_the_deadline_go_with_a_call(key: str, seconds: float) -> None:
    """The function finds both as strings, and however long they are, Lambda takes them."""
    played = play(PLANS["invoke"], CALL._replace(idempotency_key=key), answer(1), timeout=seconds)
    context = header(played.sent[0], "X-Amz-Client-Context")
    custom = json.loads(base64.b64decode(context, validate=True))["custom"]
    assert custom["idempotency-key"] == key
    assert int(custom["x-leeward-deadline-ms"]) <= seconds * 1000
    assert set(custom) == {"idempotency-key", "x-leeward-deadline-ms", "x-leeward-envelope"}
    assert len(context) <= 3583


@pytest.mark.parametrize("function", [".", ".."])
def test_a_name_that_is_a_step_in_a_path_is_refused(function: str) -> None:
    """Before anything is sent: it would lead to another resource."""
    for call in (CALL._replace(function=function), QUEUED._replace(function=function)):
        with pytest.raises(InvalidRequest) as raised:
            play(PLANS[call.verb], call)
        assert raised.value.field == "function"


# What comes back.


def test_an_envelope_is_opened() -> None:
    """It tells of keys what a header would, that a repeat was refused, and how a call failed."""
    mark = mark_of("send-receipt", "key-1")
    found = [invoke(answer(seal([1], dedup, mark))).result for dedup in ("group", None)]
    assert [(each.outcome, each.value, each.dedup) for each in found] == [
        (Outcome.OK, [1], "group"),
        (Outcome.OK, [1], "none"),
    ]
    told = {"errorType": "RepeatRefused", "reason": "running", "errorMessage": "an earlier call"}
    result = invoke(answer(seal_refusal("target", told, 2.5, mark))).result
    assert (result.outcome, result.reason, result.retry_after, result.dedup) == (
        Outcome.AMBIGUOUS,
        "running",
        2.5,
        "target",
    )
    assert (result.fault.type, result.request_id) == ("RepeatRefused", "request-1")
    odd = seal_refusal("target", {**told, "errorType": "Problem"}, None, mark)
    assert invoke(answer(odd)).result.outcome is Outcome.AMBIGUOUS
    told = {"errorType": "Problem", "errorMessage": "sold out", "reason": "sold_out", "ran": "no"}
    text = json.dumps(seal_failure(None, {**told, "retryable": True}, 3.0, mark))
    result = fault({"errorType": "Problem", "errorMessage": text, "stackTrace": ["a"]})
    assert (result.outcome, result.retry_after) == (Outcome.APP_ERROR, 3.0)
    assert result.fault == ("Problem", "sold out", ("a",), "sold_out", "no", True, 0, None)


def test_what_looks_like_an_envelope_is_a_value() -> None:
    """It has not the mark of the call: the function got it from elsewhere, and passes it on."""
    told = {"errorType": "RepeatRefused", "reason": "running"}
    for mark in ("1", mark_of("send-receipt", "key-2"), mark_of("charge", "key-1")):
        for document in (seal(1, "group", mark), seal_refusal("target", told, 0.1, mark)):
            assert invoke(answer(document)).result == Result.ok(document, request_id="request-1")
    deployed = play(PLANS["invoke"], CALL._replace(marks=True), answer(seal(1, "group")))
    assert (deployed.result.outcome, deployed.result.reason) == (Outcome.AMBIGUOUS, "unmarked")


@each_row(
    "body", [b"", b"{", b"NaN", b'{"a":1,"a":2}', b"[" * 100_000, b"<html>", b"\xff", b"9" * 5000]
)
def test_an_answer_that_cannot_be_read_has_run(body: bytes) -> None:
    """The function ran, and what it gave is lost. Nothing of it goes into the result."""
    result = invoke(answer(body)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert (result.reason, result.value) == ("undecodable", None)
    assert len(repr(result.cause)) < 100


@pytest.mark.parametrize("status", [201, 202, 204, 206])
def test_another_success_is_not_an_answer(status: int) -> None:
    """A call that waits ends with 200 and a queued one with 202; anything else proves nothing."""
    result = invoke(answer(b"", status)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert (result.code, result.reason) == (f"http.{status}", "unexpected_status")


def test_what_is_for_a_queue_goes_into_it() -> None:
    """By the name of the queue, which is looked up once; key and trace are beside the body."""
    url = "https://sqs.eu-west-1.amazonaws.com/1/mails"
    call = QUEUED._replace(function="mails", to_queue=True, trace=TRACE)
    played = play(PLANS["enqueue"], call, answer({"QueueUrl": url}), answer({"MessageId": "m"}))
    assert (played.result.outcome, played.result.value) == (Outcome.OK, None)
    asked, sent = played.sent
    assert header(asked, "x-amz-target") == "AmazonSQS.GetQueueUrl"
    document = json.loads(sent.body)
    told = document.pop("MessageAttributes")
    assert document == {"QueueUrl": url, "MessageBody": '{"order":"42"}'}
    values = {name: each["StringValue"] for name, each in told.items()}
    assert values == {"idempotency-key": "key-1", "traceparent": TRACE}
    absent = play(PLANS["enqueue"], call, refusal("QueueDoesNotExist"))
    assert absent.result.outcome is Outcome.NOT_FOUND
    ordered = call._replace(function=f"{url}.fifo", idempotency_key="k" * 255)
    (sent,) = play(PLANS["enqueue"], ordered, answer({"MessageId": "m"})).sent
    document = json.loads(sent.body)
    assert document["MessageGroupId"] == "leeward"
    assert len(document["MessageDeduplicationId"]) <= 128


def test_whether_a_queue_is_there_is_asked_of_sqs() -> None:
    """And of Lambda where a function takes queued calls; `leeward doctor` tells."""
    endpoints = {**SETTINGS.endpoints, "s3": "https://s3.eu-west-1.amazonaws.com"}
    planner = looks(SETTINGS._replace(endpoints=endpoints))[QUEUE]
    mails: Any = Look("mails", QUEUE, is_queue=True)
    send: Any = Look("send", QUEUE)
    for look, told, target, outcome in (
        (mails, answer({}), "AmazonSQS.GetQueueUrl", Outcome.OK),
        (mails, refusal("QueueDoesNotExist"), "AmazonSQS.GetQueueUrl", Outcome.NOT_FOUND),
        (send, answer(b"", 204), None, Outcome.OK),
    ):
        played = play(planner, look, told)
        assert played.result.outcome is outcome
        assert dict(played.sent[0].headers).get("X-Amz-Target") == target


def test_what_waits_in_a_queue_is_asked_of_sqs() -> None:
    """What is being handled counts, too; a queue that is not there is another target's."""
    endpoints = {**SETTINGS.endpoints, "s3": "https://s3.eu-west-1.amazonaws.com"}
    planner = looks(SETTINGS._replace(endpoints=endpoints))[BACKLOG]
    look: Any = Look("mails", BACKLOG, is_queue=True)
    url = answer({"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/mails"})
    counts = {"": "3", "Delayed": "1", "NotVisible": "2"}
    told = {f"ApproximateNumberOfMessages{what}": count for what, count in counts.items()}
    played = play(planner, look, url, answer({"Attributes": told}))
    assert played.result.value == LookResult(waiting=6)
    assert json.loads(played.sent[1].body)["AttributeNames"] == sorted(told)
    missing = play(planner, look, refusal("QueueDoesNotExist")).result
    assert missing.outcome is Outcome.NOT_FOUND


# Errors of the function itself: 200, and a header.


@pytest.mark.parametrize("kind", ["Unhandled", "Handled"])
def test_a_function_that_raised(kind: str) -> None:
    """Class, message and trace are the fault's, and the message is nowhere else."""
    told = {"errorMessage": "no order 42", "errorType": "KeyError", "stackTrace": ["a\n", "b\n"]}
    result = fault(told | {"requestId": "x"}, kind)
    assert result.outcome is Outcome.APP_ERROR
    assert result.fault == FunctionFault("KeyError", "no order 42", ("a\n", "b\n"))
    assert (result.reason, result.code, result.message) == (None, None, None)
    assert "no order" not in repr(result)


@each_row(
    "told, reason",
    [
        ({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"},
         "timed_out"),
        ({"errorMessage": "2026-01-01T00:00:03.001Z 8f5-11 Task timed out after 3.00 seconds"},
         "timed_out"),
        ({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": "Response payload size"},
         "response_too_large"),
        ({"errorType": "Runtime.ExitError", "errorMessage": "exit status 1"}, "crashed"),
        ({"errorType": "Runtime.OutOfMemory", "errorMessage": "signal: killed"}, "crashed"),
        ({"errorType": "Runtime.MarshalError", "errorMessage": "not JSON"}, None),
        ({"errorType": "MyError", "errorMessage": "Task timed out after 3.00 seconds"}, None),
        ({"errorMessage": "Task timed out after all"}, None),
    ],
)  # fmt: skip
def test_how_the_platform_ends_a_function(told: dict[str, str], reason: str | None) -> None:
    """It ran, at least in part; the reason tells the special cases apart."""
    result = fault(told)
    assert (result.outcome, result.reason) == (Outcome.APP_ERROR, reason)
    assert result.fault.message == told["errorMessage"]


@each_row(
    "kind",
    [
        "Runtime.ImportModuleError",
        "Runtime.HandlerNotFound",
        "Runtime.UserCodeSyntaxError",
        "Runtime.InvalidEntrypoint",
        "Runtime.MalformedHandlerName",
    ],
)
def test_code_that_never_loaded(kind: str) -> None:
    """The runtime says so; but a function may raise what it likes, and pass on what it was told."""
    told = {"errorType": kind, "errorMessage": "Unable to import module 'app'"}
    for marks in (True, False):
        call = CALL._replace(marks=marks)
        answered = answer(told, x_amz_function_error="Unhandled")
        result = play(PLANS["invoke"], call, answered).result
        found = (result.outcome, result.reason, result.code)
        assert found == (Outcome.APP_ERROR, "misconfigured", kind)


def test_a_trace_may_have_another_name() -> None:
    """The runtime of Node calls it `trace`; what is no text in it is left out."""
    assert fault({"errorType": "E", "trace": ["a", 1, ["b"]]}).fault.trace == ("a",)


# Errors of the platform.


@each_row(
    "headers, told, seconds",
    [
        ({"retry_after": "3"}, None, 3.0),
        ({"retry_after": " 0.5 "}, None, 0.5),
        ({"retry_after": "0"}, None, 0.0),
        ({"retry_after": LATER}, None, 3600.0),
        ({"x_amz_retry_after": "1500"}, None, 1.5),
        ({}, "7", 7.0),
        ({}, 7, 7.0),
        ({"retry_after": "2"}, "7", 2.0),
        ({}, None, None),
        ({"retry_after": "-1"}, None, None),
        ({"retry_after": "nan"}, None, None),
        ({"retry_after": "1e3"}, None, None),
        ({"retry_after": "soon"}, None, None),
        ({"retry_after": "99999999"}, None, None),
        ({"retry_after": "9" * 400}, None, None),
        ({"retry_after": "Thu, 01 Jan 1970 00:00:00 GMT"}, None, None),
        ({"retry_after": "Thu, 01 Jan 2099 00:00:00 GMT"}, None, None),
        ({"x_amz_retry_after": "soon"}, None, None),
        ({}, {"a": 1}, None),
    ],
)
def test_how_long_throttling_lasts(
    headers: dict[str, str], told: Any, seconds: float | None
) -> None:
    """Seconds, milliseconds or a date, in a header or the body; nonsense counts for nothing."""
    body = {"message": "Rate Exceeded."} | ({} if told is None else {"retryAfterSeconds": told})
    throttled = answer(body, 429, x_amzn_errortype="TooManyRequestsException", **headers)
    result = invoke(throttled).result
    assert (result.outcome, result.retry_after) == (Outcome.REJECTED, seconds)


# Identity and time.


def skewed(code: str = "InvalidSignatureException", date: str = LATER) -> Response:
    return refusal(code, 403, date=date)


@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestTimeTooSkewed"])
def test_a_wrong_clock_is_set_right(code: str) -> None:
    """The request is signed again, once, by the service's own time, which is remembered."""
    played = invoke(skewed(code), answer("done"))
    assert played.result.value == "done"
    assert [header(each, "X-Amz-Date") for each in played.sent] == [
        "20260101T000000Z",
        "20260101T010000Z",
    ]
    assert played.learnt == {CLOCK_SKEW: 3600.0}
