"""What AWS refuses that no schema knows: values, names, and roles that are too wide.

What cfn-lint finds in a template counts, too, where that is installed.

Sources: Route 53's API reference (`HealthCheckConfig`), that of EventBridge Scheduler
(`CreateSchedule`), "Lambda quotas", SQS's (`CreateQueue`), CloudWatch's (`PutMetricAlarm`,
`PutRetentionPolicy`), Lambda's (`CreateEventSourceMapping`), "Restrictions on Lambda@Edge".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

from leeward.app.kit import HEALTH_PATH
from leeward_deploy.aws.terraform import ACCOUNT, PARTITION
from leeward_deploy.terraform import DNS_NAME, Rule, between, like, one_of

LONGEST_POLICY: Final = 10_240
"""Characters of the policies of a role. Source: "IAM and AWS STS quotas"."""

_NAMED: Final = re.compile(
    r"arn:[^:*]+:s3:::[^:*/]+(/[^*]*\*)?"
    r"|arn:[^:*]+:states:[^:*]+:[^:*]+:(stateMachine|execution:[^:*]+):\*"
    r"|arn:[^:*]+:logs:[^:*]+:[^:*]+:log-group:[^:*]+(:\*)?"
    r"|arn:[^:*]+:[a-z0-9-]+:[^:*]+:[^:*]+:[^*]*[^*:/]"
)

_WIDE: Final = "is wider than it must be: a role names each action and each resource"

_HEALTH: Final = "aws_route53_health_check"

_SCHEDULE: Final = "aws_scheduler_schedule"

_FUNCTION: Final = "aws_lambda_function"

_QUEUE: Final = "aws_sqs_queue"

LOCAL: Final = "W3002"
"""Its word on a path in place of an object in S3, which `aws cloudformation package` uploads."""


def _statements(policy: Any) -> Iterator[dict[str, Any]]:
    """Yield the statements of a policy, which is a text of JSON."""
    if isinstance(policy, str) and policy.startswith("{"):
        yield from json.loads(policy).get("Statement", ())


def _is_narrow(policy: Any) -> bool:
    """Return whether a policy names what may be done, and to what."""
    return all(
        {"Action", "Resource"} <= statement.keys()
        and not any("*" in action for action in _as_list(statement["Action"]))
        and (
            all(map(_names_something, _as_list(statement["Resource"])))
            or all(action.startswith("xray:") for action in _as_list(statement["Action"]))
        )
        for statement in _statements(policy)
    )


def _fits(role: Any) -> bool:
    """Return whether a role's policy is no longer than IAM takes it; blanks do not count."""
    text = str(role.get("policy")).replace(ACCOUNT, "0" * 12).replace(PARTITION, "aws")
    return len("".join(text.split())) <= LONGEST_POLICY


def _names_something(resource: str) -> bool:
    """Return whether an ARN is that of one thing.

    Objects of a bucket, streams of a log, runs of a machine are one; machines are looked for.
    """
    if re.fullmatch(r"\$\{[^{}]+\}", resource):
        return True
    return bool(_NAMED.fullmatch(re.sub(r"\$\{[^{}]+\}", "known", resource)))


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _trusts_services(policy: Any) -> bool:
    """Return whether a role may be taken on by services of AWS alone."""
    return all(
        isinstance(statement.get("Principal"), dict)
        and statement["Principal"].keys() == {"Service"}
        and all(
            name.endswith(".amazonaws.com") for name in _as_list(statement["Principal"]["Service"])
        )
        for statement in _statements(policy)
    )


def _has_source(policy: Any) -> bool:
    """Return whether a queue is open only for a named source."""
    return all(
        statement.get("Principal") != "*" and statement.get("Condition")
        for statement in _statements(policy)
    )


def _has_an_end(log: Any) -> bool:
    """Return whether a log ends: one that does not say so is kept for ever."""
    return "retention_in_days" in log


