"""What a call on Azure loads: nothing of the vendor's, where credentials are at hand."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.quiet import loaded
from tests.servers.answering import Answer, AnsweringServer, Executed

VENDORS = {"azure", "msal", "msal_extensions", "requests", "urllib3", "aiohttp", "jwt"}

SCRIPT = """
from leeward import Client
with Client("azure") as client:
    client.invoke("f", {})
    client.enqueue("send-it", {})
    client.publish_event("orders", "created", {})
    client.store_data("orders", {"id": "42"})
    client.load_data("orders", "42")
    client.delete_data("orders", "42")
"""

KEY = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="

TOKENS = "/msi/token"


def answer(executed: Executed) -> Answer:
    """Answer as Azure does, each service by its path."""
    path = executed.target.partition("?")[0]
    if path == TOKENS:
        until = str(int(time.time()) + 3600)
        return _json(200, {"access_token": "token", "expires_on": until})
    if path.endswith("/messages"):
        return Answer(201, (), b"<QueueMessagesList></QueueMessagesList>")
    if path == "/orders/api/events":
        return Answer(200)
    if path == "/api/f":
        return _json(200, {})
    if executed.method == "DELETE":
        return Answer(204)
    status = 201 if executed.method == "POST" else 200
    return _json(status, {"id": "42", "~id": "42", "_etag": '"1"'})


def _json(status: int, document: object) -> Answer:
    return Answer(status, (("Content-Type", "application/json"),), json.dumps(document).encode())


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with AnsweringServer(answer) as server:
        yield server


def places(url: str) -> dict[str, str]:
    """Give the options that say where everything but the queues is."""
    return {
        "function_url": url,
        "eventgrid_topic_url": f"{url}/{{topic}}/api/events",
        "cosmos_endpoint": url,
        "cosmos_database": "shop",
    }


def test_with_keys_no_vendor_package_is_imported(server: AnsweringServer, tmp_path: Path) -> None:
    """Every verb works without azure-core, msal and requests."""
    storage = f"AccountName=shop;AccountKey={KEY};QueueEndpoint={server.url}"
    keys = {
        "function_key": "key",
        "storage_connection_string": storage,
        "eventgrid_key": KEY,
        "cosmos_key": KEY,
    }
    found = loaded(SCRIPT, tmp_path, "azure", places(server.url) | keys, {})
    assert "pycurl" in found
    assert found & VENDORS == set()
    assert server.count == 6


def test_at_the_identity_endpoint_no_vendor_package_is_imported(
    server: AnsweringServer, tmp_path: Path
) -> None:
    """leeward itself asks for the token of each service."""
    keyless = {"function_scope": "api://shop/.default", "storage_queue_url": server.url}
    env = {"IDENTITY_ENDPOINT": f"{server.url}{TOKENS}", "IDENTITY_HEADER": "word"}
    found = loaded(SCRIPT, tmp_path, "azure", places(server.url) | keyless, env)
    assert "pycurl" in found
    assert found & VENDORS == set()
    tokens = [each for each in server.executed if each.target.startswith(TOKENS)]
    assert (len(tokens), server.count) == (4, 10)
