"""Mistakes in the configurations of the app with everything, and what is to be told of each."""

from __future__ import annotations

import json
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


def policy(statement: dict[str, Any]) -> str:
    """Return the text of a policy with one statement."""
    return json.dumps({"Statement": [{"Effect": "Allow", **statement}]})


NOBODY = "${aws_iam_role.nobody.arn}"
QUEUE = "arn:${data.aws_partition.this.partition}:sqs:eu-west-1:1:orders"
FUNCTION = "aws_lambda_function/make"
CHECK = "aws_route53_health_check/health_check"
SCHEDULE = "aws_scheduler_schedule/sweep_schedule"
POLICY = "aws_iam_role_policy/make_role/policy"
PROFILE = "azurerm_traffic_manager_profile/app/monitor_config"
ROLE = "azurerm_role_assignment/publish-orders"
A_STORAGE = "azurerm_storage_account/app"
A_APP = "azurerm_function_app_flex_consumption/app"
A_QUERY = "azurerm_monitor_scheduled_query_rules_alert_v2/errors"
G_FUNCTION = "google_cloudfunctions2_function/make/service_config"
G_ALERT = "google_monitoring_alert_policy/errors/conditions/0/condition_threshold"
G_CHECK = "google_compute_health_check/entrance"
G_JOB = "google_cloud_scheduler_job/sweep"

LOG = "aws_cloudwatch_log_group/make_log"
MAPPING = "aws_lambda_event_source_mapping/send_messages"
ALARM = "aws_cloudwatch_metric_alarm/make_errors_alarm"
ROUTE = "aws_apigatewayv2_route/make_route"
DOMAIN = "aws_apigatewayv2_domain_name/http_domain"
DEAD = "aws_sqs_queue/make_dead_queue"

TRUST = "aws_iam_role/make_role/assume_role_policy"
EVERYBODY = policy({"Principal": "*"})
ALL_BUT = policy({"NotAction": "sqs:SendMessage", "Resource": QUEUE})
QUEUES = policy({"Action": ["sqs:SendMessage"], "Resource": [QUEUE.replace("orders", "*")]})

