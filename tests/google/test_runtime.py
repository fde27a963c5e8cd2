"""An app on Google Cloud: the functions-framework, and a delivery of every kind."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.app import google_events as events
from tests.app.google_events import DATA, EVENT, TRACE, Posted
from tests.house.workspace import ROOT
from tests.servers.deploying import deploy, log_all
from tests.servers.google.framework import FunctionsFramework

CANARY = "canary-8e03"
EVERY = (ROOT / "tests/app/deployed/every.py").read_text(encoding="utf-8")
PARCELS: dict[str, Any] = {"subscription": "projects/demo/subscriptions/parcels"}
MARK = ("x-leeward", "1")
CREATED = ["created", ["order.created", DATA, "42"], "/shop#e-1", None, "google", TRACE]


class Answered(NamedTuple):
    """An answer over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """Return the JSON of its body."""
        return json.loads(self.body)


class Deployed:
    """One deployment; each look into it leaves nothing behind."""

    def __init__(self, framework: FunctionsFramework) -> None:
        self._framework = framework

    def send(self, posted: Posted, method: str = "POST") -> Answered:
        """Send a request as it is."""
        with closing(http.client.HTTPConnection(*self._framework.address, timeout=30)) as wire:
            wire.request(method, posted.path, posted.body, dict(posted.headers))
            answer = wire.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, headers, answer.read())

    def seen(self) -> Any:
        """Return what handlers were given since the last look."""
        return self.send(events.call("/seen", {})).document


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the code once."""
    folder = tmp_path_factory.mktemp("google") / "code"
    return deploy(folder, "google", {"every.py": EVERY}, "every")


@pytest.fixture(scope="module")
def function(code: Path) -> Iterator[Deployed]:
    """Deploy the app for all of its handlers, as gcloud does with a trigger: as one of events.

    The function has said that it is one of HTTP, and that goes before.
    """
    environment = {"CLOUD_RUN_TIMEOUT_SECONDS": "30"}
    with FunctionsFramework(code, signature="cloudevent", environment=environment) as opened:
        yield Deployed(opened)


@pytest.fixture(autouse=True)
def nothing_left(function: Deployed) -> None:
    """Forget what other tests have left."""
    function.seen()


def test_a_call_is_answered(function: Deployed) -> None:
    """With any JSON; by the last part of its path; with the mark, and what came beside it."""
    payloads: list[Any] = [None, 1.5, "é", [], {"message": {}, "subscription": "x"}]
    for payload in payloads:
        answer = function.send(events.call("/echo", payload))
        assert (answer.status, answer.document) == (200, payload)
        assert MARK in answer.headers.items()
        assert answer.headers["content-type"] == "application/json"
    named = {"idempotency_key": '"k-1"', "TRACEPARENT": "00-a"}
    answer = function.send(events.call("/shop/order/", {"id": "42"}, **named))
    assert answer.document == {"order": {"id": "42", "qty": 1}, "left": True, "opened": True}
    assert function.send(events.call("/later", [1])).document == [1]
    assert function.seen()[-1][1:] == ["42", "k-1", None, "google", "00-a"]


def test_a_failure_has_a_status_and_the_mark(function: Deployed) -> None:
    """It tells its class, and a text that was written for the caller; nothing of the input."""
    table: list[tuple[Posted, int, dict[str, Any]]] = [
        (events.call("/fail", {"problem": 1}), 409, {"reason": "sold_out", "retryable": False}),
        (events.call("/fail", {"canary": CANARY}), 500, {"errorType": "ValueError"}),
        (events.call("/fail", {"canary": CANARY, "exit": 1}), 500, {"errorType": "SystemExit"}),
        (events.call("/order", {"id": [CANARY]}), 400, {"path": "$.id", "expected": "str"}),
        (events.call("/order", {})._replace(body=b"{canary"), 400, {"path": "$"}),
        (events.call("/nobody", {}), 404, {"reason": "no_function"}),
        (events.call("/order", {"id": "1"}, x_leeward_deadline_ms="0"), 503, {"ran": "no"}),
    ]
    for posted, status, told in table:
        answer = function.send(posted)
        assert (answer.status, answer.headers["x-leeward"]) == (status, "1")
        assert told.items() <= answer.document.items()
        assert CANARY.encode() not in answer.body
    assert function.send(table[0][0]).headers["retry-after"] == "3"
    answer = function.send(events.call("/order", {}), method="GET")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert function.seen() == []


def test_what_keeps_an_instance_warm_runs_no_handler(function: Deployed) -> None:
    """By its path."""
    answer = function.send(Posted("/_leeward/warm", {}, b""), method="GET")
    assert (answer.status, answer.headers["x-leeward"], answer.body) == (204, "1", b"")
    answer = function.send(Posted("/health", {}, b""), method="GET")
    assert (answer.status, answer.document) == (200, {"status": "ok"})
    assert function.seen() == []


def test_a_subscriber_that_is_named_gets_events_of_its_type_alone(function: Deployed) -> None:
    """Others are acknowledged: no subscription can filter by a type that the message has inside."""
    for type, seen in (("order.gone", 0), ("order.created", 1)):
        assert function.send(events.structured("/created", type=type)).status < 300
        assert len(function.seen()) == seen


def test_events_of_all_three_forms_reach_their_subscribers(function: Deployed) -> None:
    """Binary, structured and batched, without a time too; others are acknowledged."""
    timeless = {name: value for name, value in events.binary().headers.items() if name != "Ce-Time"}
    for posted in (
        events.binary(),
        events.structured(),
        events.binary()._replace(headers=timeless),
        events.batched("42"),
    ):
        answer = function.send(posted)
        assert (answer.status, answer.body, answer.headers["x-leeward"]) == (204, b"", "1")
        assert function.seen() == [CREATED]
    function.send(events.binary(subject="a%20%C3%A9"))
    function.send(events.batched("1", "2"))
    function.send(events.binary(type="other"))
    told = [each[:2] for each in function.seen()]
    assert [each[1][2] for each in told[:3]] == ["a é", "1", "2"]
    # No event says of which bus it is, so who takes every type of any bus gets it.
    assert told[3:] == [["stored", ["other", "/shop", "42"]]]


def test_an_event_that_fails_comes_again(function: Deployed) -> None:
    """503 for what may go well later; what is wrong has its status; a batch has its worst."""
    assert function.send(events.binary(subject="fail")).status == 503
    assert function.send(events.batched("1", "fail", "2")).status == 503
    assert len(function.seen()) == 4
    for wrong in (
        events.structured(id=""),
        events.structured(specversion="0.3"),
        events.binary(data=b"{"),
        events.batched("1")._replace(body=b"{"),
    ):
        answer = function.send(wrong)
        assert (answer.status, answer.document["reason"]) == (400, "bad_input")


def test_a_pushed_message_is_an_event_or_a_message(function: Deployed) -> None:
    """Wrapped and unwrapped, for the handler that its path or its subscription names."""
    data = json.dumps(DATA).encode()
    whole = json.dumps({**EVENT, "data": DATA}).encode()
    table: list[tuple[Posted, list[Any]]] = [
        (events.push("/", data, events.as_attributes()), CREATED),
        (events.push("/", whole, {"content-type": "application/cloudevents+json"}), CREATED),
        (events.push("/created", data, events.as_attributes(), deliveryAttempt=0), CREATED),
        (
            events.unwrapped("/created", data, **events.as_attributes()),
            [*CREATED[:3], 4, *CREATED[4:]],
        ),
        (
            events.push("/", b'{"n": 1}', {"Idempotency-Key": "k"}, **PARCELS, deliveryAttempt=5),
            ["send", {"n": 1}, "k", 5, "google", None],
        ),
        (
            events.push("/send", b'{"n": 1}', {"googclient_traceparent": "00-g"}),
            ["send", {"n": 1}, "m-1", None, "google", "00-g"],
        ),
        (
            events.unwrapped("/send", b'{"n": 1}', traceparent="00-t"),
            ["send", {"n": 1}, "m-1", 4, "google", "00-t"],
        ),
        (events.push("/raw", b"x"), ["raw", ["sub-1", "x", {}], "m-1", None, "google", None]),
        (events.push("/created", b"3"), ["created", ["order.created", 3, None]]),
        (Posted("/send", {}, b'{"n": 2}'), ["send", {"n": 2}]),
        (Posted("/created", {}, b'{"n": 2}'), ["created", ["order.created", {"n": 2}, None]]),
    ]
    for posted, told in table:
        answer = function.send(posted)
        assert answer.status == 204, (posted.path, answer.body)
        (found,) = function.seen()
        assert found[: len(told)] == told


def test_a_percent_sign_in_an_attribute_is_itself(function: Deployed) -> None:
    """Headers of HTTP are encoded; attributes of a message are not, wrapped or unwrapped."""
    attributes = events.as_attributes(**{"ce-subject": "a%20b"})
    function.send(events.push("/", b"1", attributes))
    function.send(events.unwrapped("/created", b"1", **attributes))
    assert [each[1][2] for each in function.seen()] == ["a%20b", "a%20b"]


def test_a_message_that_fails_comes_again(function: Deployed) -> None:
    """503; and what no handler is for, or is no message, is never acknowledged."""
    assert function.send(events.push("/send", b'{"fail": true}')).status == 503
    assert function.send(events.push("/send", b"{")).status == 400
    nobody = {"subscription": "projects/demo/subscriptions/nobody"}
    assert function.send(events.push("/", b"{}", **nobody)).status == 404
    for wrong in ({"message": None}, {"message": {"messageId": 1}}, {"message": {"data": 1}}):
        assert function.send(events.push("/send", b"", **wrong)).status == 400
    wrong_data = {**events.message(b"", {}), "data": "%"}
    assert function.send(events.push("/send", b"", message=wrong_data)).status == 400


def test_eventarc_wraps_messages_and_describes_objects(function: Deployed) -> None:
    """The topic and the bucket are known by it: handlers of another bus are not meant."""
    data = json.dumps(DATA).encode()
    function.send(events.eventarc(data, events.as_attributes()))
    function.send(events.eventarc(data, events.as_attributes(), topic="objects"))
    function.send(events.eventarc(b'{"n": 1}', None, topic="parcels", deliveryAttempt=2))
    function.send(events.stored_object("a.txt"))
    source = "//storage.googleapis.com/projects/_/buckets/objects"
    assert function.seen() == [
        CREATED,
        ["send", {"n": 1}, "m-1", 2, "google", None],
        [
            "stored",
            ["google.cloud.storage.object.v1.finalized", source, "objects/a.txt"],
            f"{source}#e-1",
            None,
            "google",
            TRACE,
        ],
    ]


def test_jobs_run_at_their_time(function: Deployed) -> None:
    """By their path, or by their name; the time is the job's own."""
    for posted in (events.job("/", "sweep"), events.job("/sweep", "job"), events.job("/", "job")):
        assert function.send(posted).status == 204
        time = "2026-01-31T12:05:00+00:00"
        assert function.seen() == [["sweep", time, f"sweep#{time}", None, "google", None]]
    assert function.send(Posted("/sweep", {}, b"x")).status == 204
    assert [each[0] for each in function.seen()] == ["sweep"]


