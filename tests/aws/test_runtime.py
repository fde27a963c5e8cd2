"""An app on Lambda: AWS's own runtime client, and an event of every service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leeward.envelope import custom_context, fault_in, open_envelope
from tests.app import aws_events as events
from tests.aws.every import seen
from tests.servers.aws.direct import DirectLambda

CANARY = "canary-8e03"
NONE: dict[str, Any] = {"batchItemFailures": []}
TRACE = events.CLOUD_EVENT["traceparent"]


def test_a_direct_call_is_answered(function: DirectLambda) -> None:
    """With any JSON; what a client of leeward sends along reaches the context."""
    payloads: list[Any] = [None, 1.5, "é", [], {"version": "2.0"}, events.sqs(("1", "{}"))]
    for payload in payloads:
        assert function.invoke(payload, function="echo").value == payload
    context: dict[str, Any] = {
        "custom": {"idempotency-key": "k", "x-leeward-deadline-ms": "9000", "other": 1},
        "w3c": {"traceparent": "00-w3c"},
    }
    answer = function.invoke({"id": "42"}, function="order", client_context=context)
    assert answer.value == {"order": {"id": "42", "qty": 1}, "left": True, "opened": True}
    context = {"custom": {**context["custom"], "traceparent": "00-old"}}
    function.invoke({"id": "43"}, function="order", client_context=context)
    assert function.invoke([1], function="later").value == [1]
    told = [each[1:] for each in seen(function)[-2:]]
    assert told == [["42", "k", None, "aws", "00-w3c"], ["43", "k", None, "aws", "00-old"]]


def test_a_client_that_asks_for_it_gets_an_envelope(function: DirectLambda) -> None:
    """With what headers would say, and its own mark; whatever the value looks like.

    A failure is one of Lambda's, and the text of what is raised is the envelope. A workflow, which
    opens none, goes by the name: of a problem without a class of its own, that is its reason.
    """
    context = {"custom": custom_context("k", 9.0, None, "a1b2")}
    for value in ([1], {"x-leeward": "a1b2", "value": 2}, None):
        answer = function.invoke(value, function="echo", client_context=context).value
        assert answer == {"x-leeward": "a1b2", "value": value}
    for name, reason in (("fail", "sold_out"), ("nobody", "no_function")):
        error = function.invoke({"problem": True}, function=name, client_context=context).error
        assert error is not None
        assert error["errorType"] == "Problem"
        found = open_envelope(json.loads(error["errorMessage"]), "a1b2")
        assert found is not None
        assert fault_in(found.failure).reason == reason
        beside = {"custom": {"idempotency-key": "k", "x-leeward-deadline-ms": "9000"}}
        error = function.invoke({"problem": True}, function=name, client_context=beside).error
        assert error is not None
        assert error["errorType"] == reason


def test_a_failure_tells_its_class_and_what_was_written_for_the_caller(
    function: DirectLambda,
) -> None:
    """Nothing else is posted, traced or logged by the runtime: no text, no line of the handler."""
    table: list[tuple[str, Any, str, str]] = [
        ("fail", {"canary": CANARY}, "ValueError", ""),
        ("fail", {"canary": CANARY, "exit": True}, "SystemExit", ""),
        ("fail", {"problem": True}, "Problem", "sold out"),
        ("order", {"id": [CANARY]}, "InvalidInput", "$.id must be str"),
        ("order", {CANARY: 1}, "InvalidInput", "$.id is missing; it must be str"),
        ("nobody", {"a": CANARY}, "Problem", "there is no such function here"),
        ("created", events.bus_event({**events.CLOUD_EVENT, "subject": "fail"}), "ValueError", ""),
    ]
    for name, payload, kind, message in table:
        found = function.invoke(payload, function=name)
        assert found.error is not None
        assert (found.error["errorType"], found.error["errorMessage"]) == (kind, message)
        assert len(found.error["stackTrace"]) == 1
        assert "handler.py" in found.error["stackTrace"][0]
        assert CANARY not in found.posted


def test_what_the_runtime_reads_too_kindly_is_refused(function: DirectLambda) -> None:
    """Numbers that no float holds, and what is nested without end."""
    for raw in ("[1e400]", "[" * 80 + "]" * 80):
        found = function.invoke(None, raw=raw, function="echo")
        assert found.error is not None
        assert found.error["errorMessage"] == "$ must be JSON in UTF-8"


def test_an_answer_that_lambda_would_not_pass_on_is_a_failure(function: DirectLambda) -> None:
    """Measured as the runtime writes it: escapes, and the envelope of an answer over HTTP."""
    for chars, fits in ((900_000, True), (1_100_000, False), (6_400_000, False)):
        found = function.invoke({"large": chars}, function="fail")
        assert (found.error is None) is fits
        if found.error:
            assert "return a reference" in found.error["errorMessage"]
        answer = function.invoke(
            events.http_2("/fail", json.dumps({"large": chars})), function="shop"
        ).value
        assert (answer["statusCode"] == 200) is fits
        if answer["statusCode"] != 200:
            assert json.loads(answer["body"])["reason"] == "response_too_large"


def test_too_little_time_is_told_before_anything_begins(function: DirectLambda) -> None:
    """By Lambda's clock, or by the caller's."""
    context = {"custom": {"idempotency-key": "k", "x-leeward-deadline-ms": "0"}}
    for found in (
        function.invoke({"id": "1"}, function="order", seconds=-1),
        function.invoke({"id": "1"}, function="order", client_context=context),
    ):
        assert found.error is not None
        assert found.error["errorMessage"] == "too little time is left"
    assert seen(function) == []


def test_requests_of_both_forms_are_answered(function: DirectLambda) -> None:
    """By path or by the deployment's name, with headers in any case, bodies in base64, nulls."""
    key = {"idempotency-key": '"k-1"', "TraceParent": "00-a"}
    body = '{"id": "42"}'
    for form in (events.http_2, events.http_1):
        for event, name in (
            (form("/prod/order", body, headers=key), "shop"),
            ({**form("/order/", None, headers=key), **events.base64(body)}, "shop"),
            (form("/", body, headers={"IDEMPOTENCY-KEY": "k-1", "traceparent": "00-a"}), "order"),
        ):
            answer = function.invoke(event, function=name).value
            assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
            assert answer["headers"] == {"content-type": "application/json", "x-leeward": "1"}
            assert json.loads(answer["body"])["order"] == {"id": "42", "qty": 1}
    assert [each[1:] for each in seen(function)] == [["42", "k-1", None, "aws", "00-a"]] * 6
    answer = function.invoke(events.http_1("/echo", None), function="shop").value
    assert (answer["statusCode"], answer["body"]) == (200, "null")


