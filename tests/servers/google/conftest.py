"""Google Cloud and its single servers, started once for each process that runs tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.servers.google import clients, tokens
from tests.servers.google.cloud_run import CloudRun, Service
from tests.servers.google.firestore import Firestore
from tests.servers.google.framework import DEPLOYED, FunctionsFramework
from tests.servers.google.pubsub import PubSub

PROJECT = "leeward-tests"
NAMED = "another"


class Odd(NamedTuple):
    """Cloud Run with the odd functions, and the file in which one of them writes down events."""

    cloud_run: CloudRun
    events: Path


@pytest.fixture(scope="session")
def credentials() -> Any:
    """Give google-auth's credentials with a good access token."""
    return clients.static(tokens.mint_access_token(time.time() + 3600))


@pytest.fixture(scope="session")
def pubsub() -> Iterator[PubSub]:
    """Give Pub/Sub alone."""
    with PubSub(PROJECT) as server:
        yield server


@pytest.fixture(scope="session")
def publisher(pubsub: PubSub, credentials: Any) -> Iterator[Any]:
    """Give google-cloud-pubsub's client for its topics."""
    with clients.publisher(pubsub.url, credentials) as client:
        yield client


@pytest.fixture(scope="session")
def firestore() -> Iterator[Firestore]:
    """Give Firestore alone, with the default database and another."""
    with Firestore(PROJECT, ("(default)", NAMED)) as server:
        yield server


@pytest.fixture(scope="session")
def documents(firestore: Firestore, credentials: Any) -> Iterator[Any]:
    """Give google-cloud-firestore's client of the default database."""
    with clients.firestore_client(firestore.url, credentials, PROJECT) as client:
        yield client


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odd]:
    """Give Cloud Run with the odd functions."""
    folder = tmp_path_factory.mktemp("odd")
    source, environment = DEPLOYED / "odd", {"FOLDER": str(folder)}
    with (
        FunctionsFramework(source, "main") as main,
        FunctionsFramework(source, "told", "cloudevent", environment) as told,
        CloudRun() as server,
    ):
        server.services["odd"] = Service(main)
        server.services["told"] = Service(told)
        server.services["hasty"] = Service(main, timeout=0.2)
        yield Odd(server, folder / "events")
