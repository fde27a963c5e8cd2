"""Logs of Lambda functions in CloudWatch: what is asked, and two stand-ins that answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any, cast

import pytest

from leeward.adapter import TargetConfig
from leeward.calls import Result
from leeward.calls.looks import LogLine, LogPage, ReadLogs
from leeward.errors import Outcome
from leeward_aws.driver import open_driver
from leeward_aws.functions.logs import ERRORS, group_of, logs
from leeward_aws.settings.options import settings_from
from leeward_contract_tests.rows import each_row
from tests.aws.playing import answer, header, play, refusal
from tests.servers.aws.clients import client
from tests.servers.aws.ministack import Ministack
from tests.servers.aws.moto import Moto

PLANNER = logs(settings_from(TargetConfig("aws:eu-west-1", "aws", "eu-west-1", {}, {})))[
    "read_logs"
]
CALL = ReadLogs("charge", 1000.0, 2000.0, most=50)


def test_a_page_is_asked_of_the_functions_own_group() -> None:
    """CloudWatch counts the end of the time; a page goes on where the last one ended."""
    event = {"eventId": "e-1", "timestamp": 1_500_250, "message": "hello\n", "ingestionTime": 1}
    played = play(PLANNER, CALL, answer({"events": [event], "nextToken": "t"}))
    assert played.result.value == LogPage((LogLine("e-1", 1500.25, "hello"),), "t")
    (sent,) = played.sent
    assert sent.origin == "https://logs.eu-west-1.amazonaws.com"
    assert header(sent, "X-Amz-Target") == "Logs_20140328.FilterLogEvents"
    assert json.loads(sent.body) == {
        "logGroupName": "/aws/lambda/charge",
        "startTime": 1_000_000,
        "endTime": 1_999_999,
        "limit": 50,
    }
    more = play(PLANNER, CALL._replace(errors=True, cursor="t"), answer({"events": []}))
    assert more.result.value == LogPage(())
    body = json.loads(more.sent[0].body)
    assert (body["nextToken"], body["filterPattern"]) == ("t", ERRORS)


@each_row(
    "code, outcome",
    [
        ("ResourceNotFoundException", Outcome.NOT_FOUND),
        ("AccessDeniedException", Outcome.AUTH),
        ("ThrottlingException", Outcome.REJECTED),
        ("InvalidParameterException", Outcome.CALLER),
    ],
)
def test_a_refusal_says_what_to_do(code: str, outcome: Outcome) -> None:
    """As of any other service of AWS."""
    assert play(PLANNER, CALL, refusal(code)).result.outcome is outcome


@each_row(
    "function, group",
    [
        ("charge", "/aws/lambda/charge"),
        ("charge:live", "/aws/lambda/charge"),
        ("arn:aws:lambda:eu-west-1:1:function:charge", "/aws/lambda/charge"),
        ("arn:aws:lambda:eu-west-1:1:function:charge:live", "/aws/lambda/charge"),
    ],
)
def test_a_function_has_one_group_whatever_it_is_called_by(function: str, group: str) -> None:
    """By its name, its ARN, with a version or without."""
    assert group_of(function) == group


@pytest.fixture(params=[(Ministack, 50), (Moto, 2)], ids=["ministack", "moto"])
def stand_in(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Start a stand-in for CloudWatch; give its URL, and lines of a page: ministack has one."""
    server, most = request.param
    with server() as running:
        yield running.url, most


@pytest.mark.vendors
def test_stand_ins_answer_alike(stand_in: tuple[str, int]) -> None:
    """Page by page, oldest first, and nothing of another time or another function."""
    url, most = stand_in
    now = int(time.time() * 1000)
    environment = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    with ExitStack() as stack:
        vendor: Any = stack.enter_context(closing(client("logs", url, "us-east-1")))
        for group in ("/aws/lambda/charge", "/aws/lambda/other"):
            vendor.create_log_group(logGroupName=group)
            vendor.create_log_stream(logGroupName=group, logStreamName="one")
            events = [
                {"timestamp": now - 60_000 + 1000 * n, "message": f"{group} {n}"} for n in range(5)
            ]
            vendor.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)
        driver = open_driver(TargetConfig("aws", "aws", "us-east-1", {}, environment))
        stack.callback(driver.close)
        call = ReadLogs("charge", now / 1000 - 59, now / 1000 - 56, most=most)
        texts: list[str] = []
        while True:
            result: Result[Any] = driver.perform(call, 10)
            assert result.outcome is Outcome.OK, result
            page = cast("LogPage", result.value)
            texts += [line.text for line in page.lines]
            if page.cursor is None:
                break
            call = call._replace(cursor=page.cursor)
        absent = driver.perform(ReadLogs("absent", 0.0, now / 1000), 10)
    assert texts == [f"/aws/lambda/charge {n}" for n in (1, 2, 3)]
    assert absent.outcome is Outcome.NOT_FOUND
