"""The dashboard of one region in CloudWatch: what a stack has, by the metrics of AWS itself.

It is made of the stack's resources alone, by their types, and refers to them, so it shows what the
stack makes and nothing else. Where the app writes metrics in the embedded metric format, a row of
panels shows those, by handler.

Sources: "Dashboard body structure and syntax" in the API reference of CloudWatch; "CloudWatch
quotas" (500 widgets, 500 metrics of a widget); the pages on metrics of Lambda, SQS, DynamoDB, Step
Functions and Route 53.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from leeward.otel import COLD_STARTS, ERRORS, FAAS_NAME, INVOCATIONS, INVOKE_SECONDS, SERVICE
from leeward_deploy.aws.roles import resource

Json = dict[str, Any]

WIDTH: Final = 24
"""Columns of a dashboard."""

HEIGHT: Final = 6
"""Rows of a panel."""

PERIOD: Final = 60
"""Seconds of one point: the smallest that these metrics have."""

MOST_LINES: Final = 40
"""Lines of one panel, so that a person can tell them apart; the rest goes into further panels."""

MOST_ALARMS: Final = 100
"""Alarms of one panel. Source: "Dashboard body structure and syntax"."""

HEALTH_REGION: Final = "us-east-1"
"""Where Route 53 keeps the metrics of health checks."""


class Line(NamedTuple):
    """One line of a panel: a metric of one resource.

    Attributes:
        metric: its name.
        value: of the dimension, a text of ``Fn::Sub``.
        stat: such as ``Sum``, or ``p99``.
        label: for people.
    """

    metric: str
    value: str
    stat: str
    label: str


class Widget(NamedTuple):
    """A panel: lines of one namespace and one dimension.

    Attributes:
        title: what it shows, with the unit.
        namespace: of the metrics.
        dimensions: names and values before the last one, and the last one's name.
        lines: of the panel.
        region: where the metrics are; None for the stack's.
    """

    title: str
    namespace: str
    dimensions: tuple[str, ...]
    lines: Sequence[Line]
    region: str | None = None


def dashboard_of(
    resources: Mapping[str, Any], title: str, namespace: str | None = None, name: str = ""
) -> Json:
    """Return the dashboard of a stack, as one more resource of it.

    Args:
        resources: of the stack, by logical ids.
        title: the name of the app.
        namespace: of the metrics that the app writes in the embedded metric format; None for none.
        name: of the dashboard, before the region's; empty for that of the app.
    """
    found = Parts.of(resources)
    widgets: list[Json] = []
    for panels in (
        tuple(_of_functions(found.functions)),
        tuple(_of_handlers(found.functions, title, namespace)),
        tuple(_of_queues(found)),
        tuple(_of_tables(found.tables)),
        tuple(_of_the_rest(found)),
    ):
        top = max((each["y"] + each["height"] for each in widgets), default=0)
        widgets += _arrange([part for panel in panels for part in _split(panel)], top)
    for at in range(0, len(found.alarms), MOST_ALARMS):
        top = max((each["y"] + each["height"] for each in widgets), default=0)
        arns = [f"${{{id}.Arn}}" for id in found.alarms[at : at + MOST_ALARMS]]
        alarms = {"title": "Alarms", "alarms": arns}
        place = {"x": 0, "y": top, "width": WIDTH, "height": HEIGHT}
        widgets.append({"type": "alarm", **place, "properties": alarms})
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name or title)[:200]  # of at most 255, with the region's
    return resource(
        "CloudWatch::Dashboard",
        DashboardName={"Fn::Sub": f"{plain}-${{AWS::Region}}"},
        DashboardBody={"Fn::Sub": json.dumps({"start": "-PT3H", "widgets": widgets})},
    )


class Parts(NamedTuple):
    """What a stack has that can be drawn, by logical ids.

    Attributes:
        functions: with the name of the handler of each.
        queues: those that handlers take messages from.
        dead: queues of dead letters.
        tables: of DynamoDB.
        machines: of Step Functions.
        checks: health checks of Route 53.
        alarms: of CloudWatch.
    """

    functions: Mapping[str, str]
    queues: tuple[str, ...]
    dead: tuple[str, ...]
    tables: tuple[str, ...]
    machines: tuple[str, ...]
    checks: tuple[str, ...]
    alarms: tuple[str, ...]

    @staticmethod
    def of(resources: Mapping[str, Any]) -> Parts:
        """Return them; what other resources point to as dead letters is a dead-letter queue."""
        types = {id: each["Type"].removeprefix("AWS::") for id, each in resources.items()}

        def ids(*wanted: str) -> tuple[str, ...]:
            return tuple(id for id, type in types.items() if type in wanted)

        functions = {}
        for id in ids("Lambda::Function"):
            given = resources[id]["Properties"].get("Environment", {}).get("Variables", {})
            functions[id] = str(given.get("LEEWARD_FUNCTION", id))
        named = set(_dead_letters_in(resources))
        queues = ids("SQS::Queue")
        return Parts(
            functions,
            tuple(id for id in queues if id not in named),
            tuple(id for id in queues if id in named),
            ids("DynamoDB::Table", "DynamoDB::GlobalTable"),
            ids("StepFunctions::StateMachine"),
            ids("Route53::HealthCheck"),
            ids("CloudWatch::Alarm", "CloudWatch::CompositeAlarm"),
        )


_DEAD: Final = ("deadLetterTargetArn", "OnFailure", "DeadLetterConfig")


def _dead_letters_in(value: Any, *, is_dead: bool = False) -> Iterator[str]:
    """Yield the logical ids that stand where a resource says where its dead letters go."""
    if isinstance(value, Mapping):
        if is_dead and value.keys() == {"Fn::GetAtt"}:
            yield value["Fn::GetAtt"][0]
        for name, each in value.items():
            yield from _dead_letters_in(each, is_dead=is_dead or name in _DEAD)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _dead_letters_in(each, is_dead=is_dead)


def _of_functions(functions: Mapping[str, str]) -> Iterator[Widget]:
    for title, metric, stat in (
        ("Runs", "Invocations", "Sum"),
        ("Errors", "Errors", "Sum"),
        ("Throttles", "Throttles", "Sum"),
        ("Duration, 99 % [ms]", "Duration", "p99"),
        ("Runs at one time", "ConcurrentExecutions", "Maximum"),
        ("Asynchronous calls: age [ms]", "AsyncEventAge", "Maximum"),
    ):
        lines = [Line(metric, f"${{{id}}}", stat, name) for id, name in functions.items()]
        yield Widget(title, "AWS/Lambda", ("FunctionName",), lines)


def _of_handlers(functions: Mapping[str, str], app: str, namespace: str | None) -> Iterator[Widget]:
    """Yield what the app writes itself: the names are those that OpenTelemetry gets."""
    for title, metric, stat in (
        ("Handlers: runs that went well", INVOCATIONS, "Sum"),
        ("Handlers: failures", ERRORS, "Sum"),
        ("Handlers: cold starts", COLD_STARTS, "Sum"),
        ("Handlers: duration, 99 % [s]", INVOKE_SECONDS, "p99"),
    ):
        if namespace is not None:
            lines = [Line(metric, _plain(name), stat, name) for name in functions.values()]
            yield Widget(title, _plain(namespace), (SERVICE, _plain(app), FAAS_NAME), lines)


def _of_queues(found: Parts) -> Iterator[Widget]:
    visible, oldest = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
    for title, metric, queues in (
        ("Messages that wait", visible, found.queues),
        ("Age of the oldest message [s]", oldest, found.queues),
        ("Messages under way", "ApproximateNumberOfMessagesNotVisible", found.queues),
        ("Dead letters", visible, found.dead),
    ):
        lines = [Line(metric, f"${{{id}.QueueName}}", "Maximum", id) for id in queues]
        yield Widget(title, "AWS/SQS", ("QueueName",), lines)


def _of_tables(tables: Sequence[str]) -> Iterator[Widget]:
    for title, metric in (
        ("Tables: throttled requests", "ThrottledRequests"),
        ("Tables: reads [units]", "ConsumedReadCapacityUnits"),
        ("Tables: writes [units]", "ConsumedWriteCapacityUnits"),
        ("Tables: refused conditions", "ConditionalCheckFailedRequests"),
    ):
        lines = [Line(metric, f"${{{id}}}", "Sum", id) for id in tables]
        yield Widget(title, "AWS/DynamoDB", ("TableName",), lines)


def _of_the_rest(found: Parts) -> Iterator[Widget]:
    for title, metric in (
        ("Workflow runs that failed", "ExecutionsFailed"),
        ("Workflow runs that were too slow", "ExecutionsTimedOut"),
    ):
        lines = [Line(metric, f"${{{id}}}", "Sum", id) for id in found.machines]
        yield Widget(title, "AWS/States", ("StateMachineArn",), lines)
    lines = [Line("HealthCheckStatus", f"${{{id}}}", "Minimum", id) for id in found.checks]
    yield Widget(
        "Health checks: 1 is well", "AWS/Route53", ("HealthCheckId",), lines, HEALTH_REGION
    )


def _split(panel: Widget) -> Iterator[Widget]:
    """Yield a panel in parts that a person can read; none without lines."""
    for at in range(0, len(panel.lines), MOST_LINES):
        yield panel._replace(lines=panel.lines[at : at + MOST_LINES])


def _arrange(panels: Sequence[Widget], top: int) -> Iterator[Json]:
    """Yield panels as widgets, three beside each other, from a row on."""
    width = WIDTH // 3
    for number, panel in enumerate(panels):
        yield {
            "type": "metric",
            "x": number % 3 * width,
            "y": top + number // 3 * HEIGHT,
            "width": width,
            "height": HEIGHT,
            "properties": {
                "title": panel.title,
                "view": "timeSeries",
                "region": panel.region or "${AWS::Region}",
                "period": PERIOD,
                "metrics": [
                    [
                        *(panel.namespace, line.metric, *panel.dimensions, line.value),
                        {"stat": line.stat, "label": _plain(line.label)},
                    ]
                    for line in panel.lines
                ],
            },
        }


def _plain(text: str) -> str:
    """Return a text that ``Fn::Sub`` leaves as it is."""
    return text.replace("${", "${!")
