"""The vendors' own clients keep to the hardened mode, or are refused with the reason."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import responses
from azure.core.messaging import CloudEvent

from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward.registry import open_target
from leeward_azure.identity.credentials import Bearer as AzureToken
from leeward_azure.native import native as azure_client
from leeward_azure.settings.options import settings_from as azure_settings
from leeward_google.identity.credentials import Bearer as GoogleToken
from leeward_google.native import native as google_client
from leeward_google.settings.options import settings_from as google_settings

pytestmark = [pytest.mark.row(1), pytest.mark.threat("S4")]

TOPICS = "https://{topic}.westeurope-1.eventgrid.azure.net"
GOOGLE: dict[str, Any] = {"project": "shop-1", "identity": "metadata"}
AZURE: dict[str, Any] = {"identity": "managed", "function_app": "shop", "subscription_id": "0000"}


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make the environment hostile; give the file that its program for certificates makes."""
    evil, mark = "http://127.0.0.1:9", tmp_path / "mark"
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\nopen({str(mark)!r}, 'w')\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    folder = tmp_path / ".secureConnect"
    folder.mkdir()
    told = json.dumps({"cert_provider_command": [str(program)]})
    (folder / "context_aware_metadata.json").write_text(told)
    (tmp_path / "ca.pem").write_text("not a certificate")
    hostile = {
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"), evil),
        **dict.fromkeys(
            ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"),
            str(tmp_path / "ca.pem"),
        ),
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tmp_path / "ca.pem"),
        "GOOGLE_API_USE_CLIENT_CERTIFICATE": "true",
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:9",
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:9",
        "AWS_ENDPOINT_URL": evil,
        "HOME": str(tmp_path),
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    return mark


def hardened(provider: str, options: dict[str, Any]) -> TargetConfig:
    return TargetConfig(provider, provider, None, options, {}, trust_env=False)


@pytest.mark.parametrize("service", ["firestore", "pubsub"])
def test_a_client_over_grpc_is_refused(mark: Path, service: str) -> None:
    """It would hand its token to whomever the environment trusts, or send data in clear."""
    driver = open_target(hardened("google", GOOGLE))
    with pytest.raises(ConfigError, match=rf"native\('{service}'\).*trust_env is false.*gRPC"):
        driver.native(service)
    driver.close()
    assert not mark.exists()


def test_a_client_of_a_custom_topic_is_refused(mark: Path) -> None:
    """azure-eventgrid would not keep to anything that it is told."""
    driver = open_target(hardened("azure", {"eventgrid_topic_url": TOPICS, "eventgrid_key": "k"}))
    with pytest.raises(ConfigError, match=r"eventgrid:orders.*trust_env is false"):
        driver.native("eventgrid:orders")
    driver.close()


def keeps_to_the_rules(mocked: responses.RequestsMock) -> bool:
    """Return whether the last request goes to no proxy, and trusts the usual authorities."""
    sent: Any = mocked.calls[-1].request
    options = sent.req_kwargs
    return (options["verify"], options["cert"], dict(options["proxies"])) == (True, None, {})


def test_a_client_of_googles_functions_follows_no_variable(mark: Path) -> None:
    """Neither its proxy nor its certificates, and no program is started for a client's."""
    config = hardened("google", GOOGLE)
    settings = google_settings(config)
    name = "projects/shop-1/locations/us-central1/functions/send"
    client = google_client("functions", settings, config, lambda _: GoogleToken("t"))
    with client, responses.RequestsMock() as mocked:
        mocked.get(f"https://cloudfunctions.googleapis.com:443/v2/{name}", json={"name": name})
        client.get_function(name=name)
        assert keeps_to_the_rules(mocked)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("service", "ask"),
    [
        ("queue", lambda client: client.create_queue("orders")),
        (
            "eventgrid:orders",
            lambda client: client.send(CloudEvent(source="tests", type="made", data=1)),
        ),
        ("web", lambda client: client.web_apps.get("g", "shop")),
    ],
)
def test_a_client_of_azures_follows_no_variable(
    mark: Path, service: str, ask: Callable[[Any], object]
) -> None:
    """The same of those whose options count."""
    namespace = TOPICS.format(topic="shop")
    queues = {"storage_queue_url": "https://shop.queue.core.windows.net"}
    config = hardened("azure", AZURE | queues | {"eventgrid_namespace_url": namespace})
    settings = azure_settings(config)
    client = azure_client(service, settings, config, lambda _: AzureToken("t"))
    with client, responses.RequestsMock() as mocked:
        mocked.add(responses.PUT, "https://shop.queue.core.windows.net/orders", status=201)
        mocked.add(responses.POST, f"{namespace}/topics/orders:publish", json={})
        base = "https://management.azure.com/subscriptions/0000/resourceGroups/g/providers"
        mocked.add(responses.GET, f"{base}/Microsoft.Web/sites/shop", json={"name": "shop"})
        mocked.assert_all_requests_are_fired = False
        ask(client)
        assert keeps_to_the_rules(mocked)


def test_a_client_follows_the_variable_that_the_target_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where an option goes before an emulator's variable, the vendor's client would not know."""
    options = {"project": "shop-1", "pubsub_endpoint": "https://pubsub.googleapis.com"}
    env = {"PUBSUB_EMULATOR_HOST": "127.0.0.1:9"}
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    driver = open_target(TargetConfig("google", "google", None, options, env))
    with pytest.raises(ConfigError, match="unset it"):
        driver.native("pubsub")
    driver.close()
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST")
    driver = open_target(TargetConfig("google", "google", None, {"project": "shop-1"}, env))
    with pytest.raises(ConfigError, match="set it"):
        driver.native("pubsub")
    driver.close()
