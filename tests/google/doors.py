"""How the tests of this package open a client on a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from leeward import Client
from leeward.adapter import TargetConfig
from leeward.clock import Clock
from leeward_contract_tests import contract_config
from leeward_google.driver import open_driver
from tests.servers.google.cloud import GoogleCloud


def client_of(
    cloud: GoogleCloud,
    options: Mapping[str, str],
    env: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Client:
    """Open a client on `cloud`, with these options and variables alone."""
    config = TargetConfig(cloud.target, "google", cloud.region, dict(options), dict(env or {}))
    return Client(open_driver(config), config=contract_config(), clock=clock)


def new_key() -> str:
    """Give a key that no other test has."""
    return uuid4().hex
