"""What is configured is at hand: no thread is started for it, whatever the cloud."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

import pytest

import tests.aws.sources
import tests.azure.sources
import tests.google.sources
from leeward.adapter.resolver import FunctionAddress, Resolver
from leeward_aws.identity.credentials import ACCESS_KEY
from leeward_aws.identity.sources import source_of as aws_source
from leeward_azure.identity.credentials import ServiceCredential, TopicKey
from leeward_azure.identity.sources import source_of as azure_source
from leeward_google.identity.credentials import ACCESS_TOKEN, IdToken
from leeward_google.identity.sources import source_of as google_source
from leeward_google.settings.services import FunctionUrl
from tests.google.sources import Canned

AZURE: dict[str, Any] = {
    **tests.azure.sources.COSMOS,
    "cosmos_key": tests.azure.sources.KEY,
    "eventgrid_topic_url": "https://{topic}.westeurope-1.eventgrid.azure.net",
    "eventgrid_keys": {"orders": "k"},
    "eventgrid_sas": "r=1&s=2",
    "storage_connection_string": f"AccountName=shop;AccountKey={tests.azure.sources.KEY}",
    "function_app": "shop",
}
GOOGLE: dict[str, Any] = {
    "access_token": "t",
    "id_token": "t",
    "function_url": "https://run.example/{name}",
}
ROWS: dict[str, tuple[Any, Any, list[Hashable]]] = {
    "aws": (aws_source, tests.aws.sources.target(tests.aws.sources.KEYS), [ACCESS_KEY]),
    "azure": (
        azure_source,
        tests.azure.sources.target(**AZURE),
        [
            ServiceCredential("cosmos"),
            ServiceCredential("eventgrid"),
            ServiceCredential("queue"),
            TopicKey("orders"),
            *(FunctionAddress(f"f{number}") for number in range(300)),
        ],
    ),
    "google": (
        google_source,
        tests.google.sources.target(**GOOGLE),
        [
            ACCESS_TOKEN,
            IdToken("https://run.example"),
            *(FunctionAddress(f"f{number}") for number in range(300)),
            FunctionUrl("f"),
        ],
    ),
    "google, public functions": (
        google_source,
        tests.google.sources.target(
            {"K_SERVICE": "s"}, authenticate=False, function_url="https://run.example/{name}"
        ),
        [FunctionAddress("f"), FunctionUrl("f")],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_configured_needs_no_thread(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, tokens and addresses, however many names there are; and nobody is asked."""
    source_of, (settings, config), needs = ROWS[name]
    canned = Canned()
    resolver = Resolver(source_of(settings, config, canned), lambda: 0.0, lambda: 0.0)
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread was started"))
    for what in needs:
        assert resolver.require(what, 1.0)
    assert canned.sent == []
