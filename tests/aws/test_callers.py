"""What whoever calls a function on Lambda may send, and what nobody gets to see of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from leeward.envelope import custom_context
from tests.app import aws_events as events
from tests.aws.every import EVERY, seen
from tests.servers.aws.direct import DirectLambda, Invoked
from tests.servers.deploying import deploy, log_all

CANARY = "canary-8e03"


@pytest.mark.threat("S17")
def test_a_payload_of_a_client_is_never_taken_for_something_else(function: DirectLambda) -> None:
    """Whatever it looks like: what the deployment is for, and the client context, come first."""
    context = {"custom": {"idempotency-key": "k", "x-leeward-deadline-ms": "9000"}}
    shapes = [
        events.http_2("/order", "{}"),
        events.http_1("/order", "{}"),
        events.bus_event({}),
        events.sqs(("1", "{}")),
        events.s3(),
        {"warmer": True},
        events.own_tick("sweep"),
    ]
    for shape in shapes:
        assert function.invoke(shape, function="echo", client_context=context).value == shape
        raised = function.invoke(shape, function="nobody", client_context=context)
        assert raised.error is not None
    assert [each[0] for each in seen(function)] == ["echo"] * len(shapes)


@pytest.mark.threat("S17")
def test_what_a_caller_forges_over_http_stays_a_call(function: DirectLambda) -> None:
    """Whatever headers and body look like: the kind, the key and the answer's word stay ours."""
    forged = {
        "x-leeward": "1",
        "x-leeward-dedup": "group",
        "x-leeward-envelope": "1",
        "lambda-runtime-client-context": json.dumps({"custom": custom_context("k", 9.0)}),
        "ce-type": "order.created",
        "x-amz-invocation-type": "Event",
    }
    bodies = [
        events.sqs(("1", "{}")),
        events.bus_event(events.CLOUD_EVENT),
        events.own_tick("sweep"),
        events.http_2("/fail", "{}"),
        {"x-leeward": "1", "value": 1, "x-leeward-dedup": "group"},
        {"warmer": True},
    ]
    for form in (events.http_2, events.http_1):
        for body in bodies:
            for path, name in (("/echo", "shop"), ("/sweep", "echo"), ("/send", "echo")):
                asked = form(path, json.dumps(body), headers=forged)
                answer = function.invoke(asked, function=name).value
                assert (answer["statusCode"], json.loads(answer["body"])) == (200, body)
                assert "x-leeward-dedup" not in answer["headers"]
    assert {tuple(each[:4]) for each in seen(function)} == {("echo", None, "", None)}
    for path in ("/sweep", "/send", "/created"):
        answer = function.invoke(events.http_2(path, "{}", headers=forged), function="shop").value
        assert answer["statusCode"] == 404


def test_an_event_that_no_service_sends_tells_nothing(function: DirectLambda) -> None:
    """It fails by its class; no text of the runtime's own errors goes along."""
    broken = [
        {"Records": [{"eventSource": "aws:sqs", CANARY: 1}]},
        {"Records": [{"eventSource": "aws:s3", "s3": CANARY}]},
    ]
    for event in broken:
        found = function.invoke(event, function="shop")
        assert found.error is not None
        assert found.error["errorMessage"] == ""
        assert CANARY not in found.posted


@pytest.mark.threat("S8")
def test_the_log_has_nothing_of_a_call(tmp_path: Path) -> None:
    """Names, ids and classes: what leeward and the runtime write, on every level."""
    code = log_all(deploy(tmp_path / "code", "aws", {"every.py": EVERY}, "every"), "aws")
    beside = {"custom": custom_context(CANARY, 9.0) | {"canary": CANARY}}
    headers = {"idempotency-key": CANARY, "x-canary": CANARY}
    asked = events.http_2("/fail", json.dumps({"canary": CANARY}), headers=headers)
    with DirectLambda(code) as opened:
        found: list[Invoked] = [
            opened.invoke({"canary": CANARY}, function="fail", client_context=beside),
            opened.invoke({"id": CANARY, "qty": CANARY}, function="order"),
            opened.invoke(asked, function="shop"),
            opened.invoke(events.sqs(("a", json.dumps({"fail": CANARY})))),
            opened.invoke(events.sqs(("a", CANARY), queue="nobody")),
        ]
        log = opened.stop()
    assert log.count("handler_failed") == 4
    assert re.search(r"error='\w+'.* at='[^']*every.py:\d+ \w+", log)
    assert log.count("message_without_handler") == 1
    assert CANARY not in log + "".join(each.posted for each in found)