def test_requests_that_fail_have_a_status_and_the_mark(function: DirectLambda) -> None:
    """Of the problem, of bad input, of what nothing is known of, and of a wrong way to call."""
    table: list[tuple[dict[str, Any], int, dict[str, Any]]] = [
        (events.http_2("/fail", '{"problem": 1}'), 409, {"reason": "sold_out", "retryable": False}),
        (events.http_2("/order", "{"), 400, {"path": "$", "expected": "JSON in UTF-8"}),
        (events.http_2("/order", '{"id": 4}'), 400, {"path": "$.id", "expected": "str"}),
        (events.http_2("/fail", '{"canary": "canary-8e03"}'), 500, {"errorType": "ValueError"}),
        (events.http_2("/nobody", "{}"), 404, {"reason": "no_function"}),
        (events.http_2("/created", "{}"), 404, {"reason": "no_function"}),
    ]
    for event, status, told in table:
        found = function.invoke(event, function="shop")
        answer = found.value
        assert (answer["statusCode"], answer["headers"]["x-leeward"]) == (status, "1")
        assert told.items() <= json.loads(answer["body"]).items()
        assert CANARY not in found.posted.replace(json.dumps(event["body"]), "")
    late = function.invoke(table[0][0], function="shop").value
    assert late["headers"]["retry-after"] == "3"
    answer = function.invoke(events.http_2("/order", None, method="GET"), function="shop").value
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "POST")


