from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.servers.azure import tokens
from tests.servers.azure.arm import GROUP, SUBSCRIPTION
from tests.servers.azure.clients import Bearer, refusal, web_client
from tests.servers.azure.cloud import AzureCloud
from tests.servers.azure.functions_host import HOST_KEY, MASTER_KEY


@contextmanager
def _client(cloud: AzureCloud, token: str, subscription: str = SUBSCRIPTION) -> Iterator[Any]:
    url, bundle = cloud.control["arm"].url, str(cloud.ca_bundle)
    with web_client(url, Bearer(token), subscription, bundle) as client:
        yield client


@pytest.fixture
def apps(azure_cloud: AzureCloud) -> Iterator[Any]:
    """Give azure-mgmt-web's client of the sites, with a token that is good."""
    with _client(azure_cloud, azure_cloud.identity.token(tokens.MANAGEMENT)) as client:
        yield client.web_apps


def test_a_site_tells_its_host_name(apps: Any, azure_cloud: AzureCloud) -> None:
    """It is that of the proxy before the functions."""
    host = apps.get(GROUP, azure_cloud.app).default_host_name
    assert azure_cloud.proxies["functions"].url == f"http://{host}"


def test_a_function_tells_its_url_and_its_bindings(apps: Any, azure_cloud: AzureCloud) -> None:
    """What is discovered leads to the function."""
    found = apps.get_function(GROUP, azure_cloud.app, "contract-echo")
    assert found.invoke_url_template.endswith("/api/contract-echo")
    assert found.config["bindings"][0]["type"] == "httpTrigger"


def test_keys_are_listed(apps: Any, azure_cloud: AzureCloud) -> None:
    """Those of the host, and those of a function."""
    host = apps.list_host_keys(GROUP, azure_cloud.app)
    assert (host.master_key, host.function_keys) == (MASTER_KEY, {"default": HOST_KEY})
    keys = apps.list_function_keys(GROUP, azure_cloud.app, "contract-echo")
    assert dict(keys) == {"default": HOST_KEY}


def test_what_is_not_there_is_told(apps: Any, azure_cloud: AzureCloud) -> None:
    """A subscription, a resource group, an app and a function each have a 404 of their own."""
    token = azure_cloud.identity.token(tokens.MANAGEMENT)
    with _client(azure_cloud, token, "00000000-0000-0000-0000-00000000dddd") as client:
        assert refusal(lambda: client.web_apps.get(GROUP, azure_cloud.app)) == 404
    for absent in (
        lambda: apps.get("absent", azure_cloud.app),
        lambda: apps.get(GROUP, "absent"),
        lambda: apps.get_function(GROUP, azure_cloud.app, "absent"),
        lambda: apps.list_function_keys(GROUP, azure_cloud.app, "absent"),
    ):
        assert refusal(absent) == 404


def test_only_tokens_for_management_are_believed(azure_cloud: AzureCloud) -> None:
    """Another audience, and one that is too old, are refused."""
    identity = azure_cloud.identity
    for token in (identity.token(tokens.COSMOS), identity.token(tokens.MANAGEMENT, -1), "a.b.c"):
        with _client(azure_cloud, token) as client:
            assert refusal(lambda: client.web_apps.get(GROUP, azure_cloud.app)) == 401
