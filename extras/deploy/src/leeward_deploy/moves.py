"""``moved`` blocks for whoever exported before: each resource keeps what it holds.

Terraform itself says what would go and what would come: a plan of the new root over the old state.
What goes and what comes under one name is one thing at a new address.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from leeward.errors import ConfigError

IDENTITY: Final = {
    "aws_apigatewayv2_api_mapping": ("domain_name",),
    "aws_apigatewayv2_domain_name": ("domain_name",),
    "aws_apigatewayv2_route": ("route_key",),
    "aws_cloudwatch_dashboard": ("dashboard_name",),
    "aws_cloudwatch_event_rule": ("name", "event_bus_name"),
    "aws_cloudwatch_event_target": ("rule", "event_bus_name"),
    "aws_cloudwatch_metric_alarm": ("alarm_name",),
    "aws_iam_role_policy": ("role",),
    "aws_lambda_event_source_mapping": ("function_name",),
    "aws_lambda_function": ("function_name",),
    "aws_lambda_function_event_invoke_config": ("function_name",),
    "aws_lambda_permission": ("function_name", "principal"),
    "aws_route53_record": ("name", "set_identifier"),
    "aws_s3_bucket": ("bucket",),
    "aws_s3_bucket_lifecycle_configuration": ("bucket",),
    "aws_s3_bucket_notification": ("bucket",),
    "aws_s3_bucket_public_access_block": ("bucket",),
    "aws_s3_bucket_versioning": ("bucket",),
    "azurerm_app_service_custom_hostname_binding": ("hostname", "app_service_name"),
    "azurerm_cosmosdb_sql_container": ("name", "account_name", "database_name"),
    "azurerm_cosmosdb_sql_database": ("name", "account_name"),
    "azurerm_cosmosdb_sql_role_assignment": ("scope", "principal_id"),
    "azurerm_dns_cname_record": ("name", "zone_name"),
    "azurerm_dns_txt_record": ("name", "zone_name"),
    "azurerm_eventgrid_event_subscription": ("name", "scope"),
    "azurerm_monitor_diagnostic_setting": ("name", "target_resource_id"),
    "azurerm_role_assignment": ("scope", "role_definition_name", "principal_id"),
    "azurerm_servicebus_queue": ("name", "namespace_id"),
    "azurerm_storage_container": ("name", "storage_account_id"),
    "azurerm_storage_queue": ("name", "storage_account_id"),
    "azurerm_traffic_manager_external_endpoint": ("target",),
    "google_cloud_run_service_iam_member": ("location", "service", "member"),
    "google_cloud_scheduler_job": ("name", "region"),
    "google_cloudfunctions2_function": ("name", "location"),
    "google_cloudfunctions2_function_iam_member": ("location", "cloud_function", "member"),
    "google_compute_region_network_endpoint_group": ("name", "region"),
    "google_dns_record_set": ("name", "managed_zone"),
    "google_logging_project_bucket_config": ("bucket_id",),
    "google_monitoring_alert_policy": ("display_name",),
    "google_monitoring_uptime_check_config": ("display_name",),
    "google_project_iam_member": ("role", "member"),
    "google_pubsub_subscription_iam_member": ("subscription", "member"),
    "google_pubsub_topic_iam_member": ("topic", "member"),
    "google_service_account": ("account_id",),
    "google_storage_bucket_iam_member": ("bucket", "role", "member"),
    "google_storage_notification": ("bucket", "topic"),
    "google_workflows_workflow": ("name", "region"),
}
"""By type of resource, the arguments that say which one it is, where that is not its ``name``."""


class Moves(NamedTuple):
    """What a plan says of addresses.

    Attributes:
        text: ``moved`` blocks.
        moved: how many there are.
        left: addresses that go and that nothing takes the place of.
    """

    text: str
    moved: int
    left: tuple[str, ...]


def moves_in(plan: Mapping[str, Any]) -> Moves:
    """Return the moves from what a plan deletes to what it creates.

    Args:
        plan: as ``terraform show -json`` has it.

    Raises:
        ConfigError: it is not a plan.
    """
    if "resource_changes" not in plan:
        raise ConfigError(
            "this is not a plan; make it with terraform plan -out=plan.bin, and terraform show "
            "-json plan.bin"
        )
    old: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    new: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for resource in plan["resource_changes"]:
        change = resource["change"]
        for action, state, addresses in (("delete", "before", old), ("create", "after", new)):
            if change["actions"] == [action]:
                addresses[_key(resource["type"], change[state], resource["address"])].append(
                    resource["address"]
                )
    # Two of one name are not told apart, so they are left to the plan.
    pairs = {
        first[0]: new[key][0]
        for key, first in old.items()
        if len(first) == 1 and len(new.get(key, ())) == 1
    }
    blocks = [
        f"moved {{\n  from = {first}\n  to   = {then}\n}}\n"
        for first, then in sorted(pairs.items())
    ]
    rest = sorted(address for group in old.values() for address in group if address not in pairs)
    return Moves("\n".join(blocks), len(blocks), tuple(rest))


def _key(type: str, value: Mapping[str, Any], address: str) -> tuple[Any, ...]:
    """Return what says which thing of a type it is; the address itself where nothing does."""
    values = [value.get(name) for name in IDENTITY.get(type, ("name",))]
    return (type, address) if None in values else (type, value.get("region"), json.dumps(values))
