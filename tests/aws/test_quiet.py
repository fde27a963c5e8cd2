"""What a call on AWS loads: nothing of the vendor's, where credentials are at hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.aws.test_fault_matrix import answer
from tests.servers.answering import AnsweringServer

VENDORS = {"boto3", "botocore", "s3transfer", "urllib3", "requests"}

SCRIPT = """
import sys
from leeward import Client
with Client("aws:us-east-1") as client:
    client.invoke("f", {})
    client.publish_event("default", "created", {})
    client.store_data("orders", {"id": "42"})
    client.load_data("orders", "42")
    client.delete_data("orders", "42")
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with AnsweringServer(answer) as server:
        yield server


def test_no_vendor_package_is_imported(server: AnsweringServer) -> None:
    """With keys in the environment every verb works without boto3 and all that it brings."""
    env = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": server.url,
    }
    child = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    loaded = set(child.stdout.split())
    assert "pycurl" in loaded
    assert loaded & VENDORS == set()
    assert server.count == 5
