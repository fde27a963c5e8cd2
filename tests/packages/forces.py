"""What makes a provider replace a resource, and what its data sources say: facts of the providers.

A stand-in without them would never plan a replacement, and a test could not see a loss.

Sources: "Forces new resource" and "ForceNew" in the pages of each resource.
"""

from __future__ import annotations

from typing import Any, Final

FORCES: Final[dict[str, tuple[str, ...]]] = {
    "aws_apigatewayv2_api": ("protocol_type", "region"),
    "aws_apigatewayv2_domain_name": ("domain_name", "region"),
    "aws_cloudwatch_dashboard": ("dashboard_name", "region"),
    "aws_cloudwatch_event_bus": ("name", "region"),
    "aws_cloudwatch_event_rule": ("name", "event_bus_name", "region"),
    "aws_cloudwatch_event_target": ("rule", "event_bus_name", "target_id", "region"),
    "aws_cloudwatch_log_group": ("name", "region"),
    "aws_cloudwatch_metric_alarm": ("alarm_name", "region"),
    "aws_dynamodb_table": ("name", "region", "hash_key", "range_key"),
    "aws_iam_role": ("name",),
    "aws_iam_role_policy": ("name", "role"),
    "aws_lambda_event_source_mapping": ("event_source_arn", "region"),
    "aws_lambda_function": ("function_name", "region"),
    "aws_lambda_function_event_invoke_config": ("function_name", "region"),
    "aws_lambda_permission": ("function_name", "principal", "source_arn", "region"),
    "aws_s3_bucket": ("bucket", "region"),
    "aws_s3_bucket_lifecycle_configuration": ("bucket", "region"),
    "aws_s3_bucket_notification": ("bucket", "region"),
    "aws_s3_bucket_public_access_block": ("bucket", "region"),
    "aws_s3_bucket_versioning": ("bucket", "region"),
    "aws_scheduler_schedule": ("name", "region"),
    "aws_sfn_state_machine": ("name", "region"),
    "aws_sqs_queue": ("name", "region", "fifo_queue"),
    "aws_sqs_queue_policy": ("queue_url", "region"),
}

READ: Final[dict[str, dict[str, Any]]] = {
    "aws_caller_identity": {"account_id": "123456789012"},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com"},
}
"""What data sources say."""

IDS: Final = {"aws_s3_bucket": "bucket"}
"""The argument that is also the id, by type, where something refers to it."""

ARNS: Final = {
    "aws_cloudwatch_event_bus": "events:{region}:123456789012:event-bus/{name}",
    "aws_cloudwatch_event_rule": "events:{region}:123456789012:rule/{event_bus_name}/{name}",
    "aws_iam_role": "iam::123456789012:role/{name}",
    "aws_lambda_function": "lambda:{region}:123456789012:function:{function_name}",
    "aws_s3_bucket": "s3:::{bucket}",
    "aws_sfn_state_machine": "states:{region}:123456789012:stateMachine:{name}",
    "aws_sqs_queue": "sqs:{region}:123456789012:{name}",
}
"""What an applied resource is called where others refer to it, by type, after ``arn:aws:``."""

DATA: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "aws": {
        "aws_caller_identity": {"=": ["account_id", "arn", "user_id"]},
        "aws_partition": {"=": ["dns_suffix", "partition"]},
    },
}
"""Schemas of data sources, by cloud, in the form of the kept schemas of resources."""

INNER: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "aws_apigatewayv2_domain_name": (("domain_name_configuration!", "target_domain_name"),),
}
"""Attributes inside blocks, by type, that modules refer to: the block and the attribute."""

STATEFUL: Final = {
    "aws": (
        *("aws_dynamodb_table", "aws_s3_bucket", "aws_s3_bucket_versioning", "aws_sqs_queue"),
        "aws_cloudwatch_event_bus",
    ),
}
"""Types of resources that hold what nobody may lose."""