@pytest.mark.threat("S17")
def test_what_a_deployment_is_for_comes_first(code: Path) -> None:
    """Whatever a caller sends, it stays a call, or an event: headers make it nothing else."""
    forged = [
        events.push("/created", b"{}", events.as_attributes()),
        events.binary("/send"),
        events.structured("/order"),
        events.unwrapped("/send", b"{}"),
        events.job("/sweep", "sweep"),
        events.call("/seen", {}, x_leeward="1", x_leeward_dedup="group"),
    ]
    with ExitStack() as stack:
        environments = [{"LEEWARD_FUNCTION": "echo"}, {"K_SERVICE": "created"}]
        echo, created = (
            Deployed(stack.enter_context(FunctionsFramework(code, environment=each)))
            for each in environments
        )
        for posted in forged:
            answer = echo.send(posted)
            assert answer.status == 200
            assert answer.document == (json.loads(posted.body) if posted.body else None)
            assert "x-leeward-dedup" not in answer.headers
            assert created.send(events.call("/echo", {"a": 1})).status == 204


@pytest.mark.threat("S8")
def test_the_log_has_nothing_of_a_request(tmp_path: Path) -> None:
    """Names, ids and classes: what leeward and the framework write, on every level."""
    code = log_all(deploy(tmp_path / "code", "google", {"every.py": EVERY}, "every"), "google")
    with FunctionsFramework(code) as opened:
        function = Deployed(opened)
        sent = {"x_canary": CANARY, "idempotency_key": CANARY, "tracestate": f"a={CANARY}"}
        function.send(events.call("/fail", {"canary": CANARY}, **sent))
        function.send(events.call("/order", {"id": [CANARY]}))
        function.send(events.push("/send", b'{"fail": "canary-8e03"}', {"canary": CANARY}))
        function.send(events.push("/nobody", CANARY.encode(), {"canary": CANARY}))
        function.send(events.binary(subject="fail", type="order.created"))
        log = opened.log()
    assert log.count("handler_failed") == 4
    assert re.search(r"error='\w+'.* at='[^']*every.py:\d+ \w+", log)
    assert log.count("message_without_handler") == 1
    assert CANARY not in log
