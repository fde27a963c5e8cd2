"""The vendors' verbs, to be called without arguments, and the floor's requests: leeward's work."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest import mock

import requests

from bench.azure.answers import STORED
from bench.azure.sides import DATABASE, KEY
from bench.bare import Wanted
from bench.calls import Verb
from bench.cloud import Cloud
from bench.work import BUS, DATA, EVENT_TYPE, FUNCTION, PAYLOAD, SOURCE, TABLE


@contextmanager
def of_vendors(cloud: Cloud, url: str) -> Iterator[dict[str, Verb]]:
    """Return the vendors' verbs by leeward's names.

    Cosmos DB gets what leeward's item is there, as azure-cosmos has no decimal numbers.
    """
    core: Any = import_module("azure.core.messaging")
    with ExitStack() as opened:
        session = opened.enter_context(requests.Session())
        trusted = {"REQUESTS_CA_BUNDLE": cloud.ca_file}
        opened.enter_context(mock.patch.dict(os.environ, trusted))
        grid = opened.enter_context(_publisher(cloud, url))
        table = _table(opened.enter_context(_cosmos(cloud, url)))

        def invoke() -> object:
            answer = session.post(
                f"{url}/api/{FUNCTION}", json=PAYLOAD, headers={"x-functions-key": KEY}
            )
            return answer.json()

        yield {
            "invoke": invoke,
            "publish_event": lambda: grid.send(core.CloudEvent(SOURCE, EVENT_TYPE, data=DATA)),
            "store_data": lambda: table.upsert_item(STORED),
            "load_data": lambda: table.read_item("o-42", "o-42"),
        }


def _publisher(cloud: Cloud, url: str) -> Any:
    key = import_module("azure.core.credentials").AzureKeyCredential(KEY)
    library: Any = import_module("azure.eventgrid")
    return library.EventGridPublisherClient(
        f"{url}/{BUS}/api/events", key, connection_verify=cloud.ca_file
    )


def _cosmos(cloud: Cloud, url: str) -> Any:
    # Without such settings it trusts anybody on this machine, and warns at each call.
    trust = import_module("azure.cosmos.documents").SSLConfiguration()
    trust.SSLCaCerts = cloud.ca_file
    return import_module("azure.cosmos").CosmosClient(
        url, KEY, enable_endpoint_discovery=False, ssl_config=trust
    )


def _table(client: Any) -> Any:
    return client.get_database_client(DATABASE).get_container_client(TABLE)


_EVENT = {
    "specversion": "1.0",
    "id": "00000000-0000-7000-8000-000000000000",
    "source": SOURCE,
    "type": EVENT_TYPE,
    "time": "2026-01-01T00:00:00.000000Z",
    "datacontenttype": "application/json",
    "data": DATA,
}
_DOCUMENTS = f"/dbs/{DATABASE}/colls/{TABLE}/docs"
_PARTITION = 'x-ms-documentdb-partitionkey: ["o-42"]'

WANTED = {
    "invoke": Wanted(
        f"/api/{FUNCTION}", ("Content-Type: application/json",), json.dumps(PAYLOAD).encode()
    ),
    "publish_event": Wanted(
        f"/{BUS}/api/events?api-version=2018-01-01",
        ("Content-Type: application/cloudevents-batch+json",),
        json.dumps([_EVENT]).encode(),
    ),
    "store_data": Wanted(
        _DOCUMENTS,
        (_PARTITION, "x-ms-documentdb-is-upsert: true", "Prefer: return=minimal"),
        json.dumps(STORED).encode(),
    ),
    "load_data": Wanted(f"{_DOCUMENTS}/o-42", (_PARTITION,)),
}
"""The same requests for the floor."""