def _is_authorized(route: Any) -> bool:
    """Return whether a route asks who calls; anybody may ask for the health."""
    kind = route.get("authorization_type", "NONE")
    if kind == "NONE":
        return bool(route.get("route_key") == f"GET {HEALTH_PATH}")
    return kind == "AWS_IAM" or bool(kind == "JWT" and route.get("authorizer_id"))


def _limits_health(stage: Any) -> bool:
    """Return whether a stage has a limit for what anybody may ask."""
    limits = {each.get("route_key"): each for each in stage.get("route_settings", ())}
    found = limits.get(f"GET {HEALTH_PATH}", {})
    rate, burst = found.get("throttling_rate_limit", 0), found.get("throttling_burst_limit", 0)
    return all(LEAST_CHECKS <= each <= MOST_CHECKS for each in (rate, burst))


def _reports_failures(types: Any) -> bool:
    """Return whether a mapping asks for the messages that have failed."""
    return "ReportBatchItemFailures" in types


def _fits_periods(alarm: Any) -> bool:
    """Return whether an alarm looks at as many periods as it counts, within a day."""
    periods = alarm.get("evaluation_periods", 0)
    fits = alarm.get("datapoints_to_alarm", periods) <= periods
    return bool(fits and periods * alarm.get("period", 0) <= DAY)


def _tells(actions: Any) -> bool:
    return bool(actions)


def _keeps_its_order(queue: Any) -> bool:
    """Return whether a queue says by its name whether it keeps an order."""
    name = str(queue.get("name"))
    return "${" in name or name.endswith(".fifo") is bool(queue.get("fifo_queue"))


def _gives_up(policy: Any) -> bool:
    """Return whether a queue moves a message away after a number of receives that SQS takes."""
    found = json.loads(policy) if isinstance(policy, str) and policy.startswith("{") else {}
    return bool(1 <= found.get("maxReceiveCount", 0) <= MOST_RECEIVES)


def _is_true(value: Any) -> bool:
    return value is True


LEAST_CHECKS: Final = 20
"""Requests in a second, and at once: from fewer, checks of Route 53's 16 places are refused."""

MOST_CHECKS: Final = 200

DAY: Final = 86_400
"""Seconds that the periods of an alarm may have together."""

MOST_RECEIVES: Final = 1000

RETENTIONS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922),
    *(3288, 3653),
)
"""Days. Source: `PutRetentionPolicy`."""

_ALARM: Final = "aws_cloudwatch_metric_alarm"

_MAPPING: Final = "aws_lambda_event_source_mapping"

_PUBLIC: Final = "aws_s3_bucket_public_access_block"

_SHUT: Final = "must be true: nothing of a bucket is for everybody"

