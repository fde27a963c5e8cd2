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
    "azurerm_app_service_certificate": ("name", "location", "resource_group_name"),
    "azurerm_app_service_custom_hostname_binding": ("hostname", "app_service_name"),
    "azurerm_application_insights": ("name", "location", "application_type"),
    "azurerm_application_insights_workbook": ("name", "location"),
    "azurerm_cosmosdb_account": ("name", "location", "offer_type"),
    "azurerm_cosmosdb_sql_container": (
        *("name", "account_name", "database_name", "resource_group_name", "partition_key_paths"),
    ),
    "azurerm_cosmosdb_sql_database": ("name", "account_name", "resource_group_name"),
    "azurerm_cosmosdb_sql_role_assignment": ("account_name", "principal_id", "scope"),
    "azurerm_dns_cname_record": ("name", "zone_name"),
    "azurerm_dns_txt_record": ("name", "zone_name"),
    "azurerm_eventgrid_event_subscription": ("name", "scope", "event_delivery_schema"),
    "azurerm_eventgrid_topic": ("name", "location", "resource_group_name", "input_schema"),
    "azurerm_function_app_flex_consumption": ("name", "location", "resource_group_name"),
    "azurerm_log_analytics_workspace": ("name", "location", "resource_group_name"),
    "azurerm_monitor_diagnostic_setting": ("name", "target_resource_id"),
    "azurerm_monitor_metric_alert": ("name", "resource_group_name"),
    "azurerm_monitor_scheduled_query_rules_alert_v2": ("name", "location", "scopes"),
    "azurerm_role_assignment": ("scope", "role_definition_name", "principal_id"),
    "azurerm_service_plan": ("name", "location", "resource_group_name", "os_type"),
    "azurerm_servicebus_queue": ("name", "namespace_id"),
    "azurerm_storage_account": (
        # Storage moves by itself between zones, but not to some or from them.
        *("name", "location", "resource_group_name", "account_tier", "account_replication_type"),
    ),
    "azurerm_storage_container": ("name", "storage_account_id"),
    "azurerm_storage_queue": ("name", "storage_account_id"),
    "azurerm_traffic_manager_external_endpoint": ("name", "profile_id"),
    "azurerm_traffic_manager_profile": ("name", "resource_group_name"),
    "azurerm_user_assigned_identity": ("name", "location", "resource_group_name"),
    "google_cloud_run_service_iam_member": ("location", "service", "role", "member", "project"),
    "google_cloud_scheduler_job": ("name", "region", "project"),
    "google_cloudfunctions2_function": ("name", "location", "project"),
    "google_cloudfunctions2_function_iam_member": (
        *("location", "cloud_function", "role", "member", "project"),
    ),
    "google_compute_backend_service": ("name", "project"),
    "google_compute_global_address": ("name", "project"),
    "google_compute_global_forwarding_rule": ("name", "ip_address", "port_range", "project"),
    "google_compute_health_check": ("name", "project"),
    "google_compute_region_network_endpoint_group": ("name", "region", "cloud_run", "project"),
    "google_compute_security_policy": ("name", "project"),
    "google_compute_target_https_proxy": ("name", "project"),
    "google_compute_url_map": ("name", "project"),
    "google_dns_record_set": ("name", "type", "managed_zone", "project"),
    "google_firestore_database": ("name", "location_id", "project"),
    "google_logging_project_bucket_config": ("bucket_id", "location", "project"),
    "google_logging_project_sink": ("name", "project"),
    "google_project_iam_member": ("role", "member", "condition", "project"),
    "google_pubsub_subscription": ("name", "topic", "filter", "project"),
    "google_pubsub_subscription_iam_member": ("subscription", "role", "member", "project"),
    "google_pubsub_topic": ("name", "project"),
    "google_pubsub_topic_iam_member": ("topic", "role", "member", "project"),
    "google_service_account": ("account_id", "project"),
    "google_storage_bucket": ("name", "location", "project"),
    "google_storage_bucket_iam_member": ("bucket", "role", "member"),
    "google_storage_bucket_object": ("name", "bucket"),
    "google_storage_notification": (
        *("bucket", "topic", "payload_format", "event_types", "object_name_prefix"),
    ),
    "google_workflows_workflow": ("name", "region", "project"),
}

READ: Final[dict[str, dict[str, Any]]] = {
    "aws_caller_identity": {"account_id": "123456789012"},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com"},
    "azurerm_client_config": {"subscription_id": "00000000-0000-0000-0000-00000000000f"},
    "google_project": {"number": "123456789012"},
    "google_storage_project_service_account": {"email_address": "storage@example.com"},
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
    "azure": {"azurerm_client_config": {"=": ["client_id", "subscription_id", "tenant_id"]}},
    "google": {
        "google_project": {"=": ["number"], "project_id": "string"},
        "google_storage_project_service_account": {"=": ["email_address"], "project": "string"},
    },
}
"""Schemas of data sources, by cloud, in the form of the kept schemas of resources."""

CONFIGURED: Final[dict[str, dict[str, Any]]] = {
    "azurerm": {"features": {}, "storage_use_azuread": "boolean"},
}
"""What a provider itself takes, in the same form."""

INNER: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "aws_apigatewayv2_domain_name": (("domain_name_configuration!", "target_domain_name"),),
    "google_cloudfunctions2_function": (("service_config", "uri"),),
}
"""Attributes inside blocks, by type, that modules refer to: the block and the attribute."""

STATEFUL: Final = {
    "aws": (
        *("aws_dynamodb_table", "aws_s3_bucket", "aws_s3_bucket_versioning", "aws_sqs_queue"),
        "aws_cloudwatch_event_bus",
    ),
    "azure": (
        *("azurerm_cosmosdb_account", "azurerm_cosmosdb_sql_container", "azurerm_eventgrid_topic"),
        *("azurerm_cosmosdb_sql_database", "azurerm_servicebus_queue", "azurerm_storage_account"),
        *("azurerm_storage_container", "azurerm_storage_queue"),
    ),
    "google": (
        *("google_firestore_database", "google_pubsub_subscription", "google_pubsub_topic"),
        "google_storage_bucket",
    ),
}
"""Types of resources that hold what nobody may lose."""

GIVEN: Final[dict[str, dict[str, Any]]] = {
    "azure": {"resource_group": "ours", "published": True, "key_vault_certificate": "a"},
    "google": {"project": "ours"},
}
"""What a person says to the variables of a root, by cloud."""

ARGUMENTS: Final = {
    "azure": {
        "cosmos_account": '"acc"',
        "cosmos_database": '"db"',
        "service_bus_namespaces": '{ BILLS = each.key == "westeurope" ? "bus" : "bus-north" }',
    },
}
"""What a person says in the call of a module, by cloud."""