def test_what_keeps_a_function_warm_runs_no_handler(function: DirectLambda) -> None:
    """By exact shape alone: one member more, and it is a payload."""
    for event in ({"source": "serverless-plugin-warmup"}, {"warmer": True}):
        assert function.invoke(event, function="echo").value is None
        assert function.invoke({**event, "x": 1}, function="echo").value == {**event, "x": 1}
    answer = function.invoke(
        events.http_2("/_leeward/warm", None, method="GET"), function="echo"
    ).value
    assert (answer["statusCode"], answer["headers"]) == (204, {"x-leeward": "1"})
    answer = function.invoke(events.http_2("/prod/health", None, method="GET"), function="shop")
    assert (answer.value["statusCode"], answer.value["body"]) == (200, '{"status":"ok"}')
    assert [each[0] for each in seen(function)] == ["echo"] * 2


def test_events_of_the_bus_reach_their_subscribers(function: DirectLambda) -> None:
    """Those that leeward has published, others', and what a rule has made of one."""
    for name in ("shop", "created"):
        assert function.invoke(events.bus_event(events.CLOUD_EVENT), function=name).value is None
    function.invoke(events.bus_event({"n": 1}, **{"replay-name": "r"}), function="shop")
    function.invoke({"n": 2}, function="created")
    function.invoke(events.bus_event({}, **{"detail-type": "other"}), function="shop")
    own = ["created", ["order.created", {"id": "42"}, "42"], "/shop#e-1", None, "aws", TRACE]
    assert seen(function)[:2] == [own, own]
    function.invoke(events.bus_event({"n": 1}), function="shop")
    function.invoke({"n": 2}, function="created")
    key = "/shop#12345678-1234-1234-1234-111122223333"
    assert [each[:3] for each in seen(function)] == [
        ["created", ["order.created", {"n": 1}, None], key],
        ["created", ["order.created", {"n": 2}, None], "aws#req-1"],
    ]


def test_schedules_run_at_their_time(function: DirectLambda) -> None:
    """A rule, Scheduler with nothing, with leeward's own input, and with any other."""
    table: list[tuple[str, Any, str | None, int | None]] = [
        ("shop", events.rule_tick("sweep"), "2026-01-31T12:00:00+00:00", None),
        ("shop", events.scheduler_tick(), "2026-01-31T12:00:00+00:00", None),
        ("shop", events.own_tick("sweep"), "2026-01-31T12:05:00+00:00", 2),
        ("sweep", {"whatever": 1}, None, None),
    ]
    for name, event, time, attempt in table:
        assert function.invoke(event, function=name).value is None
        ((handler, told, key, count, *_),) = seen(function)
        assert (handler, key, count) == ("sweep", f"sweep#{told}", attempt)
        assert time in (None, told)


