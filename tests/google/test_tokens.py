"""Who leeward is on Google: a file of a service account, and certificates that are configured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leeward import Client
from leeward.adapter import TargetConfig
from leeward.testing import FakeClock
from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS
from leeward_google.driver import open_driver
from tests.clouds.doors import client_of
from tests.servers.certificates import Authority
from tests.servers.google.cloud import GoogleCloud

DOORS: dict[str, Callable[[Client], object]] = {
    "invoke": lambda client: client.invoke(ECHO, 1),
    "enqueue": lambda client: client.enqueue(ECHO, 1),
    "publish": lambda client: client.publish_event(EVENTS, "order.created"),
    "store": lambda client: client.store_data(ITEMS, {"id": "managed"}),
    "load": lambda client: client.load_data(ITEMS, "managed"),
    "delete": lambda client: client.delete_data(ITEMS, "managed"),
}


@pytest.fixture
def looking(cloud: GoogleCloud) -> Iterator[Client]:
    """Give a client whose functions are looked up."""
    options = cloud.options | cloud.discovery
    del options["function_url"]
    with client_of(cloud, options, cloud.env, FakeClock()) as client:
        yield client


def test_the_file_of_a_service_account_opens_every_door(cloud: GoogleCloud) -> None:
    """Through google-auth, over TLS; another token endpoint than Google's is asked on demand."""
    config = TargetConfig(
        cloud.target,
        "google",
        cloud.region,
        cloud.options | {"allow_external_account": True},
        {"GOOGLE_APPLICATION_CREDENTIALS": str(cloud.service_account)},
    )
    with Client(open_driver(config)) as client:
        for do in DOORS.values():
            do(client)
    assert len(cloud.control["token"].requests) == 1


def test_a_ca_file_that_is_configured_goes_before_the_environment(
    looking: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where functions are looked up too, although requests would have it the other way."""
    other = tmp_path / "other.pem"
    other.write_bytes(Authority().pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    assert looking.invoke(ECHO, 1).value == 1
