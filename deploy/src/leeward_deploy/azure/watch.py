"""What watches an app on Azure: its logs for some days, and rules that alert.

A handler that fails once and does well when it is tried again raises no alert; a dead letter does.
A queue of Storage has no metric of its own: that a message was given up is read in the logs.

Sources: the resources of the provider ``hashicorp/azurerm``; "Supported metrics with Azure Monitor"
of Service Bus, Event Grid, Cosmos DB and Traffic Manager; "Application Insights telemetry data
model" and "Microsoft Entra authentication for Application Insights".
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from leeward.app.kit import Kind
from leeward_deploy.azure.rights import GROUP, assign
from leeward_deploy.needs import is_queued, of_kind
from leeward_deploy.recipe import PackageSpec
from leeward_deploy.terraform import Configuration, of

LAYOUT: Final = {
    "azurerm_function_app_flex_consumption": "functions.tf",
    "azurerm_service_plan": "functions.tf",
    "azurerm_user_assigned_identity": "rights.tf",
    "azurerm_role_assignment": "rights.tf",
    "azurerm_cosmosdb_sql_role_assignment": "rights.tf",
    "azurerm_storage_queue": "queues.tf",
    "azurerm_servicebus_queue": "queues.tf",
    "azurerm_eventgrid_topic": "events.tf",
    "azurerm_eventgrid_event_subscription": "events.tf",
    "azurerm_storage_account": "storage.tf",
    "azurerm_storage_container": "storage.tf",
    "azurerm_cosmosdb_account": "tables.tf",
    "azurerm_cosmosdb_sql_database": "tables.tf",
    "azurerm_cosmosdb_sql_container": "tables.tf",
    "azurerm_traffic_manager_profile": "entrance.tf",
    "azurerm_traffic_manager_external_endpoint": "entrance.tf",
    "azurerm_app_service_certificate": "entrance.tf",
    "azurerm_app_service_custom_hostname_binding": "entrance.tf",
    "azurerm_dns_cname_record": "entrance.tf",
    "azurerm_dns_txt_record": "entrance.tf",
    "azurerm_log_analytics_workspace": "logs.tf",
    "azurerm_application_insights": "logs.tf",
    "azurerm_monitor_diagnostic_setting": "logs.tf",
    "azurerm_monitor_metric_alert": "alarms.tf",
    "azurerm_monitor_scheduled_query_rules_alert_v2": "alarms.tf",
}
"""The file of each type of resource."""

HEADS: Final = {
    "functions.tf": "One app for all handlers. On a Flex Consumption plan the functions that are "
    "called by HTTP scale together, and every other function by itself: consumers take no "
    "instance from callers.",
    "rights.tf": "The identity of the app, and what its code uses and no more. On Azure a "
    "function has no identity of its own, so what one handler needs all of them may do.",
    "queues.tf": "Queues, and those of the dead letters that leeward puts there itself. The host "
    "makes the queues of poison messages.",
    "events.tf": "Topics of buses, and what they tell the functions once those are published.",
    "storage.tf": "The app's own account, with its code, its queues and its objects.",
    "tables.tf": "Accounts of Cosmos DB, each in the region that is the home of its tables. What "
    "holds data is never destroyed by an apply.",
    "entrance.tf": "How callers without leeward reach the app: Traffic Manager leads to the first "
    "region as long as its health check goes well.",
    "logs.tf": "Logs and traces, for as many days as the app wants them. Each request of a "
    "function is an entry of AppRequests.",
    "alarms.tf": "Alerts to the action group of var.action_group; without one they only show in "
    "Azure Monitor.",
    "variables.tf": "What a project sets.",
    "outputs.tf": "What a project may use.",
    "versions.tf": "Made by leeward: change leeward.toml and export again, or keep this as yours.",
}
"""What each file says of itself."""

WORKSPACE: Final = "azurerm_log_analytics_workspace.app"

FEWEST_DAYS: Final = 30
"""That a workspace keeps logs, at least."""

PUBLISHER: Final = "Monitoring Metrics Publisher"
"""What an identity needs to send telemetry."""


def add_logs(made: Configuration, spec: PackageSpec, location: str) -> None:
    """Add the workspace with the logs of all regions, and what a project sets of it."""
    made.variable(
        "log_days",
        "days that logs are kept",
        type="number",
        default=max(FEWEST_DAYS, min(730, spec.settings.log_days)),
        validation={
            "condition": "${var.log_days >= 30 && var.log_days <= 730}",
            "error_message": "A workspace keeps logs for 30 to 730 days.",
        },
    )
    made.add(
        "azurerm_log_analytics_workspace",
        "app",
        name="${var.app}",
        resource_group_name=GROUP,
        location=location,
        sku="PerGB2018",
        retention_in_days="${var.log_days}",
        local_authentication_enabled=False,
    )


def add_insights(
    made: Configuration, spec: PackageSpec, location: str, suffix: str, identity: str
) -> dict[str, str]:
    """Add what takes the traces of a region's app; return the settings that lead there.

    Args:
        made: that it is added to.
        spec: what is packaged.
        location: of the app.
        suffix: of the names there.
        identity: a reference to that of the app, which sends them: a key could be used by anybody.
    """
    if not spec.settings.tracing:
        return {}
    insights = made.add(
        "azurerm_application_insights",
        f"app{suffix}",
        name=f"${{var.app}}{suffix}",
        resource_group_name=GROUP,
        location=location,
        workspace_id=of(f"{WORKSPACE}.id"),
        application_type="web",
        local_authentication_enabled=False,
    )
    principal = of(f"{identity}.principal_id")
    assign(made, f"{PUBLISHER}{suffix}", PUBLISHER, of(f"{insights}.id"), principal)
    client = of(f"{identity}.client_id")
    return {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": of(f"{insights}.connection_string"),
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={client};Authorization=AAD",
    }


def watch(made: Configuration, spec: PackageSpec) -> None:
    """Add access logs and alerts for what has been added already."""
    resources = made.document()["resource"]
    if spec.settings.access_logs:
        _add_access_logs(made, resources)
    if not spec.settings.alarms:
        return
    made.variable(
        "action_group",
        "the id of the action group that alerts go to; without one they only show in Azure Monitor",
        default="",
    )
    if spec.settings.tracing:
        _add_query_alerts(made, spec, resources)
    _add_metric_alerts(made, resources)


def _add_access_logs(made: Configuration, resources: dict[str, Any]) -> None:
    """Add what each account of tables and each topic writes of its calls."""
    for type, category in (
        ("azurerm_cosmosdb_account", "DataPlaneRequests"),
        ("azurerm_eventgrid_topic", "DeliveryFailures"),
    ):
        for name in resources.get(type, {}):
            made.add(
                "azurerm_monitor_diagnostic_setting",
                name if type.endswith("topic") else f"cosmos-{name}",
                name="leeward",
                target_resource_id=of(f"{type}.{name}.id"),
                log_analytics_workspace_id=of(f"{WORKSPACE}.id"),
                enabled_log=[{"category": category}],
            )


class QueryAlert(NamedTuple):
    """An alert of what a query of the logs finds.

    Attributes:
        title: what has happened.
        advice: what to do about it.
        query: one row for each time that it happened.
        dimension: a column by which it is told apart; empty for none.
        times: of three periods of five minutes in which it has to happen.
    """

    title: str
    advice: str
    query: str
    dimension: str = ""
    times: int = 1


def _add_query_alerts(made: Configuration, spec: PackageSpec, resources: dict[str, Any]) -> None:
    names = ", ".join(
        f'"{each["name"]}"' for each in resources["azurerm_function_app_flex_consumption"].values()
    )
    apps = f"AppRoleName in~ ({names})"
    (first, *_) = resources["azurerm_log_analytics_workspace"].values()
    alerts = {
        "errors": QueryAlert(
            "runs of a function fail", "Look into its log.",
            f"AppRequests | where {apps} | where Success == false", "OperationName", 2,
        ),
        "throttles": QueryAlert(
            "calls are turned away", "All instances are busy: allow more, or send less.",
            f'AppRequests | where {apps} | where ResultCode == "429"', "OperationName", 2,
        ),
    }  # fmt: skip
    if any(is_queued(each) or each.queued for each in spec.app.handlers.values()):
        # The host writes the first, leeward the second.
        alerts["dead_letters"] = QueryAlert(
            "a message was given up", "See leeward dlq list, and redrive it when it is mended.",
            f"AppTraces | where {apps} | "
            'where Message has_any ("MaxDequeueCount", "dead_lettered")',
        )  # fmt: skip
    for name, alert in alerts.items():
        criteria: dict[str, Any] = {
            "query": alert.query,
            "time_aggregation_method": "Count",
            "operator": "GreaterThan",
            "threshold": 0,
            "failing_periods": {
                "minimum_failing_periods_to_trigger_alert": alert.times,
                "number_of_evaluation_periods": 3 if alert.times > 1 else 1,
            },
        }
        if alert.dimension:
            dimension = {"name": alert.dimension, "operator": "Include", "values": ["*"]}
            criteria["dimension"] = [dimension]
        made.add(
            "azurerm_monitor_scheduled_query_rules_alert_v2",
            name,
            name=f"${{var.app}}-{name.replace('_', '-')}",
            resource_group_name=GROUP,
            location=first["location"],
            scopes=[of(f"{WORKSPACE}.id")],
            severity=1 if name == "dead_letters" else 2,
            description=f"{alert.title}. {alert.advice}",
            evaluation_frequency="PT5M",
            window_duration="PT5M",
            criteria=[criteria],
            action={"action_groups": '${var.action_group == "" ? [] : [var.action_group]}'},
        )


class MetricAlert(NamedTuple):
    """An alert of a metric.

    Attributes:
        scope: whose metric.
        namespace: of the metric.
        metric: of it.
        text: what has happened, and what to do about it.
        dimension: name and value of what counts of it; empty for all.
        aggregation: of the metric.
        below: it must not fall below the threshold, where others must not pass it.
    """

    scope: str
    namespace: str
    metric: str
    text: str
    dimension: tuple[str, str] | None = None
    aggregation: str = "Total"
    below: int | None = None


def _add_metric_alerts(made: Configuration, resources: dict[str, Any]) -> None:
    """Add alerts of dead letters in Service Bus and Event Grid, of throttles, and of the health."""
    for name, each in resources.get("azurerm_servicebus_queue", {}).items():
        _alert(made, f"dead-letters-{name}", MetricAlert(
            each["namespace_id"], "Microsoft.ServiceBus/namespaces", "DeadletteredMessages",
            "There are dead letters: see leeward dlq list.", ("EntityName", each["name"]),
            "Average",
        ))  # fmt: skip
    for name in resources.get("azurerm_eventgrid_topic", {}):
        _alert(made, f"dead-letters-{name}-events", MetricAlert(
            of(f"azurerm_eventgrid_topic.{name}.id"), "Microsoft.EventGrid/topics",
            "DeadLetteredCount", "Events were given up: they are in the container dead-letters.",
        ))  # fmt: skip
    for name in resources.get("azurerm_cosmosdb_account", {}):
        _alert(made, f"throttles-{name}", MetricAlert(
            of(f"azurerm_cosmosdb_account.{name}.id"), "Microsoft.DocumentDB/databaseAccounts",
            "TotalRequests", "Calls of tables are turned away: give them more request units.",
            ("StatusCode", "429"), "Count",
        ))  # fmt: skip
    for name in resources.get("azurerm_traffic_manager_profile", {}):
        _alert(made, "health", MetricAlert(
            of(f"azurerm_traffic_manager_profile.{name}.id"),
            "Microsoft.Network/trafficManagerProfiles",
            "ProbeAgentCurrentEndpointStateByProfileResourceId",
            "A region does not answer: DNS leads elsewhere.", ("EndpointName", "*"), "Average", 1,
        ))  # fmt: skip


def _alert(made: Configuration, name: str, alert: MetricAlert) -> None:
    criteria: dict[str, Any] = {
        "metric_namespace": alert.namespace,
        "metric_name": alert.metric,
        "aggregation": alert.aggregation,
        "operator": "GreaterThan" if alert.below is None else "LessThan",
        "threshold": alert.below or 0,
    }
    if alert.dimension is not None:
        dimension, value = alert.dimension
        criteria["dimension"] = [{"name": dimension, "operator": "Include", "values": [value]}]
    made.add(
        "azurerm_monitor_metric_alert",
        name,
        name=f"${{var.app}}-{name}",
        resource_group_name=GROUP,
        scopes=[alert.scope],
        description=alert.text,
        severity=1,
        frequency="PT5M",
        window_size="PT5M",
        criteria=[criteria],
        dynamic={
            "action": {
                "for_each": '${var.action_group == "" ? [] : [var.action_group]}',
                "content": {"action_group_id": "${action.value}"},
            }
        },
    )


def consumers_of(spec: PackageSpec) -> list[str]:
    """Return the handlers that take messages of a queue."""
    return [
        name
        for name, each in spec.app.handlers.items()
        if is_queued(each) or each.queued or each.kind is Kind.MESSAGE
    ]


def has_topics(spec: PackageSpec) -> bool:
    """Return whether Event Grid tells handlers of anything."""
    return any(of_kind(spec.app, Kind.EVENT, Kind.OBJECT))
