"""What Azure refuses that no schema knows: values, names, and roles that are too wide.

Sources: the REST references of Traffic Manager, Event Grid, Service Bus and Storage; "Naming rules
and restrictions for Azure resources".
"""

from __future__ import annotations

from typing import Any, Final

from leeward_deploy.terraform import DNS_NAME, Rule, between, like, one_of

NARROW: Final = frozenset({
    "Azure Service Bus Data Receiver", "Azure Service Bus Data Sender", "EventGrid Data Sender",
    "Monitoring Metrics Publisher", "Storage Blob Data Contributor", "Storage Blob Data Owner",
    "Storage Queue Data Contributor",
})  # fmt: skip
"""Roles that an export gives; each of them on one thing."""

_PROFILE: Final = "azurerm_traffic_manager_profile"
_ROLE: Final = "azurerm_role_assignment"
_EVENTS: Final = "azurerm_eventgrid_event_subscription"

_STORED: Final = like(
    r"[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]",
    "must be 3 to 63 lower-case letters, digits and single hyphens; name it so in leeward.toml",
)


def _is_of_one_thing(scope: Any) -> bool:
    """Return whether a scope is a resource, and not its group or subscription."""
    text = str(scope)
    if "/subscriptions/" in text:
        return "/providers/" in text and not text.rstrip("/").endswith("/providers")
    return text.startswith("${azurerm_") and "resource_group." not in text


def _waits_in_time(monitor: Any) -> bool:
    """Return whether a check has ended when the next one begins."""
    most = 9 if monitor.get("interval_in_seconds", 30) == 10 else 10
    return bool(5 <= monitor.get("timeout_in_seconds", 10) <= most)


RULES: Final = (
    Rule(_PROFILE, "traffic_routing_method", *one_of("Priority")),
    Rule(_PROFILE, "monitor_config.interval_in_seconds", *one_of(
        10, 30, of=" seconds; set interval in [export.azure]")),
    Rule(_PROFILE, "monitor_config", _waits_in_time,
         "must have a timeout of 5 to 10 seconds, and of 9 at most with an interval of 10"),
    Rule(_PROFILE, "monitor_config.tolerated_number_of_failures", *between(
        0, 9, of="; set failures in [export.azure] to 1 to 10")),
    Rule(_PROFILE, "monitor_config.path", *like(r"/.*", "must begin with a slash")),
    Rule(_PROFILE, "dns_config.ttl", *between(0, 2_147_483_647, of=" seconds")),
    Rule("azurerm_traffic_manager_external_endpoint", "priority", *between(1, 1000)),
    Rule("azurerm_app_service_custom_hostname_binding", "hostname", *DNS_NAME),
    Rule("azurerm_dns_cname_record", "zone_name", *DNS_NAME),
    Rule(_ROLE, "role_definition_name", NARROW.__contains__, "is wider than it must be"),
    Rule(_ROLE, "scope", _is_of_one_thing, "is wider than it must be: it is not that of one thing"),
    Rule("azurerm_cosmosdb_sql_role_assignment", "scope",
         lambda scope: "/colls/" in scope, "is wider than it must be: name one container"),
    Rule(_EVENTS, "retry_policy.max_delivery_attempts", *between(1, 30)),
    Rule(_EVENTS, "retry_policy.event_time_to_live", *between(1, 1440, of=" minutes")),
    Rule(_EVENTS, "name", *like(
        r"[A-Za-z0-9-]{3,64}", "must be 3 to 64 letters, digits and hyphens")),
    Rule("azurerm_eventgrid_topic", "name", *like(
        r"[A-Za-z0-9-]{3,50}", "must be 3 to 50 letters, digits and hyphens; name it so in "
        "leeward.toml")),
    Rule("azurerm_servicebus_queue", "max_delivery_count", *between(1, 2000)),
    Rule("azurerm_storage_queue", "name", *_STORED),
    Rule("azurerm_storage_container", "name", *_STORED),
    Rule("azurerm_storage_account", "blob_properties.delete_retention_policy.days", *between(
        1, 365, of="; set retention_days in [export.azure]")),
    Rule("azurerm_storage_account", "name", *like(
        r"[a-z0-9]{3,24}", "must be 3 to 24 lower-case letters and digits")),
    Rule("azurerm_function_app_flex_consumption", "always_ready.instance_count", *between(1, 1000)),
    Rule("azurerm_cosmosdb_sql_container", "name", *like(
        r"[^/\\\\#?]{1,255}", "must be 1 to 255 characters, without slashes, # and ?")),
)  # fmt: skip
