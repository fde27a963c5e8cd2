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
from leeward_azure.driver import open_driver
from leeward_azure.tables.documents import document_of
from tests.azure.sources import KEY
from tests.servers.answering import Answer, Executed
from tests.servers.faultproxy import FaultProxy, toxics
from tests.servers.matrix import (
    DRIP,
    WAYS,
    Row,
    Way,
    cases,
    check_kept_connection,
    check_row,
)
from tests.servers.secured import authority, ca_file, proxy, upstream

__all__ = ["authority", "ca_file", "proxy", "upstream"]

AT = Key(("id",), ("42",))
STORE = Store("orders", AT, {"id": "42", "total": 9}, "w-1", now=0.0)
ETAG = '"0600b5e2-0000-0000-0000-56686c3f0000"'

CALLS: dict[str, Call] = {
    "invoke": Invoke("send", b'{"order":"42"}', "key-1"),
    "enqueue": Enqueue("send", b'{"order":"42"}', "key-1"),
    "publish": Publish("default", (Event("order.created", {"id": "42"}, "id-1", "/shop"),)),
    "store": STORE,
    "store if absent": STORE._replace(if_absent=True),
    "load": Load("orders", AT),
    "delete": Delete("orders", AT, now=0.0),
    "scan": Scan("orders"),
    "list_items": ListItems("orders", ("customer", "order"), "c1"),
}

QUEUED = b"<QueueMessagesList></QueueMessagesList>"

OTHERWISE = {("invoke", "redirect(http://127.0.0.1:9/)"): Outcome.APP_ERROR}
"""A refusal of this request alone stays, whoever gives it."""


def answer(executed: Executed) -> Answer:
    """Answer as Azure does, for each operation."""
    ids = (("x-ms-activity-id", "request-1"), ("x-ms-request-id", "request-1"))
    document = document_of(STORE) | {"_etag": ETAG, "_rid": "r", "_ts": 0}
    if ("x-ms-documentdb-isquery", "True") in executed.headers:
        return Answer(200, ids, b'{"Documents": []}')
    path, at = executed.target.partition("?")[0], "/dbs/shop/colls/orders/docs"
    answers = {
        ("POST", "/api/send"): Answer(200, ids, b'{"sent": true}'),
        ("POST", "/shop/send/messages"): Answer(201, ids, QUEUED),
        ("POST", "/default/api/events"): Answer(200, ids, b"{}"),
        ("POST", at): Answer(201, ids, json.dumps(document).encode()),
        ("GET", at): Answer(200, ids, b'{"Documents": []}'),
        ("GET", f"{at}/{document['id']}"): Answer(200, ids, json.dumps(document).encode()),
        ("DELETE", f"{at}/{document['id']}"): Answer(204, ids),
    }
    return answers[executed.method, path]


@pytest.fixture
def driver(proxy: FaultProxy, ca_file: Path) -> Iterator[PlanDriver]:
    storage = f"AccountName=shop;AccountKey={KEY};QueueEndpoint={proxy.url}/shop"
    options = {
        "function_url": proxy.url,
        "function_key": "key",
        "storage_connection_string": storage,
        "eventgrid_topic_url": proxy.url + "/{topic}/api/events",
        "eventgrid_key": KEY,
        "cosmos_endpoint": proxy.url,
        "cosmos_key": KEY,
        "cosmos_database": "shop",
        "ca_bundle": str(ca_file),
    }
    driver = open_driver(TargetConfig("azure:west", "azure", "west", options, {}))
    assert isinstance(driver, PlanDriver)
    yield driver
    driver.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("verb", "row"), cases(CALLS, "publish", OTHERWISE))
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


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_without_a_body_has_come_with_its_head(
    proxy: FaultProxy, driver: PlanDriver, way: Way
) -> None:
    """A delete is answered by a 204, which has no body: no slow byte of one is waited for."""
    row = Row(toxics.slow_drip_body(DRIP), Outcome.OK, 1, 1)
    check_row(row, proxy, driver, CALLS["delete"], way)