def test_a_batch_names_the_messages_that_have_failed(function: DirectLambda) -> None:
    """The others are done; each has its own key and its attempt."""
    good, bad = json.dumps({"n": 1}), json.dumps({"fail": True})
    found = function.invoke(events.sqs(("a", good), ("b", bad), ("c", "{"), ("d", good))).value
    assert found == {"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "c"}]}
    assert [each[1:] for each in seen(function)] == [
        [{"n": 1}, "key-a", 2, "aws", None],
        [{"fail": True}, "key-b", 2, "aws", None],
        [{"n": 1}, "key-d", 2, "aws", None],
    ]
    assert function.invoke(events.sqs(("a", good)), function="send").value == NONE
    assert function.invoke(events.sqs(("a", good), queue="raw")).value == NONE
    assert seen(function)[1][1] == ["raw", good, {"idempotency-key": "key-a"}]


def test_a_group_keeps_its_order(function: DirectLambda) -> None:
    """After a failure the rest of its group is not handled; the other groups are."""
    good, bad = json.dumps({"n": 1}), json.dumps({"fail": True})
    batch = (("g:1", good), ("h:1", bad), ("g:2", bad), ("h:2", good), ("g:3", good), ("i:1", good))
    found = function.invoke(events.sqs(*batch, queue="parcels.fifo")).value
    failed = [each["itemIdentifier"] for each in found["batchItemFailures"]]
    assert failed == ["h:1", "g:2", "h:2", "g:3"]
    assert [each[2] for each in seen(function)] == ["key-g:1", "key-h:1", "key-g:2", "key-i:1"]
    found = function.invoke(events.sqs(*batch, queue="parcels")).value
    assert [each["itemIdentifier"] for each in found["batchItemFailures"]] == ["h:1", "g:2"]


def test_without_time_the_rest_of_a_batch_comes_again(function: DirectLambda) -> None:
    """Nothing of it has begun."""
    found = function.invoke(events.sqs(("a", "{}"), ("b", "{}")), seconds=-1).value
    assert [each["itemIdentifier"] for each in found["batchItemFailures"]] == ["a", "b"]
    assert seen(function) == []


def test_a_bus_may_lead_into_a_queue(function: DirectLambda) -> None:
    """As an event of EventBridge, a CloudEvent, or a notification; what is none of these fails."""
    bodies = [
        events.bus_event(events.CLOUD_EVENT),
        events.CLOUD_EVENT,
        events.notification(json.dumps(events.CLOUD_EVENT), UnsubscribeURL="x"),
    ]
    for body in bodies:
        found = function.invoke(events.sqs(("a", json.dumps(body)), queue="from-the-bus"))
        assert found.value == NONE
        ((name, _, key, attempt, *_),) = seen(function)
        assert (name, key, attempt) == ("created", "/shop#e-1", 2)
    test = function.invoke(events.sqs(("a", json.dumps(events.TEST_OF_S3)), queue="of-a-bucket"))
    assert test.value == NONE
    for text in ("{}", "[", json.dumps({**events.CLOUD_EVENT, "id": ""})):
        found = function.invoke(events.sqs(("a", text), queue="from-the-bus"))
        assert found.value == {"batchItemFailures": [{"itemIdentifier": "a"}]}


def test_notifications_are_messages_or_events(function: DirectLambda) -> None:
    """Of the topic's handler, else of whoever takes the event in it."""
    assert function.invoke(events.sns('{"n": 1}', MessageAttributes=None)).value is None
    function.invoke(events.sns('{"n": 2}'))
    topic = "arn:aws:sns:us-east-1:123456789012:orders"
    function.invoke(events.sns(json.dumps(events.CLOUD_EVENT), TopicArn=topic))
    assert seen(function) == [
        ["send", {"n": 1}, "n-1", None, "aws", None],
        ["send", {"n": 2}, "n-1", None, "aws", "00-a"],
        ["created", ["order.created", {"id": "42"}, "42"], "/shop#e-1", None, "aws", TRACE],
    ]
    assert function.invoke(events.sns('{"fail": true}')).error is not None


def test_objects_are_described_as_events(function: DirectLambda) -> None:
    """Their keys are decoded; a deletion has no size."""
    function.invoke(events.s3(size=3, eTag="x"))
    function.invoke(events.s3("ObjectRemoved:Delete"))
    source = "aws:s3:us-east-1:objects"
    told = seen(function)
    assert [each[1] for each in told] == [
        ["com.amazonaws.s3.ObjectCreated:Put", source, "a b/é.txt"],
        ["com.amazonaws.s3.ObjectRemoved:Delete", source, "a b/é.txt"],
    ]
    assert all(each[2].startswith(f"{source}#r.") for each in told)


def test_a_runtime_option_that_there_is_not_is_refused() -> None:
    """By its name, when the handler is made."""
    from leeward import App
    from leeward.errors import ConfigError

    with pytest.raises(ConfigError, match="the runtime of AWS has no option 'storage'"):
        App("shop").handler("aws", storage="x")