RULES: Final = (
    Rule(_HEALTH, "request_interval", *one_of(10, 30, of=" seconds; set interval in [export.aws]")),
    Rule(_HEALTH, "failure_threshold", *between(1, 10, of="; set failures in [export.aws]")),
    Rule(_HEALTH, "resource_path", *like(r".{0,255}", "must have 255 characters at most")),
    Rule(_HEALTH, "type", *one_of("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")),
    Rule(_HEALTH, "search_string", *like(r".{1,255}", "must have 1 to 255 characters")),
    Rule("aws_route53_record", "name", *DNS_NAME),
    Rule("aws_route53_record", "failover_routing_policy.type", *one_of("PRIMARY", "SECONDARY")),
    Rule("aws_route53_record", "zone_id", *like(
        r"Z[A-Z0-9]{1,31}", "must be the id of a hosted zone, such as Z0123456789ABCDEFGHIJ; set "
        "zone in [export.aws]")),
    Rule("aws_apigatewayv2_domain_name", "domain_name", *DNS_NAME),
    Rule(_SCHEDULE, "name", *like(
        r"[0-9a-zA-Z._-]{1,64}", "must be up to 64 letters, digits, dots, hyphens, underscores")),
    Rule(_SCHEDULE, "schedule_expression", *like(
        r"(cron|rate|at)\(.+\)", "must be cron(..), rate(..) or at(..)")),
    Rule(_SCHEDULE, "flexible_time_window.mode", *one_of("OFF", "FLEXIBLE")),
    Rule(_SCHEDULE, "state", *one_of("ENABLED", "DISABLED")),
    Rule(_SCHEDULE, "target.retry_policy.maximum_retry_attempts", *between(0, 185)),
    Rule(_SCHEDULE, "target.retry_policy.maximum_event_age_in_seconds", *between(60, 86_400)),
    Rule(_FUNCTION, "timeout", *between(1, 900, of=" seconds")),
    Rule(_FUNCTION, "memory_size", *between(
        128, 10_240, of=" megabytes; set memory in [deploy]")),
    Rule(_FUNCTION, "reserved_concurrent_executions", *between(
        1, 1000, of=": a function without any cannot answer a health check, and the standby would "
        "never take over; set standby_instances in [export.aws], or leave it out")),
    Rule(_FUNCTION, "function_name", *like(
        r"[A-Za-z0-9_-]{1,64}", "must be up to 64 letters, digits, hyphens and underscores")),
    Rule(_FUNCTION, "runtime", *one_of(*(f"python3.{minor}" for minor in range(11, 15)))),
    Rule(_FUNCTION, "tracing_config.mode", *one_of("Active", "PassThrough")),
    Rule(_FUNCTION, "logging_config.log_format", *one_of("Text", "JSON")),
    Rule("aws_lambda_function_event_invoke_config", "maximum_retry_attempts", *between(0, 2)),
    Rule("aws_lambda_permission", "", lambda given: "source_arn" in given,
         "lets everything of a service call: name its source_arn"),
    Rule(_MAPPING, "batch_size", *between(1, 10_000, of=" messages")),
    Rule(_MAPPING, "scaling_config.maximum_concurrency", *between(
        2, 1000, of=" runs at one time; set concurrency in [deploy]")),
    Rule(_MAPPING, "function_response_types", _reports_failures,
         "must have ReportBatchItemFailures: else messages that have failed are gone"),
    Rule("aws_cloudwatch_log_group", "", _has_an_end, "keeps everything for ever; give it days"),
    Rule("aws_cloudwatch_log_group", "retention_in_days", *one_of(
        *RETENTIONS, of=" days; set log_days in [deploy]")),
    Rule("aws_cloudwatch_log_group", "name", *like(
        r"[A-Za-z0-9._/#-]{1,512}", "must be up to 512 letters, digits and ._/#-")),
    Rule(_ALARM, "alarm_name", *like(r".{1,255}", "must have 1 to 255 characters")),
    Rule(_ALARM, "comparison_operator", *one_of(
        "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold",
        "LessThanOrEqualToThreshold")),
    Rule(_ALARM, "statistic", *one_of("Sum", "Maximum", "Minimum", "Average", "SampleCount")),
    Rule(_ALARM, "treat_missing_data", *one_of("breaching", "notBreaching", "ignore", "missing")),
    Rule(_ALARM, "period", lambda given: given in (10, 20, 30) or given % 60 == 0,
         "must be 10, 20, 30 or a multiple of 60 seconds"),
    Rule(_ALARM, "", _fits_periods, "counts more periods than it looks at, or looks at more than "
         "a day"),
    Rule(_ALARM, "alarm_actions", _tells, "is nothing, so that nobody is told"),
    Rule("aws_apigatewayv2_api", "protocol_type", *one_of("HTTP")),
    Rule("aws_apigatewayv2_route", "", _is_authorized, "is open to everybody: it must ask for a "
         "signature, or for a token with an authorizer"),
    Rule("aws_apigatewayv2_stage", "", _limits_health, f"lets anybody ask for the health, and must "
         f"have a limit of {LEAST_CHECKS} to {MOST_CHECKS} in a second and at once"),
    Rule("aws_apigatewayv2_authorizer", "jwt_configuration.issuer", *like(
        r"https://\S+", "must be an https address; set issuer in [deploy]")),
    Rule("aws_apigatewayv2_authorizer", "jwt_configuration.audience", _tells,
         "must name somebody; set audience in [deploy]"),
    Rule("aws_apigatewayv2_domain_name", "domain_name_configuration.security_policy",
         *one_of("TLS_1_2")),
    Rule(_QUEUE, "name", *like(
        r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo",
        "must be up to 80 letters, digits, hyphens and underscores, with .fifo among them")),
    Rule(_QUEUE, "visibility_timeout_seconds", *between(0, 43_200, of=" seconds")),
    Rule(_QUEUE, "message_retention_seconds", *between(60, 1_209_600, of=" seconds")),
    Rule(_QUEUE, "", _keeps_its_order, "must have .fifo at the end of its name if, and only if, it "
         "keeps an order"),
    Rule(_QUEUE, "redrive_policy", _gives_up,
         f"must have a maxReceiveCount of 1 to {MOST_RECEIVES}"),
    Rule(_QUEUE, "sqs_managed_sse_enabled", _is_true, "must be true: messages are encrypted"),
    Rule(_PUBLIC, "block_public_acls", _is_true, _SHUT),
    Rule(_PUBLIC, "block_public_policy", _is_true, _SHUT),
    Rule(_PUBLIC, "ignore_public_acls", _is_true, _SHUT),
    Rule(_PUBLIC, "restrict_public_buckets", _is_true, _SHUT),
    Rule("aws_dynamodb_table", "billing_mode", *one_of("PAY_PER_REQUEST", "PROVISIONED")),
    Rule("aws_dynamodb_table", "deletion_protection_enabled", _is_true,
         "must be true: a table is not deleted by an apply"),
    Rule("aws_dynamodb_table", "point_in_time_recovery.enabled", _is_true,
         "must be true: a table can be restored"),
    Rule("aws_sfn_state_machine", "type", *one_of("STANDARD", "EXPRESS")),
    Rule("aws_iam_role", "name", *like(
        r"[A-Za-z0-9+=,.@_-]{1,64}", "must be up to 64 letters, digits and +=,.@_-")),
    Rule("aws_s3_bucket", "bucket", *like(
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "must be 3 to 63 lower-case letters, digits, dots, hyphens; name it so in leeward.toml")),
    Rule("aws_cloudwatch_event_bus", "name", *like(
        r"(?!aws\.)[A-Za-z0-9._/-]{1,256}", "must be up to 256 letters, digits, dots, hyphens, "
        "underscores and slashes; name it so in leeward.toml")),
    Rule("aws_sfn_state_machine", "name", *like(
        r"[A-Za-z0-9_-]{1,80}", "must be up to 80 letters, digits, hyphens and underscores; "
        "name it so in leeward.toml")),
    Rule("aws_dynamodb_table", "name", *like(
        r"[A-Za-z0-9_.-]{3,255}", "must be 3 to 255 letters, digits, dots, hyphens, underscores; "
        "name it so in leeward.toml")),
    Rule("aws_s3_bucket_lifecycle_configuration", "rule.noncurrent_version_expiration"
         ".noncurrent_days", *between(1, 36_500, of=" days; set retention_days in [export.aws]")),
    Rule("aws_iam_role_policy", "policy", _is_narrow, _WIDE),
    Rule("aws_iam_role_policy", "", _fits, f"has a policy of more than {LONGEST_POLICY:,} "
         "characters; name less in leeward.toml, or make two apps"),
    Rule("aws_iam_role", "assume_role_policy", _trusts_services,
         "must be taken on by services of AWS alone"),
    Rule("aws_sqs_queue_policy", "policy", _has_source,
         "must be for a named source, by a condition"),
)  # fmt: skip


def errors_in(template: str, region: str) -> tuple[str, ...]:
    """Return its errors and warnings for a region; empty where it is not installed."""
    if find_spec("cfnlint") is None:
        return ()
    from cfnlint.api import lint  # type: ignore[import-untyped]

    return tuple(
        f"{each.rule.id}: {each.message}, at {'.'.join(map(str, each.path))}"
        for each in lint(template, regions=[region])
        if each.rule.id[0] in "EW" and each.rule.id != LOCAL
    )
