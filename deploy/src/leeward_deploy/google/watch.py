"""What watches an app on Google Cloud: its logs for some days, and policies that alert.

A handler that fails once and does well when it is tried again raises no alert; a dead letter does.

Sources: the resources of the provider ``hashicorp/google``; in Google Cloud's documentation "Google
Cloud metrics" (Cloud Run, Pub/Sub, Monitoring), "Configure log buckets" and "Route logs".
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from leeward.app.kit import HEALTH_PATH
from leeward_deploy.google.roles import FUNCTION, PROJECT, stem
from leeward_deploy.needs import seconds_of
from leeward_deploy.recipe import PackageSpec
from leeward_deploy.terraform import Configuration, of

_MEMBERS: Final = (
    *("google_cloud_run_service_iam_member", "google_cloudfunctions2_function_iam_member"),
    *("google_project_iam_member", "google_pubsub_subscription_iam_member"),
    *("google_pubsub_topic_iam_member", "google_storage_bucket_iam_member"),
)

_ENTRANCE: Final = (
    *("google_compute_backend_service", "google_compute_global_address"),
    *("google_compute_global_forwarding_rule", "google_compute_health_check"),
    *("google_compute_region_network_endpoint_group", "google_compute_security_policy"),
    *("google_compute_target_https_proxy", "google_compute_url_map", "google_dns_record_set"),
)

LAYOUT: Final = {
    FUNCTION: "functions.tf",
    "google_storage_bucket_object": "functions.tf",
    "google_service_account": "rights.tf",
    **dict.fromkeys(_MEMBERS, "rights.tf"),
    "google_pubsub_topic": "queues.tf",
    "google_pubsub_subscription": "queues.tf",
    "google_cloud_scheduler_job": "triggers.tf",
    "google_storage_notification": "triggers.tf",
    "google_storage_bucket": "data.tf",
    "google_firestore_database": "data.tf",
    "google_workflows_workflow": "workflows.tf",
    **dict.fromkeys(_ENTRANCE, "entrance.tf"),
    "google_logging_project_bucket_config": "logs.tf",
    "google_logging_project_sink": "logs.tf",
    "google_monitoring_alert_policy": "alarms.tf",
    "google_monitoring_uptime_check_config": "alarms.tf",
}
"""The file of each type of resource."""

HEADS: Final = {
    "functions.tf": "A function for each handler. An instance runs one call at a time, so the "
    "number of instances is what a handler may take away from what is behind it.",
    "rights.tf": "A service account for each function, with what its code uses and no more.",
    "queues.tf": "Topics, subscriptions that push to functions, and those that keep dead letters.",
    "triggers.tf": "Schedules, and what buckets tell of their objects.",
    "data.tf": "Databases and buckets. What holds data is never destroyed by an apply.",
    "workflows.tf": "Workflows, each with an account that may call its functions.",
    "entrance.tf": "How callers without leeward reach the app: a load balancer in each region, and "
    "Cloud DNS, which leads to the first region as long as its health check goes well.",
    "logs.tf": "The logs of the functions, for as many days as the app wants them. The bucket "
    "_Default of the project gets them, too, unless an exclusion of yours keeps them out of it.",
    "alarms.tf": "Alerts to the channels of var.notification_channels; without one they only show "
    "in Cloud Monitoring.",
    "variables.tf": "What a project sets.",
    "outputs.tf": "What a project may use.",
    "versions.tf": "Made by leeward: change leeward.toml and export again, or keep this as yours.",
}
"""What each file says of itself."""

CHANNELS: Final = "${var.notification_channels}"

OLDEST: Final = 900
"""Seconds that a message may wait, at least, before that is an alert."""


class Alert(NamedTuple):
    """A policy.

    Attributes:
        title: what has happened, after the name of what it happened to.
        advice: what to do about it.
        filter: of the metric.
        aligner: of its points.
        reducer: of its series.
        threshold: that it must not pass.
        minutes: for which it has to be passed.
        why: for those who read the file.
    """

    title: str
    advice: str
    filter: str
    aligner: str = "ALIGN_DELTA"
    reducer: str = "REDUCE_SUM"
    threshold: Any = 0
    minutes: int = 0
    why: str = ""


def watch(made: Configuration, spec: PackageSpec, location: str, domain: str = "") -> None:
    """Add logs and alerts for what has been added already.

    Args:
        made: that it is added to.
        spec: what is packaged.
        location: of the logs.
        domain: whose health is looked at from outside; empty for none.
    """
    resources = made.document()["resource"]
    functions = {
        name: {"service": of(f"{FUNCTION}.{name}.name"), "location": each["location"]}
        for name, each in resources.get(FUNCTION, {}).items()
    }
    services = [each["name"] for each in resources.get(FUNCTION, {}).values()]
    if services:
        _add_logs(made, spec, location, services)
    made.output(
        "functions",
        {name: of(f"{FUNCTION}.{name}.service_config[0].uri") for name in functions},
        "The address of each function; its callers need a token for it.",
    )
    if not spec.settings.alarms:
        return
    made.variable(
        "notification_channels",
        "the ids of the channels that alerts go to; without one they only show in Cloud Monitoring",
        type="list(string)",
        default=[],
    )
    made.local("functions", functions)
    _add_alerts(made, spec, resources.get("google_pubsub_subscription", {}))
    if domain:
        _add_uptime(made, spec, domain)


def _add_logs(made: Configuration, spec: PackageSpec, location: str, services: list[str]) -> None:
    """Add a bucket of logs that end, and what leads the logs of the functions there."""
    made.variable(
        "log_days",
        "days that logs are kept",
        type="number",
        default=spec.settings.log_days,
        validation={
            "condition": "${var.log_days >= 1 && var.log_days <= 3650}",
            "error_message": "It must be 1 to 3650 days.",
        },
    )
    bucket = made.add(
        "google_logging_project_bucket_config",
        "app",
        project=PROJECT,
        location=location,
        bucket_id=f"{stem(spec)}logs",
        retention_days="${var.log_days}",
        description=f"of the functions of {spec.app.name}",
    )
    names = " OR ".join(f'"{each}"' for each in sorted({*services}))
    wanted = f'resource.type = "cloud_run_revision" AND resource.labels.service_name = ({names})'
    if not spec.settings.access_logs:
        wanted += ' AND NOT log_id("run.googleapis.com/requests")'
    made.add(
        "google_logging_project_sink",
        "app",
        project=PROJECT,
        name=f"{stem(spec)}logs",
        destination=f"logging.googleapis.com/{of(f'{bucket}.id')}",
        filter=wanted,
        unique_writer_identity=True,
    )


def _add_alerts(made: Configuration, spec: PackageSpec, subscriptions: dict[str, Any]) -> None:
    """Add what alerts of functions, of dead letters, and of messages that wait."""
    service = (
        'resource.type = "cloud_run_revision" AND '
        'resource.labels.service_name = "${each.value.service}" AND '
        'resource.labels.location = "${each.value.location}" AND '
        'metric.type = "run.googleapis.com/request_count" AND '
    )
    _alert(made, spec, "errors", "${local.functions}", Alert(
        "runs fail", "Look into the log of the function.",
        f'{service}metric.labels.response_code_class = "5xx"', minutes=10,
    ))  # fmt: skip
    _alert(made, spec, "throttles", "${local.functions}", Alert(
        "calls are turned away", "All instances are busy: give it more, or send it less.",
        f'{service}metric.labels.response_code = "429"', minutes=10,
        why="Of a function that is pushed to, each of these is an attempt of a message, too.",
    ))  # fmt: skip
    kept = {n: _name(n) for n, each in subscriptions.items() if "push_config" not in each}
    pushed = {
        name: {
            "subscription": _name(name),
            "seconds": max(OLDEST, 2 * 6 * seconds_of(spec.app.handlers[name])),
        }
        for name, each in subscriptions.items()
        if "push_config" in each
    }
    if not pushed:
        return
    made.local("dead_letters", kept)
    made.local("deliveries", pushed)
    of_pubsub = 'resource.type = "pubsub_subscription" AND resource.labels.subscription_id = '
    _alert(made, spec, "dead_letters", "${local.dead_letters}", Alert(
        "there are dead letters", "See leeward dlq list, and redrive them when it is mended.",
        f'{of_pubsub}"${{each.value}}" AND '
        'metric.type = "pubsub.googleapis.com/subscription/num_undelivered_messages"',
        "ALIGN_MAX", "REDUCE_MAX",
    ))  # fmt: skip
    _alert(made, spec, "oldest_message", "${local.deliveries}", Alert(
        "a message waits for too long", "Its handler fails, or is too slow.",
        f'{of_pubsub}"${{each.value.subscription}}" AND '
        'metric.type = "pubsub.googleapis.com/subscription/oldest_unacked_message_age"',
        "ALIGN_MAX", "REDUCE_MAX", "${each.value.seconds}", 5,
    ))  # fmt: skip


def _name(subscription: str) -> str:
    return of(f"google_pubsub_subscription.{subscription}.name")


def _alert(
    made: Configuration, spec: PackageSpec, name: str, things: str | None, alert: Alert
) -> None:
    """Add a policy, or one for each of some things."""
    title = f"{stem(spec)}${{each.key}}" if things else f"{stem(spec)}app"
    made.add(
        "google_monitoring_alert_policy",
        name,
        **({"//": alert.why} if alert.why else {}),
        **({"for_each": things} if things else {}),
        project=PROJECT,
        display_name=f"{title}: {alert.title}",
        combiner="OR",
        notification_channels=CHANNELS,
        conditions=[
            {
                "display_name": alert.title,
                "condition_threshold": {
                    "filter": alert.filter,
                    "comparison": "COMPARISON_GT",
                    "threshold_value": alert.threshold,
                    "duration": f"{60 * alert.minutes}s",
                    "aggregations": [
                        {
                            "alignment_period": "300s",
                            "per_series_aligner": alert.aligner,
                            "cross_series_reducer": alert.reducer,
                        }
                    ],
                },
            }
        ],
        documentation={"content": alert.advice, "mime_type": "text/markdown"},
    )


def _add_uptime(made: Configuration, spec: PackageSpec, domain: str) -> None:
    """Add what looks at the health of the domain from outside, and alerts."""
    check = made.add(
        "google_monitoring_uptime_check_config",
        "health",
        project=PROJECT,
        display_name=f"{stem(spec)}health",
        timeout="10s",
        period="60s",
        http_check={"path": HEALTH_PATH, "port": 443, "use_ssl": True, "validate_ssl": True},
        monitored_resource={
            "type": "uptime_url",
            "labels": {"project_id": PROJECT, "host": domain},
        },
    )
    made_by = of(f"{check}.uptime_check_id")
    _alert(made, spec, "health", None, Alert(
        "it does not answer", "No region answers, or DNS leads nowhere: see leeward doctor.",
        'resource.type = "uptime_url" AND '
        f'metric.labels.check_id = "{made_by}" AND '
        'metric.type = "monitoring.googleapis.com/uptime_check/check_passed"',
        "ALIGN_NEXT_OLDER", "REDUCE_COUNT_FALSE", 1, 2,
        why="One place that cannot reach it raises no alert; two do.",
    ))  # fmt: skip
