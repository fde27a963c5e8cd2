from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
import requests

from tests.servers.azure import tokens
from tests.servers.azure.clients import ONCE, Bearer, HttpResponseError, publisher
from tests.servers.azure.event_grid import BATCH_BYTES, KEY, EventGrid
from tests.servers.azure.identity import Identity
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy

credentials: Any = import_module("azure.core.credentials")
CloudEvent: Any = import_module("azure.core.messaging").CloudEvent
eventgrid: Any = import_module("azure.eventgrid")

TOPIC = "orders"
EVENT = {"specversion": "1.0", "id": "1", "source": "urn:tests", "type": "tests.happened"}
BATCH = "application/cloudevents-batch+json; charset=utf-8"


@pytest.fixture
def grid() -> Iterator[EventGrid]:
    """Give Event Grid with a topic that no one listens to."""
    with EventGrid({TOPIC: ()}) as server:
        yield server


def _post(grid: EventGrid, body: object, content_type: str = BATCH, **headers: str) -> int:
    answer = requests.post(
        f"{grid.url}/{TOPIC}/api/events?api-version=2018-01-01",
        data=body if isinstance(body, str) else json.dumps(body),
        headers={"aeg-sas-key": KEY, "content-type": content_type} | headers,
        timeout=60,
    )
    return answer.status_code


def _url(server: EventGrid | FaultProxy, topic: str = TOPIC) -> str:
    return f"{server.url}/{topic}/api/events"


def _sent(client: Any, **options: Any) -> int:
    """Send an event; give the status."""
    try:
        client.send(_event(), **ONCE, **options)
    except HttpResponseError as error:
        status: int = vars(error)["status_code"]
        return status
    return 200


def _event(**more: Any) -> Any:
    return CloudEvent("urn:tests", "tests.happened", id="1", **more)


def test_a_signature_is_good_until_its_time(grid: EventGrid) -> None:
    """Microsoft's own makes it; another key, another topic and another time are refused."""
    later = datetime.now(UTC) + timedelta(hours=1)
    for url, key, until, status in (
        (_url(grid), KEY, later, 200),
        (_url(grid), KEY, later - timedelta(hours=2), 401),
        (_url(grid), "d3Jvbmc=", later, 401),
        (_url(grid, "another"), KEY, later, 401),
    ):
        signature = eventgrid.generate_sas(url, key, until)
        with publisher(_url(grid), credentials.AzureSasCredential(signature)) as client:
            assert _sent(client) == status


def test_a_token_is_good_for_its_audience(grid: EventGrid, identity: Identity) -> None:
    """Entra ID's tokens open a topic; others, and old ones, do not."""
    with ExitStack() as stack:
        # Microsoft's client wants TLS for tokens.
        authority = Authority()
        pem = stack.enter_context(authority._ca.cert_pem.tempfile())
        proxy = stack.enter_context(FaultProxy(grid.address, authority))
        for token, status in (
            (identity.token(tokens.EVENT_GRID), 200),
            (identity.token(tokens.COSMOS), 401),
            (identity.token(tokens.EVENT_GRID, -1), 401),
        ):
            with publisher(_url(proxy), Bearer(token)) as client:
                assert _sent(client, connection_verify=pem) == status


def test_what_is_no_cloud_event_is_refused(grid: EventGrid) -> None:
    """One bad event of a batch is enough, and none of them is published."""
    for wrong in (
        {},
        EVENT | {"specversion": "0.3"},
        EVENT | {"id": ""},
        EVENT | {"source": None},
        EVENT | {"Tenant": "upper case"},
        EVENT | {"tenant": {"an": "object"}},
        EVENT | {"data": 1, "data_base64": "AA=="},
        {name: value for name, value in EVENT.items() if name != "type"},
        EVENT | {"time": "yesterday"},
        "text",
    ):
        assert _post(grid, [EVENT, wrong]) == 400, wrong
    assert _post(grid, "not JSON") == 400
    assert grid.published == ()


def test_a_request_has_a_limit(grid: EventGrid) -> None:
    """1 MiB is fine, and one byte more is not."""
    empty = len(json.dumps([EVENT | {"data": ""}]))
    room = BATCH_BYTES - empty
    assert _post(grid, [EVENT | {"data": "x" * room}]) == 200
    assert _post(grid, [EVENT | {"data": "x" * (room + 1)}]) == 413
