"""Who leeward is on Google: tokens of the metadata server or a file, and functions looked up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leeward import AuthError, Client, TargetUnavailable
from leeward.adapter import TargetConfig
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS
from leeward_google.driver import open_driver
from tests.google.doors import client_of
from tests.servers.certificates import Authority
from tests.servers.faultproxy import toxics
from tests.servers.google.cloud import GoogleCloud
from tests.servers.loopback import PATIENCE

DOORS: dict[str, Callable[[Client], object]] = {
    "invoke": lambda client: client.invoke(ECHO, 1),
    "enqueue": lambda client: client.enqueue(ECHO, 1),
    "publish": lambda client: client.publish_event(EVENTS, "order.created"),
    "store": lambda client: client.store_data(ITEMS, {"id": "managed"}),
    "load": lambda client: client.load_data(ITEMS, "managed"),
    "delete": lambda client: client.delete_data(ITEMS, "managed"),
}

each_door = pytest.mark.parametrize("do", DOORS.values(), ids=DOORS)


@pytest.fixture
def client(cloud: GoogleCloud) -> Iterator[Client]:
    """Give a client whose tokens come from the metadata server; it waits for nothing."""
    with client_of(cloud, cloud.options, cloud.env, FakeClock()) as client:
        yield client


@pytest.fixture
def looking(cloud: GoogleCloud) -> Iterator[Client]:
    """Give a client whose functions are looked up."""
    options = cloud.options | cloud.discovery
    del options["function_url"]
    with client_of(cloud, options, cloud.env, FakeClock()) as client:
        yield client


def asked(cloud: GoogleCloud) -> int:
    """Count what the services have been asked."""
    return sum(len(proxy.requests) for proxy in cloud.proxies.values())


def test_each_token_is_asked_for_once(client: Client, cloud: GoogleCloud) -> None:
    """One for the services, and one for each audience: a function has its own."""
    before = cloud.identity.count
    for _ in range(2):
        for do in DOORS.values():
            do(client)
    assert cloud.identity.count - before == 2


def test_tokens_are_renewed_while_they_are_in_use(client: Client, cloud: GoogleCloud) -> None:
    """No call fails because one has run out."""
    cloud.identity.seconds = 3.0
    before = cloud.identity.count
    deadline = time.monotonic() + PATIENCE
    while cloud.identity.count - before < 2 and time.monotonic() < deadline:
        client.load_data(ITEMS, "any")
    assert cloud.identity.count - before >= 2


def test_a_token_of_another_audience_is_replaced(client: Client, cloud: GoogleCloud) -> None:
    """The call is made once more with another, within the same attempt."""
    cloud.identity.audience = "https://other.example"
    with pytest.raises(AuthError):
        client.invoke(ECHO)
    cloud.identity.audience = None
    result = client.invoke(ECHO, 1)
    assert (result.value, [each.outcome for each in result.attempts]) == (1, [Outcome.OK])


@each_door
def test_a_metadata_server_that_is_down_is_an_unreachable_target(
    client: Client, cloud: GoogleCloud, do: Callable[[Client], object]
) -> None:
    """Nothing was sent to the service, so the call may go elsewhere."""
    before = asked(cloud)
    for toxic in (toxics.refuse(), toxics.answer_lost(), toxics.status(503)):
        cloud.control["metadata"].inject(toxic)
        with pytest.raises(TargetUnavailable) as raised:
            do(client)
        assert {each.outcome for each in raised.value.attempts} == {Outcome.NOT_SENT}
        cloud.control["metadata"].heal()
    assert asked(cloud) == before
    do(client)


@each_door
def test_a_metadata_server_that_refuses_is_an_auth_error(
    client: Client, cloud: GoogleCloud, do: Callable[[Client], object]
) -> None:
    """Nothing was sent to the service, and the call goes nowhere else."""
    cloud.identity.refuses = True
    before = asked(cloud)
    with pytest.raises(AuthError):
        do(client)
    assert asked(cloud) == before


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
