"""What a call on AWS loads: nothing of the vendor's, where credentials are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.test_fault_matrix import answer
from tests.quiet import loaded
from tests.servers.answering import AnsweringServer

VENDORS = {"boto3", "botocore", "s3transfer", "urllib3", "requests"}

SCRIPT = """
from leeward import Client
with Client("aws:us-east-1") as client:
    client.invoke("f", {})
    client.publish_event("default", "created", {})
    client.store_data("orders", {"id": "42"})
    client.load_data("orders", "42")
    client.delete_data("orders", "42")
"""


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with AnsweringServer(answer) as server:
        yield server


def test_no_vendor_package_is_imported(server: AnsweringServer, tmp_path: Path) -> None:
    """With keys in the environment every verb works without boto3 and all that it brings."""
    env = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": server.url,
    }
    found = loaded(SCRIPT, tmp_path, "aws:us-east-1", {}, env)
    assert "pycurl" in found
    assert found & VENDORS == set()
    assert server.count == 5
