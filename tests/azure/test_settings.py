from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import CosmosClient
from azure.storage.queue import QueueServiceClient

from leeward.errors import ConfigError
from leeward_azure.settings import connections
from leeward_azure.settings.services import Events, Functions, Queues
from leeward_contract_tests.rows import each_row
from tests.azure.sources import COSMOS, KEY, settings

STORAGE = (
    f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={KEY};"
    "EndpointSuffix=core.windows.net"
)
TOPICS = "https://{topic}.westeurope-1.eventgrid.azure.net/api/events"
APP: dict[str, Any] = {"function_app": "shop"}
GROUP = APP | {"resource_group": "shop-rg", "subscription_id": "0000-1111"}
PUBLIC = "https://management.azure.com"


def refusal(env: dict[str, str] | None = None, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(env, **options)
    return str(caught.value)


def test_nothing_configured_names_what_can_be_set() -> None:
    """The message lists what each verb needs."""
    told = refusal()
    for option in ("function_app", "storage_queue_url", "eventgrid_topic_url", "cosmos_endpoint"):
        assert option in told
    assert "'azure:west'" in refusal(qualifier="west")


# Functions.


def test_a_function_app_in_full() -> None:
    """Prefix, routes and keys are taken as they are, slashes at the ends apart."""
    found = settings(
        function_url="https://Functions.azurewebsites.net/",
        route_prefix="/v1/api/",
        routes={"pay": "/orders/pay"},
        function_key="canary-1",
        function_keys={"pay": "canary-2"},
        function_scope="api://app/.default",
    )
    assert found.functions == Functions(
        "https://functions.azurewebsites.net",
        "v1/api",
        {"pay": "orders/pay"},
        "canary-1",
        {"pay": "canary-2"},
        "api://app/.default",
    )
    assert "canary" not in repr(found)
    assert settings(**APP, route_prefix="").functions == Functions(
        "https://shop.azurewebsites.net", ""
    )


@each_row(
    "options, told",
    [
        (APP | {"function_url": "https://a.azurewebsites.net"}, "exclude each other"),
        ({"function_app": "https://shop"}, "no URL"),
        ({"function_app": ""}, "is empty"),
        ({"function_app": "a.evil.example/"}, "no URL"),
        ({"function_url": "https://a/api"}, "without user, path or query"),
        ({"function_url": "https://canary@a"}, "without user, path or query"),
        ({"function_url": "ftp://a"}, "must be a scheme"),
        ({"function_url": "https://a:65536"}, "must be a scheme"),
        (APP | {"route_prefix": "a?b"}, "route_prefix"),
        (APP | {"route_prefix": "../admin"}, "route_prefix"),
        (APP | {"routes": {"f": "a/{id}"}}, "no parameters in braces"),
        (APP | {"routes": {"f": "a/../b"}}, "must be a path"),
        (APP | {"routes": {"f": 1}}, "non-empty string"),
        (APP | {"function_key": "canary\n"}, "white space"),
        (APP | {"function_keys": {"f": "canär y"}}, "white space"),
        ({"function_key": "canary"}, "no effect without function_app"),
        ({"routes": {}, "cosmos_key": KEY}, "no effect without function_app"),
        (
            APP | {"resource_group": "g"},
            "no effect without subscription_id or AZURE_SUBSCRIPTION_ID",
        ),
        (GROUP | {"resource_group": "a/b"}, "resource group"),
        (GROUP | {"subscription_id": "a/b"}, "a UUID"),
        (GROUP | {"management_url": "http://127.0.0.1:1"}, "https"),
        (APP | {"management_url": PUBLIC}, "no effect without subscription_id"),
        (
            {"function_url": "https://a", "resource_group": "g", "subscription_id": "0"},
            "no effect without function_app",
        ),
    ],
)
def test_a_wrong_setting_of_functions(options: dict[str, Any], told: str) -> None:
    """The message names the option and the remedy, and repeats no secret."""
    import re

    message = refusal(**options)
    assert re.search(told, message), message
    assert "canar" not in message


# Queues.


def test_a_connection_string_is_read_as_the_vendor_reads_it() -> None:
    """Account, key and endpoint are those of azure-storage-queue."""
    for text in (
        STORAGE,
        STORAGE + ";",
        "UseDevelopmentStorage=true",
        f"AccountName=shop;AccountKey={KEY};QueueEndpoint=http://127.0.0.1:1/shop;",
        f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={KEY};EndpointSuffix=x.test",
    ):
        ours = settings(storage_connection_string=text).queues
        assert ours is not None
        with QueueServiceClient.from_connection_string(text) as theirs:
            assert theirs.url.rstrip("/") == ours.origin + ours.path
            assert theirs.credential.account_name == ours.account
            assert theirs.credential.account_key == ours.key


@each_row(
    "options, told",
    [
        ({"storage_connection_string": "canary"}, "not a connection string"),
        ({"storage_connection_string": "AccountName=a"}, "AccountKey"),
        ({"storage_connection_string": f"AccountKey={KEY}"}, "AccountName"),
        ({"storage_connection_string": "AccountName=a;AccountKey=canary!"}, "not base64"),
        ({"storage_connection_string": "SharedAccessSignature=canary"}, "QueueEndpoint"),
        ({"storage_connection_string": f"{STORAGE};SharedAccessSignature=x"}, "must hold"),
        (
            {"storage_connection_string": f"{STORAGE};QueueEndpoint=https://a?canary"},
            "without user, query",
        ),
        (
            {"storage_connection_string": f"{STORAGE};QueueEndpoint=https://a/../b"},
            "without user, query",
        ),
        (
            {"storage_connection_string": STORAGE, "storage_queue_url": "https://a"},
            "exclude each other",
        ),
        (
            {"storage_connection_string": STORAGE, "queues": {"f": "A"}},
            "must be the name of a queue",
        ),
        ({"queues": {"f": "orders"}}, "no effect without storage"),
        ({"storage_queue_url": "http://shop.example"}, "clear text"),
    ],
)
def test_a_wrong_setting_of_queues(options: dict[str, Any], told: str) -> None:
    """The message names the option and the remedy, and repeats no secret."""
    message = refusal(**options)
    assert told in message
    assert "canary" not in message
    assert KEY not in message


@each_row(
    "options, where",
    [
        (
            {"storage_connection_string": STORAGE.replace("https", "http")},
            "storage_connection_string",
        ),
        (
            {"storage_connection_string": f"{STORAGE};QueueEndpoint=http://azurite:10001/shop"},
            "storage_connection_string",
        ),
        (
            {
                "storage_connection_string": "QueueEndpoint=http://shop.example;"
                "SharedAccessSignature=canary"
            },
            "storage_connection_string",
        ),
        (COSMOS | {"cosmos_endpoint": "http://a.example", "cosmos_key": KEY}, "cosmos_endpoint"),
        (
            {
                "cosmos_connection_string": f"AccountEndpoint=http://a.example;AccountKey={KEY}",
                "cosmos_database": "shop",
            },
            "cosmos_connection_string",
        ),
    ],
)
@pytest.mark.row(10)
@pytest.mark.threat("S1")
def test_no_key_is_used_over_http_to_another_machine(options: dict[str, Any], where: str) -> None:
    """A signature could be sent once more by whoever reads it, and the rest is there to be read."""
    message = refusal(**options)
    assert f'{where!r} in [targets."azure"]' in message
    assert "clear text" in message
    assert "canary" not in message


def test_the_emulators_public_key_goes_anywhere() -> None:
    """It is in its documentation, so an emulator in a container beside this one may be asked."""
    key = connections.EMULATOR["accountkey"]
    text = f"AccountName=a;AccountKey={key};QueueEndpoint=http://azurite:10001/a"
    found = settings(storage_connection_string=text).queues
    assert found == Queues("http://azurite:10001", "/a", "a", key=key)


# Events.


def test_topics_of_their_own() -> None:
    """URLs and keys by topic, alone or beside what all others have."""
    urls = {"orders": "HTTPS://Orders.example", "Our bills": "https://bills.example/own/"}
    checked = {
        "orders": "https://orders.example/api/events",
        "Our bills": "https://bills.example/own",
    }
    keys = {"orders": "canary-1", "Our bills": "canary-2"}
    found = settings(eventgrid_topic_urls=urls, eventgrid_keys=keys).events
    assert found == Events(urls=checked, keys=keys)
    assert "canary" not in repr(found)
    found = settings(
        eventgrid_topic_url=TOPICS, eventgrid_topic_urls=urls, eventgrid_keys={"news": "k"}
    ).events
    assert found == Events(TOPICS, urls=checked, keys={"news": "k"})
    env = {"EVENTGRID_TOPIC_KEY": "all"}
    found = settings(env, eventgrid_topic_urls=urls, eventgrid_keys=keys).events
    assert found == Events(urls=checked, keys=keys, key="all")
    namespace = "https://shop.westeurope-1.eventgrid.azure.net"
    found = settings(eventgrid_namespace_url=namespace, eventgrid_keys={"news": "k"}).events
    assert found == Events(namespace=namespace, keys={"news": "k"})


@each_row(
    "options, told",
    [
        ({"eventgrid_topic_url": "https://orders.example/api/events"}, "{topic} stands"),
        ({"eventgrid_topic_url": "https://{topic}.example/{bus}"}, "{topic} stands"),
        ({"eventgrid_topic_url": "https://{topic}.example/?key=canary"}, "without query"),
        ({"eventgrid_topic_url": "https://canary@{topic}.example/"}, "without user"),
        ({"eventgrid_topic_url": "http://{topic}.example/"}, "clear text"),
        ({"eventgrid_namespace_url": "https://a/b"}, "without user, path"),
        ({"eventgrid_topic_url": TOPICS, "eventgrid_namespace_url": "https://a"}, "exclude"),
        ({"eventgrid_topic_url": TOPICS, "eventgrid_key": "a", "eventgrid_sas": "b"}, "exclude"),
        ({"eventgrid_topic_url": TOPICS, "eventgrid_key": "canary "}, "white space"),
        ({"eventgrid_key": "canary"}, "no effect without eventgrid"),
        ({"eventgrid_keys": {"orders": "canary"}}, "no effect without eventgrid"),
        ({"eventgrid_topic_urls": {"orders": TOPICS}}, "'orders' of 'eventgrid_topic_urls'"),
        ({"eventgrid_topic_urls": {"orders": "https://a/?k=canary"}}, "without query"),
        ({"eventgrid_topic_urls": {"orders": "https://canary@a/"}}, "without user"),
        ({"eventgrid_topic_urls": {"orders": "http://a.example"}}, "clear text"),
        ({"eventgrid_topic_urls": {"orders": 7}}, "non-empty string"),
        (
            {"eventgrid_topic_urls": {"a": "https://a"}, "eventgrid_namespace_url": "https://b"},
            "exclude",
        ),
        (
            {"eventgrid_topic_urls": {"a": "https://a"}, "eventgrid_keys": {"b": "canary"}},
            "'b' of 'eventgrid_keys' in [targets.\"azure\"] has no URL",
        ),
        (
            {"eventgrid_topic_url": TOPICS, "eventgrid_keys": {"canary=": "a"}},
            "cannot be a topic's",
        ),
        ({"eventgrid_topic_url": TOPICS, "eventgrid_keys": {"a": "canary\n"}}, "white space"),
    ],
)
def test_a_wrong_setting_of_events(options: dict[str, Any], told: str) -> None:
    """The message names the option and the remedy, and repeats no secret."""
    message = refusal(**options)
    assert told in message
    assert "canary" not in message


# Tables.


@each_row(
    "options, told",
    [
        ({"cosmos_endpoint": "https://a"}, "no effect without cosmos_database"),
        ({"cosmos_database": "shop"}, "no effect without cosmos_endpoint"),
        (COSMOS | {"cosmos_database": "a/b"}, "name of a database"),
        (COSMOS | {"cosmos_database": "a "}, "name of a database"),
        (COSMOS | {"cosmos_key": "canary"}, "base64"),
        (COSMOS | {"cosmos_connection_string": "x=y"}, "exclude each other"),
        ({"cosmos_database": "a", "cosmos_connection_string": "AccountKey=canary"}, "copy it"),
        (COSMOS | {"cosmos_endpoint": "http://cosmos.example"}, "clear text"),
    ],
)
def test_a_wrong_setting_of_tables(options: dict[str, Any], told: str) -> None:
    """The message names the option and the remedy, and repeats no secret."""
    message = refusal(**options)
    assert told in message
    assert "canary" not in message


def test_the_cosmos_string_is_read_as_the_vendor_reads_it() -> None:
    """Endpoint and key are those of azure-cosmos."""
    text = f"AccountEndpoint=https://shop.documents.azure.com:443/;AccountKey={KEY};"
    ours = settings(cosmos_connection_string=text, cosmos_database="shop").tables
    seen: dict[str, Any] = {}

    class Seen(CosmosClient):
        def __init__(self, url: str, credential: Any, **_: Any) -> None:
            seen.update(url=url, key=credential)

    Seen.from_connection_string(text)
    assert ours is not None
    assert (seen["url"], seen["key"]) == (f"{ours.origin}:443/", ours.key)


# Identity, clouds and the hardened mode.


@pytest.mark.parametrize(
    ("authority", "host", "management"),
    [
        (
            "login.microsoftonline.us",
            "shop.azurewebsites.us",
            "https://management.usgovcloudapi.net",
        ),
        (
            "login.chinacloudapi.cn",
            "shop.chinacloudsites.cn",
            "https://management.chinacloudapi.cn",
        ),
        ("login.microsoftonline.com", "shop.azurewebsites.net", PUBLIC),
        ("login.example", "shop.azurewebsites.net", PUBLIC),
    ],
)
def test_sovereign_clouds(authority: str, host: str, management: str) -> None:
    """The authority tells the cloud, as a host or as a URL, by option or variable."""
    ways: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({"AZURE_AUTHORITY_HOST": f"https://{authority}/"}, {}),
        ({}, {"authority_host": authority}),
    ]
    for env, options in ways:
        found = settings(env, **APP, subscription_id="0", **options)
        assert found.functions == Functions(f"https://{host}")
        assert found.management is not None
        assert (found.management.origin, found.authority) == (management, authority)


