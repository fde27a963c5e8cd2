"""Opening an AWS target: settings in, a driver out. Nothing is sent before the first call."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter.plan_driver import Facts, PlanDriver
from leeward.http.options import TransportOptions, options_from_env, refuse_key_log
from leeward.http.wire import curl_wire
from leeward_aws.identity.sources import describe_source, source_of
from leeward_aws.plans import plans
from leeward_aws.settings.options import Settings, settings_from

CAPABILITIES: Final = frozenset(Capability) - {Capability.ORDERING}
"""EventBridge's buses keep no order."""

_ENTRY: Final = 14 + 4 * (256 + 128)
"""Bytes of an EventBridge entry beside its Detail, at most: the time, and the characters of source
and type in UTF-8."""

LIMITS: Final = Limits(
    payload_bytes=6 * 1024 * 1024,
    queued_bytes=256 * 1024,
    event_bytes=256 * 1024 - _ENTRY,
    batch_events=10,
    batch_bytes=256 * 1024 - 10 * _ENTRY,
    # 400 KiB, attribute names included; what is left is for leeward's own attribute.
    item_bytes=400 * 1000,
    nesting=30,
    key_bytes=1024,
)
"""Sources: the quota pages of Lambda, EventBridge and DynamoDB. Lambda and EventBridge have raised
256 KiB to 1 MiB lately, but not in every region and partition."""


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of AWS; the entry point ``aws`` of ``leeward.adapters``.

    Raises:
        ConfigError: a setting is wrong; the message names it and the remedy.
    """
    settings = settings_from(config)
    if not config.trust_env:
        refuse_key_log(os.environ)
    options = options_from_env(config.env, settings.ca_bundle)
    options = options._replace(public_only=settings.public_only)
    wire = curl_wire(options)

    def native(service: str, answer: Callable[[Hashable], Any]) -> object:
        from leeward_aws.native import native

        return native(service, settings, config, answer)

    return PlanDriver(
        Facts(config.name, CAPABILITIES, LIMITS, _described(settings, config, options)),
        plans(settings),
        source_of(settings, config, wire.transport()),
        wire,
        native=native,
    )


def _described(
    settings: Settings, config: TargetConfig, options: TransportOptions
) -> Mapping[str, str]:
    described = {
        "region": settings.region,
        **{f"endpoint.{service}": origin for service, origin in settings.endpoints.items()},
        "credentials": describe_source(settings, config),
        "ca_file": options.ca_file or "none",
        "proxy": (options.proxy or "none").rpartition("@")[2],  # without its password
        "trust_env": str(config.trust_env).lower(),
    }
    return {name: value for name, value in described.items() if value != "none"}
