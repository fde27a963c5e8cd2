"""Azure and its single servers, started once for each process that runs tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.servers.azure.azurite import Azurite, connection_string
from tests.servers.azure.clients import cosmos_client
from tests.servers.azure.cosmos_server import CosmosServer
from tests.servers.azure.functions_host import FunctionsHost
from tests.servers.azure.identity import Identity
from tests.servers.azure.queues import QueueListener
from tests.servers.azure.worker_process import DEPLOYED


@pytest.fixture(scope="session")
def cosmos() -> Iterator[CosmosServer]:
    """Give Cosmos DB alone."""
    with CosmosServer() as server:
        yield server


@pytest.fixture
def database(cosmos: CosmosServer) -> Iterator[Any]:
    """Give azure-cosmos's client of a database of its own; the time is right again afterwards."""
    with cosmos_client(cosmos.url) as client:
        yield client.create_database(uuid4().hex)
    cosmos.set_ahead(0)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Give Azurite with the account `tests`."""
    with Azurite("tests") as server:
        yield server


@pytest.fixture(scope="session")
def storage(azurite: Azurite) -> str:
    """Give the connection string of it."""
    return connection_string(azurite.url, "tests")


@pytest.fixture(scope="session")
def odd(storage: str) -> Iterator[FunctionsHost]:
    """Give a host with the odd functions, which listens to its queues."""
    with FunctionsHost(DEPLOYED / "odd") as host, QueueListener(host, storage):
        yield host


@pytest.fixture
def identity() -> Iterator[Identity]:
    """Give Entra ID."""
    with Identity() as server:
        yield server
