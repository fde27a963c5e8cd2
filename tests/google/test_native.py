from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import responses

from leeward.adapter.resolver import Unresolved
from leeward.errors import ConfigError, Outcome
from leeward_google.identity.credentials import SCOPE, Bearer, Project
from leeward_google.identity.vendor_token import SharedTokenCredentials
from leeward_google.native import native
from tests.google.sources import no_google, target


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take Google's variables away, and give an empty home."""
    no_google(monkeypatch, tmp_path)


def make(service: str, env: dict[str, str] | None = None, **options: Any) -> Any:
    settings, config = target(env, **options)

    def get(what: Any) -> Any:
        return "found-1" if what == Project() else Bearer(f"canary-{what.scope}")

    return native(service, settings, config, get)


def lent_by(credentials: Any) -> str:
    credentials.refresh(None)
    return str(credentials.token)


def test_a_client_of_firestore() -> None:
    """It has the target's project, database, endpoint and tokens."""
    client = make(
        "firestore", project="shop-1", database="orders", firestore_endpoint="https://127.0.0.1:1"
    )
    assert (client.project, client._database) == ("shop-1", "orders")
    assert client._target == "127.0.0.1:1"
    assert lent_by(client._credentials) == f"canary-{SCOPE}"
    client.close()
    client = make("firestore")
    assert client.project == "found-1"
    client.close()


def test_clients_of_emulators(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's clients find them by the same variables, and take no credential along."""
    env = {"PUBSUB_EMULATOR_HOST": "127.0.0.1:1", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:2"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    client = make("pubsub", env)
    assert client.target == "127.0.0.1:1"
    client.stop()
    client.transport.close()
    client = make("firestore", env, project="shop-1")
    assert client._emulator_host == "127.0.0.1:2"
    client.close()


def test_a_client_of_functions() -> None:
    """It asks the Cloud Functions API with the target's token."""
    name = "projects/shop-1/locations/us-central1/functions/send"
    with make("functions") as client, responses.RequestsMock() as mocked:
        mocked.get(f"https://cloudfunctions.googleapis.com:443/v2/{name}", json={"name": name})
        assert client.get_function(name=name).name == name
        assert mocked.calls[0].request.headers["Authorization"] == f"Bearer canary-{SCOPE}"


def test_a_lent_token_is_asked_for_anew() -> None:
    """It is lent for a little more than google-auth keeps one back, and refusals come out."""
    given = iter([Bearer("one", "pays"), Bearer("two")])
    lent: Any = SharedTokenCredentials(lambda: next(given))
    assert not lent.valid
    lent.refresh(None)
    assert (lent.token, lent.quota_project_id, lent.valid) == ("one", "pays", True)
    left = lent.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
    assert 225 < left.total_seconds() <= 285
    lent.refresh(None)
    assert (lent.token, lent.quota_project_id) == ("two", None)
    assert lent.with_quota_project("other") is lent

    def refuse() -> Bearer:
        raise Unresolved(Outcome.AUTH, "why", "because")

    with pytest.raises(Unresolved, match="because"):
        SharedTokenCredentials(refuse).refresh(None)


@pytest.mark.parametrize(
    ("service", "package"),
    [
        ("firestore", "google.cloud.firestore"),
        ("functions", "google.cloud.functions_v2"),
        ("pubsub", "google.cloud.pubsub_v1"),
    ],
)
def test_a_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, service: str, package: str
) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=r"leeward-google\[native\]"):
        make(service, project="shop-1")