def test_the_clouds_are_the_vendors() -> None:
    """Origins and scopes of the Resource Manager are those of azure-mgmt-core."""
    from azure.core import AzureClouds
    from azure.mgmt.core.tools import get_arm_endpoints

    from leeward_azure.settings.endpoints import cloud_of

    for authority, theirs in (
        (None, AzureClouds.AZURE_PUBLIC_CLOUD),
        ("login.microsoftonline.us", AzureClouds.AZURE_US_GOVERNMENT),
        ("login.chinacloudapi.cn", AzureClouds.AZURE_CHINA_CLOUD),
    ):
        found, ours = get_arm_endpoints(theirs), cloud_of(authority)
        assert found["resource_manager"].rstrip("/") == ours.management
        assert found["credential_scopes"] == [ours.management_scope]


HARD: dict[str, Any] = {"trust_env": False}
LOCKED: dict[str, dict[str, Any]] = {
    "function_url": {},
    "storage_queue_url": {"identity": "managed"},
    "eventgrid_namespace_url": {"eventgrid_key": "k"},
    "cosmos_endpoint": {"cosmos_database": "shop", "cosmos_key": KEY},
}
OWN: dict[str, Any] = {
    "function_url": "https://shop.azurewebsites.net",
    "storage_queue_url": "https://shop.queue.core.windows.net",
    "eventgrid_namespace_url": "https://shop.westeurope-1.eventgrid.azure.net",
    "cosmos_endpoint": "https://shop-westeurope.documents.azure.com",
}


