"""Extract what Terraform's providers take, from the wheels of their bindings for CDK Terrain.

    pip download --no-deps cdktn-provider-aws cdktn-provider-azurerm cdktn-provider-google
    python -m supply.terraform_schemas cdktn_provider_*.whl

Each wheel holds a description of every resource, with the names of its arguments, their types, and
whether they are required. What leeward's exports use of it is kept with each adapter, one line for
a resource. A required argument has a ``!`` behind its name; the type of a block is that of its
arguments, and a list's is the list of its element's. Behind ``=`` stands what others may refer to.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

ROOT: Final = Path(__file__).parents[1]

NAME: Final = "terraform_schemas.json"

ADAPTERS: Final = {"aws": "aws", "azurerm": "azure", "google": "google"}
"""Whose resources each provider of Terraform has."""

USED: Final = """
aws_apigatewayv2_api aws_apigatewayv2_api_mapping aws_apigatewayv2_authorizer
aws_apigatewayv2_domain_name
aws_apigatewayv2_integration aws_apigatewayv2_route aws_apigatewayv2_stage
aws_cloudwatch_dashboard
aws_cloudwatch_event_bus aws_cloudwatch_event_rule aws_cloudwatch_event_target
aws_cloudwatch_log_group aws_cloudwatch_metric_alarm
aws_dynamodb_table aws_iam_role aws_iam_role_policy
aws_lambda_event_source_mapping aws_lambda_function aws_lambda_function_event_invoke_config
aws_lambda_permission aws_route53_health_check aws_route53_record
aws_s3_bucket aws_s3_bucket_lifecycle_configuration aws_s3_bucket_notification
aws_s3_bucket_public_access_block
aws_s3_bucket_versioning aws_scheduler_schedule aws_sfn_state_machine
aws_sqs_queue aws_sqs_queue_policy

azurerm_app_service_certificate azurerm_app_service_custom_hostname_binding
azurerm_cdn_frontdoor_firewall_policy azurerm_cdn_frontdoor_rule azurerm_cdn_frontdoor_rule_set
azurerm_cosmosdb_account azurerm_cosmosdb_sql_container azurerm_cosmosdb_sql_database
azurerm_cosmosdb_sql_role_assignment azurerm_dns_cname_record azurerm_dns_txt_record
azurerm_eventgrid_event_subscription azurerm_eventgrid_topic
azurerm_application_insights azurerm_application_insights_workbook
azurerm_log_analytics_workspace azurerm_monitor_diagnostic_setting
azurerm_monitor_metric_alert azurerm_monitor_scheduled_query_rules_alert_v2
azurerm_function_app_flex_consumption azurerm_role_assignment azurerm_service_plan
azurerm_servicebus_queue azurerm_storage_account azurerm_storage_container
azurerm_storage_queue azurerm_traffic_manager_external_endpoint
azurerm_traffic_manager_profile azurerm_user_assigned_identity

google_cloud_run_service_iam_member google_cloud_scheduler_job google_cloudfunctions2_function
google_cloudfunctions2_function_iam_member
google_compute_security_policy google_logging_project_bucket_config
google_logging_project_sink google_monitoring_alert_policy google_monitoring_dashboard
google_monitoring_uptime_check_config
google_compute_backend_service google_compute_global_address
google_compute_global_forwarding_rule google_compute_health_check
google_compute_region_network_endpoint_group google_compute_target_https_proxy
google_compute_url_map google_dns_record_set google_firestore_database
google_project_iam_member google_pubsub_subscription google_pubsub_subscription_iam_member
google_pubsub_topic google_pubsub_topic_iam_member google_service_account
google_storage_bucket google_storage_bucket_iam_member google_storage_bucket_object
google_storage_notification
google_workflows_workflow
""".split()
"""The resources of the exports."""

ATTRIBUTES: Final = "="
"""Stands for what a resource has besides its arguments."""

_ANCHOR: Final = re.compile(r"registry\.terraform\.io/\S+/resources/(\w+)#(\w+)")

_LEFT: Final = (
    *("connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"),
    *("tags_all", "timeouts"),
)
"""Arguments that are Terraform's own, and what no export sets."""


def schema(assembly: dict[str, Any], resource: str) -> dict[str, Any]:
    """Return the arguments of a resource: of each its type, and whether it is required."""
    name = resource.partition("_")[2]
    camel = "".join(part.capitalize() for part in name.split("_"))
    folder = camel[:1].lower() + camel[1:]
    types = assembly["types"]
    prefix = f"{assembly['name']}.{folder}.{camel}"
    # A resource whose own name is that of one of its blocks has a letter more.
    config = types.get(f"{prefix}Config") or types[f"{prefix}AConfig"]
    arguments = {
        name: kind
        for name, kind in _arguments(types, config).items()
        if name.rstrip("!") not in _LEFT
    }
    own = types.get(f"{prefix}") or types[f"{prefix}A"]
    has = {_snake(each["name"]) for each in own["properties"] if _is_attribute(each)}
    more = has - {each.rstrip("!") for each in arguments} - {*_LEFT}
    arguments.pop("id", None)
    return {ATTRIBUTES: sorted(more - {"id"}), **arguments}


def _is_attribute(of: dict[str, Any]) -> bool:
    return bool(of.get("immutable")) and not of.get("static") and not of["name"].endswith("Input")


def _arguments(types: dict[str, Any], of: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for each in of.get("properties", ()):
        anchor = _ANCHOR.search(each.get("docs", {}).get("remarks", ""))
        name = anchor[2] if anchor else _snake(each["name"])
        required = "" if each.get("optional", False) else "!"
        found[f"{name}{required}"] = _type(types, each["type"])
    return found


def _type(types: dict[str, Any], told: dict[str, Any]) -> Any:
    if "primitive" in told:
        return told["primitive"]
    if "fqn" in told:
        found = types.get(told["fqn"], {})
        is_block = found.get("kind") == "interface" and found.get("datatype")
        return _arguments(types, found) if is_block else "boolean"
    if "collection" in told:
        inner = _type(types, told["collection"]["elementtype"])
        return [inner] if told["collection"]["kind"] == "array" else "map"
    # A union: a value or its list, or a boolean or what resolves to one.
    options = [_type(types, each) for each in told["union"]["types"]]
    lists = [each for each in options if isinstance(each, list)]
    return lists[0] if lists else options[0]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def assembly_in(wheel: Path) -> dict[str, Any]:
    """Return the description in a wheel."""
    with ZipFile(wheel) as outer:
        (name,) = (each for each in outer.namelist() if each.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as inner:
            member = inner.extractfile("package/.jsii")
            assert member is not None
            found: dict[str, Any] = json.load(member)
            return found


def kept(provider: str) -> Path:
    """Return where the schemas of a provider are kept."""
    adapter = ADAPTERS[provider]
    of_tests = ROOT / f"tests/packages/schemas_{adapter}.json"
    return (
        of_tests
        if of_tests.exists()
        else ROOT / "extras/deploy/src/leeward_deploy" / adapter / NAME
    )


def written(schemas: dict[str, Any]) -> str:
    """Return schemas as text, one line for a resource."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(each, separators=(',', ':'), sort_keys=True)}"
        for name, each in sorted(schemas.items())
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(wheels: list[str]) -> None:
    """Write the schemas of what is used."""
    for wheel in wheels:
        assembly = assembly_in(Path(wheel))
        provider = assembly["name"].rpartition("-")[2]
        used = [each for each in USED if each.startswith(f"{provider}_")]
        found = {each: schema(assembly, each) for each in used}
        kept(provider).write_text(written(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
