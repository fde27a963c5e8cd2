"""Faults of the wire, over TLS, by thread and by event loop: what each verb makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.adapter import TargetConfig
from leeward.adapter.opening import PlanDriver
from leeward.calls import Call, Delete, Enqueue, Invoke, Key, ListItems, Load, Publish, Scan, Store
from leeward.values import Event
from leeward_aws.driver import open_driver
from tests.servers.answering import Answer, Executed
from tests.servers.faultproxy import FaultProxy
from tests.servers.matrix import WAYS, Row, Way, cases, check_kept_connection, check_row
from tests.servers.secured import authority, ca_file, proxy, upstream

__all__ = ["authority", "ca_file", "proxy", "upstream"]

ITEM = {"id": "42", "total": 9}
KEY = Key(("id",), ("42",))

CALLS: dict[str, Call] = {
    "invoke": Invoke("send", b'{"order":"42"}', "key-1"),
    "enqueue": Enqueue("send", b'{"order":"42"}', "key-1"),
    "publish": Publish("default", (Event("order.created", {"id": "42"}, "id-1", "/shop"),)),
    "store": Store("orders", KEY, ITEM, "w-1", now=0.0),
    "store if absent": Store("orders", KEY, ITEM, "w-1", now=0.0, if_absent=True),
    "load": Load("orders", KEY),
    "delete": Delete("orders", KEY, now=0.0),
    "scan": Scan("orders"),
    "list_items": ListItems("orders", ("customer", "order"), "c1"),
}


def answer(executed: Executed) -> Answer:
    """Answer as AWS does, for each operation."""
    headers = {name.lower(): value for name, value in executed.headers}
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if headers.get("x-amz-invocation-type") == "Event":
        return Answer(202, (), b"        ")
    bodies: dict[str, object] = {
        "": {"sent": True},
        "PutEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]},
        "GetItem": {"Item": {"id": {"S": "42"}}},
        "Scan": {"Items": [], "Count": 0, "ScannedCount": 0},
        "Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    }
    return Answer(200, (), json.dumps(bodies.get(operation, {})).encode())


@pytest.fixture
def driver(proxy: FaultProxy, ca_file: Path) -> Iterator[PlanDriver]:
    env = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": proxy.url,
        "AWS_CA_BUNDLE": str(ca_file),
    }
    driver = open_driver(TargetConfig("aws:us-east-1", "aws", "us-east-1", {}, env))
    assert isinstance(driver, PlanDriver)
    yield driver
    driver.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("verb", "row"), cases(CALLS, "store"))
def test_a_verb_under_a_fault(
    proxy: FaultProxy, driver: PlanDriver, verb: str, row: Row, way: Way
) -> None:
    """One attempt is one request at most, its outcome is what is proved, and nothing stays open."""
    check_row(row, proxy, driver, CALLS[verb], way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", CALLS)
def test_a_request_on_a_dying_connection_is_sent_once(
    proxy: FaultProxy, driver: PlanDriver, verb: str, way: Way
) -> None:
    """A server that executes and closes a kept connection without an answer sees it once."""
    check_kept_connection(proxy, driver, (CALLS[verb], CALLS[verb]), way)