MISTAKES: dict[str, tuple[str, Change, str]] = {
    "a name": ("aws", at(f"{FUNCTION}/memory", 1), "has no argument memory"),
    "a name in a block": ("aws", at(f"{FUNCTION}/environment/vars", {}), "environment has"),
    "a type of resource": ("aws", at("aws_sqs_queues", {"a": {}}), "is not a resource"),
    "a missing argument": ("aws", at(f"{FUNCTION}/role", None), "lacks role"),
    "a missing argument of a block": (
        "aws",
        at(f"{SCHEDULE}/target/role_arn", None),
        "lacks role_arn",
    ),
    "a number as a text": ("aws", at(f"{FUNCTION}/timeout", "30"), "'30', not a number"),
    "a text as a list": ("aws", at(f"{FUNCTION}/handler", ["h"]), "not a string"),
    "a truth as a number": ("aws", at(f"{FUNCTION}/memory_size", True), "True, not a number"),
    "a list as a text": ("aws", at(f"{FUNCTION}/architectures", "x86_64"), "not a list"),
    "a reference to nothing": ("aws", at(f"{FUNCTION}/role", NOBODY), "nobody"),
    "an attribute that is not there": (
        "aws",
        at(f"{FUNCTION}/role", "${aws_iam_role.make_role.arm}"),
        "make_role.arm",
    ),
    "a variable that is not there": (
        "aws",
        at(f"{FUNCTION}/filename", "${var.zip}"),
        "variable zip",
    ),
    "data that is not there": ("aws", at(f"{FUNCTION}/role", "${data.aws_x.this.arn}"), "aws_x"),
    "an interval of 20": ("aws", at(f"{CHECK}/request_interval", 20), "must be 10 or 30"),
    "a threshold of 0": ("aws", at(f"{CHECK}/failure_threshold", 0), "must be 1 to 10"),
    "a standby without concurrency": (
        "aws",
        at(f"{FUNCTION}_us_west_2/reserved_concurrent_executions", 0),
        "health check",
    ),
    "a name of a schedule": ("aws", at(f"{SCHEDULE}/name", "every day"), "up to 64 letters"),
    "too many retries of a schedule": (
        "aws",
        at(f"{SCHEDULE}/target/retry_policy/maximum_retry_attempts", 200),
        "0 to 185",
    ),
    "a name of a bus": (
        "aws",
        at("aws_cloudwatch_event_bus/orders_bus/name", "our orders"),
        "must be up to 256 letters",
    ),
    "a name in DNS": ("aws", at("aws_route53_record/dns_record/name", "a_b"), "name of a host"),
    "every action": ("aws", at(POLICY, policy({"Action": "sqs:*", "Resource": QUEUE})), "is wider"),
    "every resource": (
        "aws",
        at(POLICY, policy({"Action": "sqs:SendMessage", "Resource": "*"})),
        "is wider",
    ),
    "every queue": ("aws", at(POLICY, QUEUES), "wider"),
    "all but one action": ("aws", at(POLICY, ALL_BUT), "wider"),
    "everybody as a service": ("aws", at(TRUST, EVERYBODY), "services"),
    "an open queue": (
        "aws",
        at("aws_sqs_queue_policy/remember_dead_queue_policy/policy", EVERYBODY),
        "for a named source",
    ),
    "a log for ever": ("aws", at(f"{LOG}/retention_in_days", None), "for ever"),
    "a log of 45 days": ("aws", at(f"{LOG}/retention_in_days", 45), "set log_days in [deploy]"),
    "a name of a log": ("aws", at(f"{LOG}/name", "/aws/lambda/our function"), "512 letters"),
    "one consumer at a time": (
        "aws",
        at(f"{MAPPING}/scaling_config", {"maximum_concurrency": 1}),
        "2 to 1000 runs at one time; set concurrency",
    ),
    "failed messages are done": (
        "aws",
        at(f"{MAPPING}/function_response_types", []),
        "messages that have failed are gone",
    ),
    "a batch of none": ("aws", at(f"{MAPPING}/batch_size", 0), "must be 1 to 10000 messages"),
    "an alarm that compares": ("aws", at(f"{ALARM}/comparison_operator", "Greater"), "Threshold"),
    "an alarm of a median": ("aws", at(f"{ALARM}/statistic", "Median"), "Sum or Maximum"),
    "an alarm of 45 seconds": ("aws", at(f"{ALARM}/period", 45), "a multiple of 60"),
    "an alarm that counts too many": (
        "aws",
        at(f"{ALARM}/datapoints_to_alarm", 4),
        "more periods than it looks at",
    ),
    "an alarm over two days": (
        "aws",
        at(f"{ALARM}/evaluation_periods", 600),
        "looks at more than a day",
    ),
    "an alarm that tells nobody": ("aws", at(f"{ALARM}/alarm_actions", []), "nobody is told"),
    "an alarm without data": ("aws", at(f"{ALARM}/treat_missing_data", "ok"), "notBreaching"),
    "an alarm of another name": (
        "aws",
        at(f"{ALARM}/dimensions", {"FunctionName": "${aws_lambda_function.maker.arn}"}),
        "maker, which is not here",
    ),
    "an open route": ("aws", at(f"{ROUTE}/authorization_type", "NONE"), "is open to everybody"),
    "a token without an authorizer": (
        "aws",
        at(f"{ROUTE}/authorization_type", "JWT"),
        "with an authorizer",
    ),
    "a health without a limit": (
        "aws",
        at("aws_apigatewayv2_stage/http_api_stage/route_settings", []),
        "must have a limit",
    ),
    "a health that refuses its checks": (
        "aws",
        at("aws_apigatewayv2_stage/http_api_stage/route_settings/0/throttling_rate_limit", 1),
        "must have a limit of 20",
    ),
    "an old TLS": (
        "aws",
        at(f"{DOMAIN}/domain_name_configuration/security_policy", "TLS_1_0"),
        "must be TLS_1_2",
    ),
    "a permission for everything": (
        "aws",
        at("aws_lambda_permission/make_api_permission/source_arn", None),
        "name its source_arn",
    ),
    "an old Python": ("aws", at(f"{FUNCTION}/runtime", "python3.9"), "must be python3.11"),
    "traces of all": (
        "aws",
        at(f"{FUNCTION}/tracing_config", {"mode": "On"}),
        "Active or PassThrough",
    ),
    "a plain queue": ("aws", at(f"{DEAD}/sqs_managed_sse_enabled", False), "encrypted"),
    "an order that no name tells": ("aws", at(f"{DEAD}/fifo_queue", True), ".fifo at the end"),
    "a message that comes for ever": (
        "aws",
        at("aws_sqs_queue/send_queue/redrive_policy", '{"maxReceiveCount": 0}'),
        "maxReceiveCount of 1 to 1000",
    ),
    "a bucket for everybody": (
        "aws",
        at("aws_s3_bucket_public_access_block/scans_bucket/block_public_acls", False),
        "for everybody",
    ),
    "a table that an apply deletes": (
        "aws",
        at("aws_dynamodb_table/orders_table/deletion_protection_enabled", False),
        "not deleted",
    ),
    "a table without a past": (
        "aws",
        at("aws_dynamodb_table/orders_table/point_in_time_recovery/enabled", False),
        "restored",
    ),
    "a name of a role": ("aws", at("aws_iam_role/make_role/name", "a role"), "up to 64 letters"),
    "traces and a table": (
        "aws",
        at(POLICY, policy({"Action": ["xray:PutTraceSegments", "s3:GetObject"], "Resource": "*"})),
        "is wider",
    ),
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
