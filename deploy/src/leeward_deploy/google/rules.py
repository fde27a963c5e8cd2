"""What Google Cloud refuses that no schema knows: values, names, and roles that are too wide.

Sources: the REST references of Cloud Scheduler, Compute Engine's health checks, Cloud DNS, Pub/Sub
and IAM; "Roles and permissions" in IAM's documentation.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.app.kit import HEALTH
from leeward_deploy.terraform import DNS_NAME, Rule, between, like, one_of

NARROW: Final = frozenset({
    "roles/cloudfunctions.viewer", "roles/datastore.user", "roles/datastore.viewer",
    "roles/pubsub.publisher", "roles/pubsub.subscriber", "roles/run.invoker",
    "roles/storage.objectUser", "roles/storage.objectViewer",
})  # fmt: skip
"""Roles that an export gives; each of them on one thing."""

_MEMBERS: Final = (
    "google_cloud_run_service_iam_member",
    "google_cloudfunctions2_function_iam_member",
    "google_project_iam_member",
    "google_pubsub_subscription_iam_member",
    "google_pubsub_topic_iam_member",
    "google_storage_bucket_iam_member",
)

_CHECK: Final = "google_compute_health_check"
_JOB: Final = "google_cloud_scheduler_job"
_FUNCTION: Final = "google_cloudfunctions2_function"
_SUBSCRIPTION: Final = "google_pubsub_subscription"


def _is_open_for_health_alone(member: Any) -> bool:
    """Return whether everybody is given nothing but to ask for the health."""
    if member.get("member") in ("allUsers", "allAuthenticatedUsers"):
        return f"google_cloudfunctions2_function.{HEALTH}" in str(member.get("service"))
    return True


def _has_last_rule(policy: Any) -> bool:
    """Return whether a policy says what to do with all that no other of its rules is for."""
    return any(each.get("priority") == LAST for each in policy.get("rule", ()))


def _is_throttled(backend: Any) -> bool:
    """Return whether what is open to everybody has a policy that bounds how often it is asked."""
    groups = str(backend.get("backend"))
    is_health = f"google_compute_region_network_endpoint_group.{HEALTH}" in groups
    return not is_health or "security_policy" in backend


def _names_metric(condition: Any) -> bool:
    text = str(condition.get("filter"))
    return "resource.type = " in text and "metric.type = " in text


def _is_ready(function: Any) -> bool:
    """Return whether the function that is asked for the health has an instance."""
    config = function.get("service_config", {})
    is_health = config.get("environment_variables", {}).get("LEEWARD_FUNCTION") == HEALTH
    return not is_health or config.get("min_instance_count", 0) > 0


LAST: Final = 2_147_483_647
"""The priority of the last rule of a policy."""

ALIGNERS: Final = ("ALIGN_DELTA", "ALIGN_MAX", "ALIGN_NEXT_OLDER")
"""That alerts use. Source: `Aggregation` in the REST reference of Cloud Monitoring."""

_POLICY: Final = "google_monitoring_alert_policy"
_CONDITION: Final = "conditions.condition_threshold"

RULES: Final = (
    *(Rule(each, "role", NARROW.__contains__, "is wider than it must be") for each in _MEMBERS),
    *(Rule(each, "", _is_open_for_health_alone, "is open to everybody; only the health may be")
      for each in _MEMBERS),
    Rule("google_project_iam_member", "", lambda member: "condition" in member,
         "holds for the whole project; bind it to one database by a condition"),
    Rule(_CHECK, "check_interval_sec", *between(
        30, 300, of=" seconds, with source_regions; set interval in [export.google]")),
    Rule(_CHECK, "unhealthy_threshold", *between(1, 10, of="; set failures in [export.google]")),
    Rule(_CHECK, "",
         lambda check: check.get("timeout_sec", 5) <= check.get("check_interval_sec", 5),
         "has a timeout_sec longer than its check_interval_sec"),
    Rule(_CHECK, "source_regions", lambda found: len(found) == 3, "must be exactly three regions"),
    Rule("google_dns_record_set", "name", *DNS_NAME),
    Rule("google_dns_record_set", "name", lambda name: name.endswith("."), "must end with a dot"),
    Rule("google_dns_record_set", "managed_zone", *like(
        r"[a-z][a-z0-9-]{0,62}", "must be the name of a managed zone, such as example-com; set "
        "zone in [export.google]")),
    Rule(_JOB, "name", *like(
        r"[A-Za-z0-9_-]{1,500}", "must be letters, digits, hyphens and underscores")),
    Rule(_JOB, "retry_config.retry_count", *between(0, 5)),
    Rule(_JOB, "http_target", lambda target: "oidc_token" in target,
         "must send a token of an account, or the function must be open to everybody"),
    Rule(_FUNCTION, "name", *like(
        r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "must be up to 63 lower-case letters, digits and "
        "hyphens, a letter first")),
    Rule(_FUNCTION, "service_config.timeout_seconds", *between(1, 3600, of=" seconds")),
    Rule(_FUNCTION, "", _is_ready, "has no instance ready and could not answer a health check in "
         "time, so the standby would never take over; set standby_instances in [export.google] to "
         "1 or more"),
    Rule(_FUNCTION, "service_config", lambda config: "max_instance_count" in config,
         "has no max_instance_count, and would grow without an end; set limit in [deploy]"),
    Rule(_FUNCTION, "service_config.max_instance_count", *between(
        1, 1000, of="; set concurrency or limit in [deploy]")),
    Rule(_FUNCTION, "service_config.available_memory", *like(
        r"[0-9]{3,5}M", "must be megabytes, such as 256M; set memory in [deploy]")),
    Rule("google_storage_bucket", "public_access_prevention", *one_of("enforced")),
    Rule("google_storage_bucket", "uniform_bucket_level_access", *one_of(True)),
    Rule("google_logging_project_bucket_config", "retention_days", *between(
        1, 3650, of=" days; set log_days in [deploy]")),
    Rule("google_compute_security_policy", "", _has_last_rule,
         f"has no rule of the priority {LAST}, for all that no other one is for"),
    Rule("google_compute_backend_service", "", _is_throttled,
         "is open to everybody, and has no security_policy that bounds how often it is asked"),
    Rule(_POLICY, _CONDITION, _names_metric, "must name a resource and a metric in its filter"),
    Rule(_POLICY, f"{_CONDITION}.duration", lambda text: int(text[:-1]) % 60 == 0,
         "must be whole minutes, in seconds"),
    Rule(_POLICY, f"{_CONDITION}.aggregations.per_series_aligner", *one_of(*ALIGNERS)),
    Rule(_POLICY, "combiner", *one_of("OR", "AND", "AND_WITH_MATCHING_RESOURCE")),
    Rule("google_monitoring_uptime_check_config", "period", *one_of("60s", "300s", "600s", "900s")),
    Rule(_SUBSCRIPTION, "ack_deadline_seconds", *between(10, 600, of=" seconds")),
    Rule(_SUBSCRIPTION, "dead_letter_policy.max_delivery_attempts", *between(5, 100)),
    Rule("google_service_account", "account_id", *like(
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "must be 6 to 30 lower-case letters, digits and hyphens")),
    Rule("google_pubsub_topic", "name", *like(
        r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}", "must be 3 to 255 characters, a letter first"
    )),
    Rule("google_storage_bucket", "name", *like(
        r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", "must be 3 to 63 lower-case letters, digits, dots, "
        "hyphens and underscores; name it so in leeward.toml")),
    Rule("google_workflows_workflow", "name", *like(
        r"[a-z]([a-z0-9_-]{0,62}[a-z0-9])?", "must be up to 64 lower-case letters, digits, hyphens "
        "and underscores, a letter first; name it so in leeward.toml")),
    Rule("google_compute_region_network_endpoint_group", "network_endpoint_type",
         *one_of("SERVERLESS")),
)  # fmt: skip
