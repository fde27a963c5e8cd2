"""Google Cloud over TLS, started once for each file of tests that needs it, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward import Client
from tests.clouds.doors import client_of
from tests.servers.certificates import Authority
from tests.servers.google.cloud import GoogleCloud, open_clouds


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Give who vouches for the servers."""
    return Authority()


@pytest.fixture(scope="module")
def started(authority: Authority) -> Iterator[GoogleCloud]:
    """Give one cloud whose proxies speak TLS."""
    with open_clouds(1, tls=authority) as (cloud,):
        yield cloud


@pytest.fixture
def cloud(started: GoogleCloud) -> Iterator[GoogleCloud]:
    """Give the cloud; afterwards nothing of what a test has switched is left."""
    functions = dict(started.admin.functions)
    yield started
    for proxy in (*started.proxies.values(), *started.control.values()):
        proxy.heal()
    started.admin.functions = functions
    identity = started.identity
    identity.seconds, identity.audience = 3600.0, None
    identity.refuses = identity.down = False


@pytest.fixture
def client(cloud: GoogleCloud) -> Iterator[Client]:
    """Give a client of it, whose tokens come from the metadata server."""
    with client_of(cloud, cloud.options, cloud.env) as client:
        yield client
