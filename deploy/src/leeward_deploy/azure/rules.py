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

ZONES: Final = frozenset({
    "australiaeast", "austriaeast", "belgiumcentral", "brazilsouth", "canadacentral",
    "centralindia", "centralus", "chilecentral", "chinanorth3", "eastasia", "eastus", "eastus2",
    "francecentral", "germanywestcentral", "indonesiacentral", "israelcentral", "italynorth",
    "japaneast", "japanwest", "koreacentral", "malaysiawest", "mexicocentral", "newzealandnorth",
    "northeurope", "norwayeast", "polandcentral", "qatarcentral", "southafricanorth",
    "southcentralus", "southeastasia", "spaincentral", "swedencentral", "switzerlandnorth",
    "uaenorth", "uksouth", "usgovvirginia", "westeurope", "westus2", "westus3",
})  # fmt: skip
"""Regions with availability zones; in another one, storage is kept in one place (LRS).

Source: "Azure regions with availability zone support", November 2026."""

METRICS: Final = {
    "Microsoft.DocumentDB/databaseAccounts": {"TotalRequests"},
    "Microsoft.EventGrid/topics": {"DeadLetteredCount"},
    "Microsoft.Network/trafficManagerProfiles": {
        "ProbeAgentCurrentEndpointStateByProfileResourceId"
    },
    "Microsoft.ServiceBus/namespaces": {"DeadletteredMessages"},
}
"""Metrics that alerts look at, by namespace. Source: "Supported metrics with Azure Monitor"."""

CATEGORIES: Final = ("DataPlaneRequests", "DeliveryFailures")
"""Of diagnostic settings. Source: "Supported resource logs for Azure Monitor"."""

_PROFILE: Final = "azurerm_traffic_manager_profile"
_ROLE: Final = "azurerm_role_assignment"
_EVENTS: Final = "azurerm_eventgrid_event_subscription"

_STORAGE: Final = "azurerm_storage_account"
_APP: Final = "azurerm_function_app_flex_consumption"
_ALERT: Final = "azurerm_monitor_metric_alert"
_QUERY: Final = "azurerm_monitor_scheduled_query_rules_alert_v2"

_PERIODS: Final = ("PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT1H")

_STORED: Final = r"[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]"
_IS_STORED: Final = "must be 3 to 63 lower-case letters, digits and single hyphens"


def _is_of_one_thing(scope: Any) -> bool:
    """Return whether a scope is a resource, and not its group or subscription."""
    text = str(scope)
    if "/subscriptions/" in text:
        return "/providers/" in text and not text.rstrip("/").endswith("/providers")
    return text.startswith("${azurerm_") and "resource_group." not in text


def _has_zones(account: Any) -> bool:
    """Return whether storage is kept in zones only where a region has some."""
    kind, location = str(account.get("account_replication_type")), str(account.get("location"))
    return "ZRS" not in kind or "${" in f"{kind}{location}" or location in ZONES


def _has_metric(criteria: Any) -> bool:
    """Return whether metrics are those of their namespaces."""
    return all(
        each.get("metric_name") in METRICS.get(each.get("metric_namespace"), ())
        for each in criteria
    )


def _fails_in_time(periods: Any) -> bool:
    """Return whether an alert can be raised: not more periods have to fail than are looked at."""
    return bool(
        periods["minimum_failing_periods_to_trigger_alert"]
        <= periods["number_of_evaluation_periods"]
    )


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
    Rule("azurerm_storage_queue", "name", *like(
        _STORED, f"{_IS_STORED}; rename the queue, or the handler that it is for, in the app")),
    Rule("azurerm_storage_container", "name", *like(
        _STORED, f"{_IS_STORED}; name it so in leeward.toml")),
    Rule("azurerm_storage_account", "blob_properties.delete_retention_policy.days", *between(
        1, 365, of="; set retention_days in [export.azure]")),
    Rule("azurerm_storage_account", "name", *like(
        r"[a-z0-9]{3,24}", "must be 3 to 24 lower-case letters and digits")),
    Rule(_STORAGE, "min_tls_version", *one_of("TLS1_2", "TLS1_3")),
    Rule(_STORAGE, "allow_nested_items_to_be_public", *one_of(False)),
    Rule(_STORAGE, "account_replication_type", *one_of("LRS", "ZRS", "GRS", "GZRS")),
    Rule(_STORAGE, "", _has_zones, "is kept in zones, and its region has none; use LRS"),
    Rule(_APP, "always_ready.instance_count", *between(1, 1000)),
    Rule(_APP, "maximum_instance_count", *between(1, 1000, of="; set limit in [deploy]")),
    Rule(_APP, "http_concurrency", *between(1, 1000, of="; set limit in [deploy]")),
    Rule(_APP, "instance_memory_in_mb", *one_of(512, 2048, 4096, of=" MB")),
    Rule(_APP, "https_only", *one_of(True)),
    Rule(_APP, "site_config.minimum_tls_version", *one_of("1.2", "1.3")),
    Rule(_APP, "", lambda app: "storage_access_key" not in app,
         "has a key of its storage; it has an identity for that"),
    Rule("azurerm_cosmosdb_account", "local_authentication_enabled", *one_of(False)),
    Rule("azurerm_eventgrid_topic", "local_auth_enabled", *one_of(False)),
    Rule("azurerm_application_insights", "local_authentication_enabled", *one_of(False)),
    Rule("azurerm_log_analytics_workspace", "retention_in_days", *between(
        30, 730, of=" days; set log_days in [deploy]")),
    Rule("azurerm_monitor_diagnostic_setting", "enabled_log.category", *one_of(*CATEGORIES)),
    Rule(_ALERT, "severity", *between(0, 4)),
    Rule(_ALERT, "frequency", *one_of(*_PERIODS)),
    Rule(_ALERT, "criteria", _has_metric, "must name a metric that its namespace has"),
    Rule(_QUERY, "severity", *between(0, 4)),
    Rule(_QUERY, "evaluation_frequency", *one_of(*_PERIODS)),
    Rule(_QUERY, "criteria.failing_periods", _fails_in_time,
         "must not want more failing periods than are looked at"),
    Rule("azurerm_cosmosdb_sql_container", "name", *like(
        r"[^/\\\\#?]{1,255}", "must be 1 to 255 characters, without slashes, # and ?")),
)  # fmt: skip
