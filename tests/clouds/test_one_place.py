"""An order that has one place under two names: it would be its own failover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leeward import Client, Config
from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from tests.aws.sources import KEYS, empty_home

ACCOUNT = {
    "cosmos_endpoint": "https://shop.documents.azure.com",
    "cosmos_database": "shop",
    "cosmos_key": "a2V5",
}
TOPICS = {"eventgrid_topic_urls": {"orders": "https://a.example/own"}, "eventgrid_key": "a2V5"}
DATABASE = {"url": "postgresql://shop@db.example.com/shop"}
OTHER_ROLE = {"url": "postgresql://reader@db.example.com/shop"}
GATEWAY = {"function_url": "https://gate.example", "function_key": "a2V5"}
FUNCTIONS = {"url": "https://shop.example/{function}"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set a region of AWS and of Google, and keys, and nothing else, in a folder of its own."""
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    empty_home(monkeypatch, tmp_path)
    found = {"AWS_REGION": "us-east-1", "GOOGLE_CLOUD_REGION": "us-central1"}
    for name, value in (KEYS | found).items():
        monkeypatch.setenv(name, value)


@each_row(
    "order, options, said",
    [
        ("aws,aws:us-east-1", {}, "us-east-1 twice: 'aws' and 'aws:us-east-1'"),
        ("google,google:us-central1", {}, "us-central1 twice"),
        ("google:us-central1,google:us-east1,google", {}, "us-central1 twice"),
        ("azure:a,azure:b", {"azure": ACCOUNT}, "one place twice: 'azure:a' and 'azure:b'"),
        ("azure,azure:b", {"azure": ACCOUNT, "azure:b": ACCOUNT | {"cosmos_key": "b3Ro"}}, "one"),
        ("azure:a,azure:b", {"azure": TOPICS}, "one place twice"),
        ("postgres:a,postgres:b", {"postgres": DATABASE}, "one place twice"),
        (
            "postgres,postgres:b",
            {"postgres": DATABASE, "postgres:b": DATABASE | {"pool_size": 2}},
            "one",
        ),
        ("postgres:a,local,postgres:b", {}, "one place twice: 'postgres:a' and 'postgres:b'"),
        ("http:a,http:b", {"http": FUNCTIONS}, "one place twice"),
        ("local:a,local:b", {"local": {"path": "x"}}, "one place twice"),
        ("local:a,local:b", {"local:a": {"path": "x"}, "local:b": {"path": "x"}}, "one place"),
    ],
)
def test_a_place_under_two_names_is_refused(order: str, options: dict[str, Any], said: str) -> None:
    """On every provider, before anything is sent."""
    with pytest.raises(ConfigError, match=f"the order has {said}.*; name it once, or"):
        Client(order, config=Config(options=options)).close()


@each_row(
    "order, options",
    [
        ("local:a,local:b", {"local": {"path": ":memory:"}}),
        ("aws:us-east-1,aws:us-west-2", {}),
        ("aws,aws:us-east-1", {"aws": {"endpoint_url": "http://127.0.0.1:1"}, "aws:us-east-1": {}}),
        (
            "aws,aws:us-east-1",
            {"aws": {"profile": "other"}, "aws:us-east-1": {}},
        ),
        ("google:us-central1,google:us-east1", {}),
        (
            "google,google:us-central1",
            {"google": {"project": "shop-1"}, "google:us-central1": {"project": "shop-2"}},
        ),
        (
            "azure:a,azure:b",
            {
                "azure:a": ACCOUNT,
                "azure:b": {**ACCOUNT, "cosmos_database": "other"},
            },
        ),
        (
            "azure:a,azure:b",
            {
                "azure:a": TOPICS,
                "azure:b": TOPICS | {"eventgrid_topic_urls": {"orders": "https://b.example"}},
            },
        ),
        (
            "postgres:a,postgres:b",
            {"postgres:a": DATABASE, "postgres:b": DATABASE | {"schema": "other"}},
        ),
        ("postgres:a,postgres:b", {"postgres:a": DATABASE, "postgres:b": OTHER_ROLE}),
        ("azure:a,azure:b", {"azure:a": GATEWAY, "azure:b": GATEWAY | {"route_prefix": "b"}}),
        (
            "azure:a,azure:b",
            {
                "azure:a": TOPICS,
                "azure:b": TOPICS | {"eventgrid_topic_urls": {"orders": "https://a.example/b"}},
            },
        ),
        ("http:a,http:b", {"http:a": FUNCTIONS, "http:b": FUNCTIONS | {"token": "other"}}),
        ("local:a,local:b", {}),
    ],
)
def test_two_places_are_taken(order: str, options: dict[str, Any]) -> None:
    """Another region, account, endpoint, database or schema is another place."""
    Client(order, config=Config(options=options)).close()
