"""Azure without keys: the managed identity's tokens, and functions that are looked up, over TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from leeward import AuthError, Client, Event, TargetUnavailable
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS, SEEN
from tests.azure.doors import client_of, new_key
from tests.servers.azure.clients import eventually
from tests.servers.azure.cloud import AzureCloud


@pytest.fixture
def keyless(cloud: AzureCloud) -> Iterator[Client]:
    """Give a client without any key; its app of functions is looked up."""
    options = cloud.keyless | cloud.discovery
    del options["function_url"]
    with client_of(cloud, options, cloud.identity_env, FakeClock()) as client:
        yield client


DOORS: dict[str, Callable[[Client], object]] = {
    "invoke": lambda client: client.invoke(ECHO, 1),
    "publish": lambda client: client.publish_event(EVENTS, "order.created"),
    "store": lambda client: client.store_data(ITEMS, {"id": "managed"}),
    "load": lambda client: client.load_data(ITEMS, "managed"),
    "delete": lambda client: client.delete_data(ITEMS, "managed"),
}

each_door = pytest.mark.parametrize("do", DOORS.values(), ids=DOORS)


def asked(cloud: AzureCloud) -> int:
    """Count what the services have been asked, the Resource Manager left out."""
    return sum(len(proxy.requests) for proxy in cloud.proxies.values())


def test_every_verb_works_without_a_key(keyless: Client, cloud: AzureCloud) -> None:
    """One token for each audience, and each is asked for once."""
    before = cloud.identity.count
    key = new_key()
    for n in range(2):
        assert keyless.invoke(ECHO, n).value == n
        keyless.store_data(ITEMS, {"id": key, "n": n})
        record = keyless.load_data(ITEMS, key)
        assert record is not None
        assert record.item["n"] == n
        keyless.delete_data(ITEMS, key)
    keyless.publish_events(EVENTS, [Event("order.created", id=key)] * 2).raise_if_failed()
    keyless.publish_event(EVENTS, "order.created", id=key)
    assert cloud.identity.count - before == 3
    assert len(keyless.invoke(SEEN, {"id": key}).value) == 3


def test_tokens_are_renewed_while_they_are_in_use(keyless: Client, cloud: AzureCloud) -> None:
    """No call fails because one has run out."""
    cloud.identity.seconds = 3.0
    before = cloud.identity.count

    def renewed() -> bool | None:
        keyless.load_data(ITEMS, "any")
        return cloud.identity.count - before >= 2 or None

    assert eventually(renewed)


def test_a_token_that_is_refused_is_replaced(keyless: Client, cloud: AzureCloud) -> None:
    """The call is made once more with another, within the same attempt."""
    cloud.identity.audience = "https://other.example"
    with pytest.raises(AuthError):
        keyless.load_data(ITEMS, "any")
    cloud.identity.audience = None
    receipt = keyless.store_data(ITEMS, {"id": new_key()})
    assert [each.outcome for each in receipt.attempts] == [Outcome.OK]


@each_door
def test_a_token_endpoint_that_is_down_is_an_unreachable_target(
    keyless: Client, cloud: AzureCloud, do: Callable[[Client], object]
) -> None:
    """Nothing was sent to the service, so the call may go elsewhere."""
    cloud.identity.down = True
    before = asked(cloud)
    with pytest.raises(TargetUnavailable) as raised:
        do(keyless)
    assert {each.outcome for each in raised.value.attempts} == {Outcome.NOT_SENT}
    assert asked(cloud) == before
    cloud.identity.down = False
    do(keyless)


@each_door
def test_a_token_endpoint_that_refuses_is_an_auth_error(
    keyless: Client, cloud: AzureCloud, do: Callable[[Client], object]
) -> None:
    """Nothing was sent to the service, and the call goes nowhere else."""
    cloud.identity.refuses = True
    before = asked(cloud)
    with pytest.raises(AuthError):
        do(keyless)
    assert asked(cloud) == before
