"""Azure over TLS, started once for each file of tests that needs it, and clients of it.

It ends with the file: its host looks into queues by way of requests, which other files replace.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward import Client
from tests.clouds.doors import client_of
from tests.servers.azure.cloud import AzureCloud, azure_clouds
from tests.servers.certificates import Authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Give who vouches for the servers."""
    return Authority()


@pytest.fixture(scope="module")
def started(authority: Authority) -> Iterator[AzureCloud]:
    """Give one cloud whose proxies speak TLS."""
    with azure_clouds(1, tls=authority) as (cloud,):
        yield cloud


@pytest.fixture
def cloud(started: AzureCloud) -> Iterator[AzureCloud]:
    """Give the cloud; afterwards nothing of what a test has switched is left."""
    yield started
    for proxy in (*started.proxies.values(), *started.control.values()):
        proxy.heal()
    started.functions.disabled.clear()
    started.functions.keys.clear()
    identity = started.identity
    identity.seconds, identity.audience = 3600.0, None
    identity.refuses = identity.down = False
    started.cosmos.set_ahead(0)
    started.cosmos.fall_behind(0)


@pytest.fixture
def client(cloud: AzureCloud) -> Iterator[Client]:
    """Give a client of it, which has every key."""
    with client_of(cloud, cloud.options) as client:
        yield client
