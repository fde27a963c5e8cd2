from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.servers.aws.calls import refusal
from tests.servers.aws.clients import client
from tests.servers.aws.moto import Moto

GOOD = {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": "bus"}


@pytest.fixture
def events(moto: Moto) -> Iterator[Any]:
    """Give boto3's client of EventBridge, with one bus."""
    moto.wipe()
    with closing(client("events", moto.url, "us-east-1")) as caller:
        caller.create_event_bus(Name="bus")
        yield caller


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"Detail": "{"}, "MalformedDetail"),
        ({"Source": ""}, "InvalidArgument"),
        ({"DetailType": ""}, "InvalidArgument"),
    ],
)
def test_each_entry_is_checked(events: Any, bad: dict[str, str], code: str) -> None:
    """A bad entry fails alone, in its place, with AWS's code."""
    answer = events.put_events(Entries=[GOOD, GOOD | bad, GOOD])
    assert answer["FailedEntryCount"] == 1
    assert [each.get("ErrorCode") for each in answer["Entries"]] == [None, code, None]


def test_a_request_with_too_many_entries_is_refused(events: Any) -> None:
    """Ten are the limit."""
    assert events.put_events(Entries=[GOOD] * 10)["FailedEntryCount"] == 0
    assert refusal(lambda: events.put_events(Entries=[GOOD] * 11)) == (400, "ValidationException")