@pytest.mark.parametrize("option", OWN)
def test_the_hardened_mode_takes_azures_own_hosts(option: str) -> None:
    """Each service has its own; connections go to the public internet alone."""
    options = HARD | LOCKED[option] | {option: OWN[option]}
    assert settings(**options).http.public_only
    assert not settings(**options, allow_private=True).http.public_only


@pytest.mark.parametrize("option", OWN)
@each_row(
    "host",
    [
        "http://{}",
        "https://{}.evil.example",
        "https://evil.example",
        "https://{}:8443",
        "https://127.0.0.1",
        "https://2130706433",
        "https://[::1]",
        "https://xazurewebsites.net",
        "https://azurewebsites.net",
        "https://shop.blob.core.windows.net",
        "https://169.254.169.254",
    ],
)
def test_the_hardened_mode_refuses_other_hosts(option: str, host: str) -> None:
    """A look-alike, an address, another port, and http are refused, each by its option."""
    own = OWN[option].partition("//")[2]
    message = refusal(**HARD | LOCKED[option] | {option: host.format(own)})
    assert option in message
    assert "trust_env" in message


def test_the_hardened_mode_takes_listed_hosts() -> None:
    """A host of the operator's own list is as good; the list is refused where it has no effect."""
    listed: dict[str, Any] = {"allowed_hosts": ["functions.example.com:8443"]}
    found = settings(**HARD, **listed, function_url="https://functions.example.com:8443")
    assert found.functions == Functions("https://functions.example.com:8443")
    assert "no effect while trust_env is true" in refusal(**APP, **listed)
    assert "no addresses" in refusal(**HARD, **APP, allowed_hosts=["127.0.0.1"])


