"""How tests open a client on a cloud with other options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from leeward import Client
from leeward.adapter import TargetConfig
from leeward.clock import Clock
from leeward.registry import open_target
from leeward_contract_tests import contract_config


def client_of(
    cloud: Any,
    options: Mapping[str, str],
    env: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Client:
    """Open a client on `cloud`, with these options and variables alone."""
    provider, _, place = cloud.target.partition(":")
    config = TargetConfig(cloud.target, provider, place, dict(options), dict(env or {}))
    return Client(open_target(config), config=contract_config(), clock=clock)


def new_key() -> str:
    """Give a key that no other test has."""
    return uuid4().hex
