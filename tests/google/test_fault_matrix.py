"""Faults of the wire, over TLS, by thread and by event loop: what each verb makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.adapter import TargetConfig
from leeward.adapter.opening import PlanDriver
from leeward.calls import Call, Delete, Enqueue, Invoke, Key, ListItems, Load, Publish, Scan, Store
from leeward.errors import Outcome
from leeward.values import Event
from leeward_google.driver import open_driver
from tests.servers.answering import Answer, Executed
from tests.servers.faultproxy import FaultProxy
from tests.servers.matrix import WAYS, Row, Way, cases, check_kept_connection, check_row
from tests.servers.secured import authority, ca_file, proxy, upstream

__all__ = ["authority", "ca_file", "proxy", "upstream"]

AT = Key(("id",), ("42",))
STORE = Store("orders", AT, {"id": "42", "total": 9}, "w-1", now=0.0)
DOCUMENTS = "projects/shop-1/databases/(default)/documents"
MOMENT = "2026-01-01T00:00:00.123456Z"

CALLS: dict[str, Call] = {
    "invoke": Invoke("send", b'{"order":"42"}', "key-1"),
    "enqueue": Enqueue("send", b'{"order":"42"}', "key-1"),
    "publish": Publish("orders", (Event("order.created", {"id": "42"}, "id-1", "/shop"),)),
    "store": STORE,
    "store if absent": STORE._replace(if_absent=True),
    "load": Load("orders", AT),
    "delete": Delete("orders", AT, now=0.0),
    "scan": Scan("orders"),
    "list_items": ListItems("orders", ("customer", "order"), "c1", cursor="=a"),  # no look first
}


OTHERWISE = {("invoke", "redirect(http://127.0.0.1:9/)"): Outcome.APP_ERROR}
"""A refusal of this request alone stays, whoever gives it."""


def answer(executed: Executed) -> Answer:
    """Answer as Google does, for each operation."""
    document = {"name": f"{DOCUMENTS}/orders/42", "fields": {"id": {"stringValue": "42"}}}
    found = document | {"createTime": MOMENT, "updateTime": MOMENT}
    bodies: dict[str, object] = {
        "publish": {"messageIds": ["1"]},
        "commit": {"writeResults": [{"updateTime": MOMENT}], "commitTime": MOMENT},
        "batchGet": [{"found": found, "readTime": MOMENT}],
        "runAggregationQuery": [
            {"result": {"aggregateFields": {"count": {"integerValue": "0"}}}, "readTime": MOMENT}
        ],
        "runQuery": [{"document": found, "readTime": MOMENT}],
        "": {"sent": True},
    }
    operation = executed.target.partition(":")[2].partition("?")[0]
    headers = (("Content-Type", "application/json; charset=UTF-8"),)
    return Answer(200, headers, json.dumps(bodies[operation]).encode())


@pytest.fixture
def driver(proxy: FaultProxy, ca_file: Path) -> Iterator[PlanDriver]:
    options = {
        "project": "shop-1",
        "access_token": "access",
        "id_token": "identity",
        "function_url": proxy.url + "/{name}",
        "pubsub_endpoint": proxy.url,
        "firestore_endpoint": proxy.url,
        "ca_bundle": str(ca_file),
    }
    driver = open_driver(TargetConfig("google", "google", None, options, {}))
    assert isinstance(driver, PlanDriver)
    yield driver
    driver.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("verb", "row"), cases(CALLS, "invoke", OTHERWISE))
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