def test_the_hardened_mode_wants_a_word_on_identity() -> None:
    """Where no key is given, only the managed identity may be asked, and somebody must say so."""
    assert "identity = 'managed'" in refusal(**HARD, **COSMOS)
    assert "cannot be 'default'" in refusal(**HARD, **COSMOS, identity="default")
    assert settings(**HARD, **COSMOS, identity="managed").tables is not None
    assert settings(**HARD, **COSMOS, cosmos_key=KEY).identity is None


def test_a_topic_in_a_hosts_name_is_checked_like_a_host() -> None:
    """In the hardened mode a template counts by the host that a topic would have."""
    assert settings(**HARD, eventgrid_topic_url=TOPICS, eventgrid_key="k").events == Events(
        TOPICS, key="k"
    )
    own = {"orders": "https://orders.westeurope-1.eventgrid.azure.net/api/events"}
    found = settings(**HARD, eventgrid_topic_urls=own, eventgrid_keys={"orders": "k"}).events
    assert found == Events(urls=own, keys={"orders": "k"})
    assert "identity = 'managed'" in refusal(**HARD, eventgrid_topic_urls=own)
    evil = {"orders": "https://evil.example/api/events"}
    assert "eventgrid_topic_urls" in refusal(**HARD, eventgrid_topic_urls=evil, eventgrid_key="k")
    bad = "https://evil.example/{topic}.eventgrid.azure.net"
    assert "eventgrid_topic_url" in refusal(**HARD, eventgrid_topic_url=bad, eventgrid_key="k")
