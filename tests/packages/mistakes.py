"""Mistakes in the configurations of the app with everything, and what is to be told of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Change = Callable[[dict[str, Any]], Any]


def at(path: str, value: Any) -> Change:
    """Return a change that sets what stands at a path, with dots; None takes it away."""

    def change(resources: dict[str, Any]) -> None:
        *way, last = path.split("/")
        here: Any = resources
        for name in way:
            here = here[int(name) if isinstance(here, list) else name]
        if value is None:
            del here[int(last) if isinstance(here, list) else last]
        else:
            here[last] = value

    return change


PROFILE = "azurerm_traffic_manager_profile/app/monitor_config"
ROLE = "azurerm_role_assignment/publish-orders"
A_STORAGE = "azurerm_storage_account/app"
A_APP = "azurerm_function_app_flex_consumption/app"
A_QUERY = "azurerm_monitor_scheduled_query_rules_alert_v2/errors"
G_FUNCTION = "google_cloudfunctions2_function/make/service_config"
G_ALERT = "google_monitoring_alert_policy/errors/conditions/0/condition_threshold"
G_CHECK = "google_compute_health_check/entrance"
G_JOB = "google_cloud_scheduler_job/sweep"


MISTAKES: dict[str, tuple[str, Change, str]] = {
    "an interval of 15": ("azure", at(f"{PROFILE}/interval_in_seconds", 15), "must be 10 or 30"),
    "a timeout of 10 within 10": (
        "azure",
        lambda made: made["azurerm_traffic_manager_profile"]["app"].update(
            monitor_config={
                "protocol": "HTTPS",
                "port": 443,
                "interval_in_seconds": 10,
                "timeout_in_seconds": 10,
            }
        ),
        "9 at most",
    ),
    "ten failures": ("azure", at(f"{PROFILE}/tolerated_number_of_failures", 10), "must be 0 to 9"),
    "a contributor": ("azure", at(f"{ROLE}/role_definition_name", "Contributor"), "is wider"),
    "a role on the group": (
        "azure",
        at(f"{ROLE}/scope", "/subscriptions/s/resourceGroups/g"),
        "not that of one thing",
    ),
    "an editor": ("google", at("google_project_iam_member/make/role", "roles/editor"), "is wider"),
    "a role without a condition": (
        "google",
        at("google_project_iam_member/make/condition", None),
        "whole project",
    ),
    "a function for everybody": (
        "google",
        at("google_cloud_run_service_iam_member/make-bank-charge/member", "allUsers"),
        "is open to everybody",
    ),
    "a job without a token": ("google", at(f"{G_JOB}/http_target/oidc_token", None), "a token"),
    "a name of a job": ("google", at(f"{G_JOB}/name", "every day"), "letters, digits"),
    "a check that waits too long": ("google", at(f"{G_CHECK}/timeout_sec", 60), "longer than its"),
    "two places to check from": ("google", at(f"{G_CHECK}/source_regions", ["a", "b"]), "three"),
    "an interval of 5": ("google", at(f"{G_CHECK}/check_interval_sec", 5), "must be 30 to 300"),
    "a health without an instance": (
        "google",
        at("google_cloudfunctions2_function/leeward-health/service_config/min_instance_count", 0),
        "never take over",
    ),
    "four attempts": (
        "google",
        at("google_pubsub_subscription/send/dead_letter_policy/max_delivery_attempts", 4),
        "must be 5 to 100",
    ),
    "storage in zones that are not there": (
        "azure",
        at(f"{A_STORAGE}/location", "westus"),
        "its region has none; use LRS",
    ),
    "storage for everybody": (
        "azure",
        at(f"{A_STORAGE}/allow_nested_items_to_be_public", True),
        "must be False",
    ),
    "an old TLS of storage": (
        "azure",
        at(f"{A_STORAGE}/min_tls_version", "TLS1_0"),
        "must be TLS1_2",
    ),
    "a key of the storage": (
        "azure",
        at(f"{A_APP}/storage_access_key", "secret"),
        "it has an identity for that",
    ),
    "an app without TLS": ("azure", at(f"{A_APP}/https_only", False), "must be True"),
    "a size that no instance has": (
        "azure",
        at(f"{A_APP}/instance_memory_in_mb", 1024),
        "must be 512 or 2048 or 4096 MB",
    ),
    "too many instances": ("azure", at(f"{A_APP}/maximum_instance_count", 2000), "1 to 1000"),
    "tables with keys": (
        "azure",
        at("azurerm_cosmosdb_account/tables/local_authentication_enabled", True),
        "must be False",
    ),
    "a topic with keys": (
        "azure",
        at("azurerm_eventgrid_topic/orders/local_auth_enabled", True),
        "must be False",
    ),
    "logs that end too early": (
        "azure",
        at("azurerm_log_analytics_workspace/app/retention_in_days", 7),
        "must be 30 to 730 days; set log_days",
    ),
    "a log that nobody writes": (
        "azure",
        at("azurerm_monitor_diagnostic_setting/orders/enabled_log", [{"category": "Everything"}]),
        "must be DataPlaneRequests or",
    ),
    "a metric that is not there": (
        "azure",
        at("azurerm_monitor_metric_alert/health/criteria/0/metric_name", "Health"),
        "must name a metric that its namespace has",
    ),
    "an alert that is never raised": (
        "azure",
        at(f"{A_QUERY}/criteria/0/failing_periods/number_of_evaluation_periods", 1),
        "more failing periods than are looked at",
    ),
    "a severity of 9": ("azure", at(f"{A_QUERY}/severity", 9), "must be 0 to 4"),
    "tags that are not there": ("azure", at(f"{A_APP}/tags", "${local.tag}"), "local.tag"),
    "a block that is repeated and wrong": (
        "azure",
        at("azurerm_monitor_metric_alert/health/dynamic/action/content", {"group": "a"}),
        "action[0] lacks action_group_id",
    ),
    "everything in a database": (
        "azure",
        at("azurerm_cosmosdb_sql_role_assignment/orders/scope", "a/dbs/b"),
        "name one container",
    ),
    "a function without an end": (
        "google",
        at(f"{G_FUNCTION}/max_instance_count", None),
        "would grow without an end; set limit",
    ),
    "no instance at all": (
        "google",
        at(f"{G_FUNCTION}/max_instance_count", 0),
        "must be 1 to 1000; set concurrency or limit",
    ),
    "memory without its unit": (
        "google",
        at(f"{G_FUNCTION}/available_memory", "256"),
        "must be megabytes",
    ),
    "a bucket that may be opened": (
        "google",
        at("google_storage_bucket/scans/public_access_prevention", "inherited"),
        "must be enforced",
    ),
    "a bucket with rights of objects": (
        "google",
        at("google_storage_bucket/scans/uniform_bucket_level_access", False),
        "must be True",
    ),
    "logs for ever": (
        "google",
        at("google_logging_project_bucket_config/app/retention_days", 9999),
        "must be 1 to 3650 days; set log_days",
    ),
    "a health that is not throttled": (
        "google",
        at("google_compute_backend_service/leeward-health/security_policy", None),
        "has no security_policy",
    ),
    "a policy without a last rule": (
        "google",
        at("google_compute_security_policy/leeward-health/rule/1", None),
        "has no rule of the priority",
    ),
    "an alert of no metric": (
        "google",
        at(f"{G_ALERT}/filter", 'resource.type = "cloud_run_revision"'),
        "must name a resource and a metric",
    ),
    "an alert after 90 seconds": ("google", at(f"{G_ALERT}/duration", "90s"), "whole minutes"),
    "an aligner that is none": (
        "google",
        at(f"{G_ALERT}/aggregations/0/per_series_aligner", "ALIGN_ALL"),
        "must be ALIGN_DELTA",
    ),
    "an alert for what is not there": (
        "google",
        at("google_monitoring_alert_policy/errors/for_each", "${local.function}"),
        "refers to local.function",
    ),
    "a look every 2 minutes": (
        "google",
        at("google_monitoring_uptime_check_config/health/period", "120s"),
        "must be 60s or 300s",
    ),
    "every object of the project": (
        "google",
        at("google_storage_bucket_iam_member/make-scans/role", "roles/storage.admin"),
        "is wider",
    ),
}
