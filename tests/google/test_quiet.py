"""What a call on Google loads: nothing of the vendor's, where tokens are at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.quiet import loaded
from tests.servers.answering import Answer, AnsweringServer, Executed

VENDORS = {"google", "googleapiclient", "grpc", "requests", "urllib3", "proto", "cryptography"}

SCRIPT = """
from leeward import Client
with Client("google") as client:
    client.invoke("send", {})
    client.enqueue("send", {})
    client.publish_event("orders", "created", {})
    client.store_data("orders", {"id": "42"})
    client.load_data("orders", "42")
    client.delete_data("orders", "42")
"""

NOW = "2026-01-01T00:00:00.000000Z"

METADATA = "/computeMetadata/v1/"


def answer(executed: Executed) -> Answer:
    """Answer as Google does, each service by its path."""
    path = executed.target.partition("?")[0]
    if path.startswith(METADATA):
        return _metadata(path)
    if path.endswith(":publish"):
        return _json({"messageIds": ["1"]})
    if path.endswith(":commit"):
        return _json({"writeResults": [{"updateTime": NOW}], "commitTime": NOW})
    if path.endswith(":batchGet"):
        (name,) = json.loads(executed.body)["documents"]
        return _json([{"missing": name, "readTime": NOW}])
    return _json({})


def _metadata(path: str) -> Answer:
    flavor = ("Metadata-Flavor", "Google")
    if path.endswith("/identity"):
        return Answer(200, (flavor,), _ID_TOKEN)
    token = {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}
    return Answer(200, (flavor, ("Content-Type", "application/json")), json.dumps(token).encode())


def _json(document: object) -> Answer:
    return Answer(200, (("Content-Type", "application/json"),), json.dumps(document).encode())


_ID_TOKEN = b"eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln"
"""A JWT without a signature that counts; its `exp` is in 2100."""


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with AnsweringServer(answer) as server:
        yield server


def places(url: str) -> dict[str, str]:
    """Give the options that say where everything is."""
    return {
        "project": "shop",
        "function_url": f"{url}/{{name}}",
        "pubsub_endpoint": url,
        "firestore_endpoint": url,
    }


def test_with_tokens_no_vendor_package_is_imported(server: AnsweringServer, tmp_path: Path) -> None:
    """Every verb works without google-auth, grpc and requests."""
    tokens = {"access_token": "token", "id_token": "token"}
    found = loaded(SCRIPT, tmp_path, "google", places(server.url) | tokens, {})
    assert "pycurl" in found
    assert found & VENDORS == set()
    assert server.count == 6


def test_with_the_metadata_server_no_vendor_package_is_imported(
    server: AnsweringServer, tmp_path: Path
) -> None:
    """leeward itself asks for the tokens: one for the services, one for the function."""
    host = "{}:{}".format(*server.address)
    found = loaded(SCRIPT, tmp_path, "google", places(server.url), {"GCE_METADATA_HOST": host})
    assert "pycurl" in found
    assert found & VENDORS == set()
    tokens = [each for each in server.executed if each.target.startswith(METADATA)]
    assert (len(tokens), server.count) == (2, 8)
