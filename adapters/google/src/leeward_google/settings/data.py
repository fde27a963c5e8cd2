"""What a target says about its events and its tables."""

from __future__ import annotations

from typing import Final

from leeward.adapter import TargetConfig
from leeward.adapter import options as reading
from leeward.adapter.hosts import check_token_goes_safely
from leeward.adapter.options import Found, find, variable
from leeward_google.settings.endpoints import Service, check_endpoint
from leeward_google.settings.services import Events, Tables

_DATABASE: Final = r"\(default\)|[a-z](?:[a-z0-9-]{2,61}[a-z0-9])"


def read_events(config: TargetConfig) -> Events:
    """Read what `publish` needs.

    Raises:
        ConfigError: a setting is wrong.
    """
    return Events(*read_pubsub(config))


def read_pubsub(config: TargetConfig) -> tuple[str, bool]:
    """Return the origin of Pub/Sub, and whether it is an emulator's.

    Raises:
        ConfigError: a setting is wrong.
    """
    return _origin(config, "pubsub", "PUBSUB_EMULATOR_HOST")


def read_tables(config: TargetConfig) -> Tables:
    """Read what tables need.

    Raises:
        ConfigError: a setting is wrong.
    """
    origin, emulator = _origin(config, "firestore", "FIRESTORE_EMULATOR_HOST")
    what = "the id of a database: 4 to 63 of a-z, 0-9 and -, or (default)"
    database = reading.matching(find(config, "database"), _DATABASE, what)
    return Tables(origin, database or "(default)", emulator)


def _origin(config: TargetConfig, service: Service, emulator: str) -> tuple[str, bool]:
    """Return the origin of a service: the option, an emulator's variable, or Google's own."""
    own = f"https://{service}.googleapis.com"
    found, host = find(config, f"{service}_endpoint"), variable(config, emulator)
    if found is not None:
        origin = reading.origin(found, own)
        check_endpoint(config, service, origin, found.where)
        check_token_goes_safely(origin, found.where)
        return origin, False
    if host is not None:
        bare = host.value if "://" in host.value else f"http://{host.value}"
        return reading.origin(Found(bare, host.where), "127.0.0.1:8085"), True
    return own, False
