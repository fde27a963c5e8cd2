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


G_FUNCTION = "google_cloudfunctions2_function/make/service_config"
G_ALERT = "google_monitoring_alert_policy/errors/conditions/0/condition_threshold"
G_CHECK = "google_compute_health_check/entrance"
G_JOB = "google_cloud_scheduler_job/sweep"


MISTAKES: dict[str, tuple[str, Change, str]] = {
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
