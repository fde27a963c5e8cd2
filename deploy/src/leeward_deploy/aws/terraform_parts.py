"""What Terraform splits into several resources, or calls otherwise, beside CloudFormation's.

Each function takes the arguments that the names alone have made, and what a reference to the
resource begins with; it returns the parts: the ending of the name, the type, and the arguments.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

Json = dict[str, Any]
Parts = list[tuple[str, str, Json]]

ZIP: Final = "${var.package}"
"""The path of the package."""


def _of_function(given: Json, to: str) -> Parts:
    del given["code"], to
    code = {"filename": ZIP, "source_code_hash": "${filebase64sha256(var.package)}"}
    return [("", "aws_lambda_function", {**given, **code})]


def _role(given: Json, to: str) -> Parts:
    (policy,) = given.pop("policies")
    trust = {"assume_role_policy": given.pop("assume_role_policy_document")}
    inline = {
        "name": policy["policy_name"],
        "role": f"${{{to}.name}}",
        "policy": json.dumps(policy["policy_document"]),
    }
    return [("", "aws_iam_role", trust), ("", "aws_iam_role_policy", inline)]


def _rule(given: Json, to: str) -> Parts:
    (target,) = given.pop("targets")
    arguments = {
        "rule": f"${{{to}.name}}",
        "event_bus_name": given["event_bus_name"],
        "target_id": target["id"],
        "arn": target["arn"],
        "dead_letter_config": target["dead_letter_config"],
    }
    return [
        ("", "aws_cloudwatch_event_rule", given),
        ("", "aws_cloudwatch_event_target", arguments),
    ]


def _queue_policy(given: Json, to: str) -> Parts:
    del to
    (queue,) = given.pop("queues")
    return [("", "aws_sqs_queue_policy", {"queue_url": queue, **given})]


def _table(given: Json, to: str) -> Parts:
    del to
    keys = [each["attribute_name"] for each in given["key_schema"]]
    arguments = {
        "name": given["table_name"],
        **dict(zip(("hash_key", "range_key"), keys, strict=False)),
        "attribute": [
            {"name": each["attribute_name"], "type": each["attribute_type"]}
            for each in given["attribute_definitions"]
        ],
        "billing_mode": given["billing_mode"],
        "deletion_protection_enabled": given["deletion_protection_enabled"],
        "ttl": given["time_to_live_specification"],
        "point_in_time_recovery": {"enabled": True},
    }
    return [("", "aws_dynamodb_table", {**arguments, **_meta(given)})]


def _bucket(given: Json, to: str) -> Parts:
    bucket = {"bucket": f"${{{to}.id}}"}
    rules = [
        {
            "id": rule["id"],
            "status": rule["status"],
            "filter": {},
            "noncurrent_version_expiration": rule["noncurrent_version_expiration"],
            "abort_incomplete_multipart_upload": rule["abort_incomplete_multipart_upload"],
        }
        for rule in given["lifecycle_configuration"]["rules"]
    ]
    public = given["public_access_block_configuration"]
    told = given.get("notification_configuration")
    return [
        *([] if told is None else [("", "aws_s3_bucket_notification", _notification(given, bucket))]),
        ("", "aws_s3_bucket", {"bucket": given["bucket"], **_meta(given)}),
        (
            "",
            "aws_s3_bucket_versioning",
            {**bucket, "versioning_configuration": given["versioning_configuration"]},
        ),
        ("", "aws_s3_bucket_lifecycle_configuration", {**bucket, "rule": rules}),
        ("", "aws_s3_bucket_public_access_block", {**bucket, **public}),
    ]


def _notification(given: Json, bucket: Json) -> Json:
    """Return the notifications of a bucket."""
    told = given["notification_configuration"]
    return {
        **bucket,
        "queue": [_one(each, "queue_arn", "queue") for each in told["queue_configurations"]],
        "lambda_function": [
            _one(each, "lambda_function_arn", "function") for each in told["lambda_configurations"]
        ],
        "depends_on": given["depends_on"],
    }


def _one(told: Json, arn: str, to: str) -> Json:
    rules = told.get("filter", {}).get("s3_key", {}).get("rules", ())
    prefixes = [("filter_prefix", rule["value"]) for rule in rules]
    return {arn: told[to], "events": [told["event"]], **dict(prefixes)}


def _health_check(given: Json, to: str) -> Parts:
    del to
    return [("", "aws_route53_health_check", given["health_check_config"])]


def _record(given: Json, to: str) -> Parts:
    del to
    failover = {"type": given.pop("failover")}
    arguments = {**given, "ttl": int(given["ttl"]), "failover_routing_policy": failover}
    return [("", "aws_route53_record", arguments)]


def _domain(given: Json, to: str) -> Parts:
    del to
    (given["domain_name_configuration"],) = given["domain_name_configuration"]
    return [("", "aws_apigatewayv2_domain_name", given)]


def _retries(given: Json, to: str) -> Parts:
    del to, given["qualifier"]  # without one, it is that of the latest code
    return [("", "aws_lambda_function_event_invoke_config", given)]


def _meta(given: Mapping[str, Any]) -> Json:
    return {name: given[name] for name in ("lifecycle",) if name in given}


PARTS: Final[Mapping[str, Callable[[Json, str], Parts]]] = {
    "aws_apigatewayv2_domain_name": _domain,
    "aws_cloudwatch_event_rule": _rule,
    "aws_dynamodb_table": _table,
    "aws_iam_role": _role,
    "aws_lambda_function": _of_function,
    "aws_lambda_function_event_invoke_config": _retries,
    "aws_route53_health_check": _health_check,
    "aws_route53_record": _record,
    "aws_s3_bucket": _bucket,
    "aws_sqs_queue_policy": _queue_policy,
}
