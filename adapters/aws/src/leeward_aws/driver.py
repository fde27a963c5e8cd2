"""Opening an AWS target: settings in, a driver out. Nothing is sent before the first call."""

from __future__ import annotations

from typing import Any, Final

from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter.hosts import goes_in_clear
from leeward.adapter.opening import LOAD_PROBE, Plans, open_plan_driver
from leeward.adapter.resolver import ConfiguredFirst, Resolved, Source, Unresolved
from leeward.adapter.wire import Transport
from leeward.errors import Outcome
from leeward_aws.identity.sources import describe_source, source_of
from leeward_aws.settings.options import Settings, settings_from

CAPABILITIES: Final = frozenset(Capability) - {Capability.ORDERING, Capability.SETTLING}
"""EventBridge's buses keep no order, and no store here refuses what comes late."""

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
    batch_stores=25,
    name_bytes=64 * 1024,
    model="DynamoDB",
)
"""Sources: the quota pages of Lambda, EventBridge and DynamoDB. Lambda and EventBridge have raised
256 KiB to 1 MiB lately, but not in every region and partition."""

PLANS: Final = (
    Plans("invoke settle enqueue", "leeward_aws.functions.plans:functions"),
    Plans(
        "put_message take_messages remove_message hide_message",
        "leeward_aws.functions.messages:messages",
    ),
    Plans("publish", "leeward_aws.events.plans:events"),
    Plans("store load delete scan list_items", "leeward_aws.tables.plans:tables"),
    Plans("store_many", "leeward_aws.tables.plans:batches"),
    Plans(
        "put_object get_object head_object list_objects delete_object",
        "leeward_aws.objects.plans:objects",
    ),
    Plans("start_run get_run abort_run", "leeward_aws.workflows.runs:runs"),
    Plans(
        "look_function look_queue look_bus look_table look_bucket look_backlog",
        "leeward_aws.looks:looks",
    ),
    Plans("read_logs", "leeward_aws.functions.logs:logs"),
    Plans("look_resource", "leeward_aws.resources:resources"),
)


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of AWS; the entry point ``aws`` of ``leeward.adapters``.

    Raises:
        ConfigError: a setting is wrong; the message names it and the remedy.
    """
    settings = settings_from(config)
    return open_plan_driver(
        config,
        settings,
        PLANS,
        source=_source,
        native="leeward_aws.native:native",
        capabilities=CAPABILITIES,
        limits=LIMITS,
        probe=LOAD_PROBE,
        has_stages=True,
        describe={
            "region": settings.region,
            **{f"endpoint.{service}": origin for service, origin in settings.endpoints.items()},
            "credentials": describe_source(settings, config),
        },
    )


def _source(settings: Settings, config: TargetConfig, transport: Transport) -> Source:
    """Return the source of credentials. A session token goes out with every request."""
    source = source_of(settings, config, transport)
    plain = [origin for origin in settings.endpoints.values() if goes_in_clear(origin)]
    if not plain:
        return source

    def fetch(what: Any, timeout: float = 0.0) -> Resolved:  # a partial would show its source
        credential = source(what, timeout)
        if credential.value.token is not None:
            raise Unresolved(
                Outcome.AUTH,
                "token_in_clear_text",
                f"over http a session token would go to {plain[0]} in clear text: give an https "
                "endpoint, or keys without a session token",
            )
        return credential

    return ConfiguredFirst(fetch, fetch) if isinstance(source, ConfiguredFirst) else fetch
