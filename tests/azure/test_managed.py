"""Azure without keys: the managed identity's tokens, and functions that are looked up, over TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward import Client, Event
from leeward.testing import FakeClock
from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS, SEEN
from tests.clouds.doors import client_of, new_key
from tests.servers.azure.cloud import AzureCloud


@pytest.fixture
def keyless(cloud: AzureCloud) -> Iterator[Client]:
    """Give a client without any key; its app of functions is looked up."""
    options = cloud.keyless | cloud.discovery
    del options["function_url"]
    with client_of(cloud, options, cloud.identity_env, FakeClock()) as client:
        yield client


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
