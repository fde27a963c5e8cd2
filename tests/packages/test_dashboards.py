"""Dashboards draw metrics that are there: every name and label is one that leeward or AWS has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from leeward import App
from leeward._delivery.depths import DepthGauges
from leeward._operations.telemetry import ClientTelemetry
from leeward.app import Message
from leeward.app.handlers import answer
from leeward.app.triggers import Delivery, Platform
from leeward.calls import Invoke, Result
from leeward.cli.app import app as command_line
from leeward.errors import Attempt, Outcome
from leeward.stores import QUEUED_CALL, Depth, Recipient
from leeward.testing import FakeClock
from leeward.values import RoutingEvent, TargetStatus
from leeward.values.settled import Settled, Verdict
from leeward_aws.runtime.emf import MeasuredHost
from leeward_deploy.aws.dashboard import MOST_ALARMS, MOST_LINES, dashboard_of
from leeward_deploy.aws.rules import errors_in
from leeward_deploy.grafana import dashboard
from tests.packages.everything import spec
from tests.packages.exported import config_of, everything, exported, settings
from tests.worker.places import until

pytestmark = pytest.mark.vendors


class Strict(BaseModel, extra="forbid", strict=True):
    """What CloudWatch takes, as far as it is used: "Dashboard body structure and syntax".

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """


class Options(Strict):
    """How a line is drawn."""

    stat: str = Field(pattern=r"^(Sum|Average|Minimum|Maximum|p[0-9.]+)$")
    label: str


class Lines(Strict):
    """The properties of a widget of metrics."""

    title: str
    view: Literal["timeSeries", "singleValue", "gauge", "bar", "pie", "table"]
    region: str = Field(min_length=1)
    period: int = Field(multiple_of=60)
    metrics: list[list[str | Options]] = Field(min_length=1, max_length=500)


class Alarms(Strict):
    """The properties of a widget of alarms."""

    title: str
    alarms: list[str] = Field(min_length=1, max_length=100)


class Widget(Strict):
    """One widget."""

    type: Literal["metric", "alarm"]
    x: int = Field(ge=0, le=23)
    y: int = Field(ge=0)
    width: int = Field(ge=1, le=24)
    height: int = Field(ge=1, le=1000)
    properties: Lines | Alarms


class Body(Strict):
    """The body of a dashboard."""

    start: str = Field(pattern="^-P")
    widgets: list[Widget] = Field(max_length=500)


AWS_METRICS = {
    "AWS/Lambda": "Invocations Errors Throttles Duration ConcurrentExecutions AsyncEventAge",
    "AWS/SQS": "ApproximateNumberOfMessagesVisible ApproximateAgeOfOldestMessage "
    "ApproximateNumberOfMessagesNotVisible",
    "AWS/DynamoDB": "ThrottledRequests ConsumedReadCapacityUnits ConsumedWriteCapacityUnits "
    "ConditionalCheckFailedRequests",
    "AWS/States": "ExecutionsFailed ExecutionsTimedOut",
    "AWS/Route53": "HealthCheckStatus",
}
"""The metrics that the services' pages name: "Types of metrics for Lambda functions", "Available
CloudWatch metrics for Amazon SQS", "DynamoDB metrics and dimensions", "Monitoring Step Functions
metrics using CloudWatch", "Monitoring health checks using CloudWatch"."""


def check_body(resources: dict[str, Any], dashboard: dict[str, Any]) -> dict[str, Any]:
    """Check a dashboard against the schema and its stack; return its body."""
    text = dashboard["Properties"]["DashboardBody"]["Fn::Sub"]
    for id, _, attribute in re.findall(r"\$\{([A-Za-z0-9]+)((?:\.([A-Za-z]+))?)\}", text):
        kind = resources[id]["Type"]
        wanted = {"AWS::SQS::Queue": "QueueName", "AWS::CloudWatch::Alarm": "Arn"}
        assert attribute == wanted.get(kind, ""), id
    assert set(re.findall(r"\$\{(AWS::\w+)\}", text)) <= {"AWS::Region"}
    body: dict[str, Any] = json.loads(text)
    Body.model_validate(body)
    places: set[tuple[int, int]] = set()
    for widget in body["widgets"]:
        assert widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & places
        places |= cells
    return body


def lines_of(body: dict[str, Any]) -> list[list[Any]]:
    """Return the metrics of all panels."""
    widgets = [each for each in body["widgets"] if each["type"] == "metric"]
    return [line for widget in widgets for line in widget["properties"]["metrics"]]


def test_a_stack_has_a_dashboard_of_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each function, queue, table and health check; by metrics that the services have.

    cfn-lint reads the template of the first region, which has all that the second one has.
    """
    from leeward_deploy.commands.export import deployment_of

    monkeypatch.setattr(
        "leeward_deploy.aws.export.errors_in",
        lambda template, region: errors_in(template, region) if region == "us-east-1" else (),
    )
    config = config_of(tmp_path, settings("aws") + "[tables.orders]\n")
    asked = everything("aws")
    found = exported("aws", "cloudformation", asked, deployment_of(config, "aws", asked.app))
    for template in found[:-1]:  # behind the regions' stands what leeward doctor compares
        resources = json.loads(json.dumps(template.document))["Resources"]
        body = check_body(resources, resources.pop("Dashboard"))
        lines = lines_of(body)
        for namespace, metric, *_ in lines:
            assert metric in AWS_METRICS[namespace].split()
        for type, namespace in (
            ("Lambda::Function", "AWS/Lambda"),
            ("SQS::Queue", "AWS/SQS"),
            ("DynamoDB::Table", "AWS/DynamoDB"),
            ("Route53::HealthCheck", "AWS/Route53"),
        ):
            drawn = {re.sub(r"[${}]|\.\w+", "", line[3]) for line in lines if line[0] == namespace}
            assert drawn == {n for n, each in resources.items() if each["Type"] == f"AWS::{type}"}
        dead = next(e for e in body["widgets"] if e["properties"]["title"] == "Dead letters")
        assert all("DeadQueue" in line[3] for line in dead["properties"]["metrics"])


def test_an_app_that_writes_metrics_has_them_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """By the names and dimensions of the lines that its runtime writes to the log."""
    asked = spec({"emf": "Shop"})
    function = asked.app.handlers["make"]
    host = MeasuredHost(asked.app, Platform("aws", "north", FakeClock()), "Shop")
    host.run(function, Delivery(b"{}", "call", "key", 5.0))
    (written,) = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    resources = {
        "Make": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Environment": {"Variables": {"LEEWARD_FUNCTION": "make"}}},
        }
    }
    body = check_body(resources, dashboard_of(resources, "Shop", "Shop"))
    own = [line for line in lines_of(body) if line[0] == "Shop"]
    assert {line[1] for line in own} == {each["Name"] for each in written["Metrics"]}
    assert {(line[2], line[3], line[4], line[5]) for line in own} == {
        ("service.name", "Shop", "faas.name", "make")
    }
    assert [[own[0][2], own[0][4]]] == written["Dimensions"]


def test_many_functions_share_several_panels_and_no_name_is_an_expression() -> None:
    """A panel has as many lines as a person can tell apart; a label stands for itself."""
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Environment": {"Variables": {"LEEWARD_FUNCTION": "${Odd} ü"}}},
    }
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {}}
    resources = {f"F{number}": function for number in range(MOST_LINES + 1)}
    resources |= {f"A{number}": alarm for number in range(MOST_ALARMS + 1)}
    made = dashboard_of(resources, "a b/c" * 99)
    body = check_body(resources, made)
    titles = [each["properties"]["title"] for each in body["widgets"]]
    assert (titles.count("Errors"), titles[-2:]) == (2, ["Alarms", "Alarms"])
    assert lines_of(body)[0][-1]["label"] == "${!Odd} ü"
    assert re.fullmatch(r"[\w-]{1,255}", made["Properties"]["DashboardName"]["Fn::Sub"][:-14])


class Prometheus:
    """What Prometheus would collect of this process, by OpenTelemetry's own exporter."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from opentelemetry import metrics
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from opentelemetry.sdk.metrics import MeterProvider

        self._provider = provider = MeterProvider([PrometheusMetricReader()])
        monkeypatch.setattr(metrics, "get_meter", provider.get_meter)

    def samples(self) -> dict[str, set[str]]:
        """Return the labels of each metric of leeward, by its name."""
        from prometheus_client import REGISTRY

        found: dict[str, set[str]] = {}
        for family in REGISTRY.collect():
            for sample in family.samples:
                if sample.name.startswith(("leeward_", "faas_")):
                    found.setdefault(sample.name, set()).update(sample.labels)
        return found

    def close(self) -> None:
        """Leave the registry of the process."""
        self._provider.shutdown()


class Emitter:
    """Tells OpenTelemetry of everything that leeward tells it, once."""

    def __init__(self) -> None:
        self.client = telemetry = ClientTelemetry()
        attempts = (
            Attempt("a", outcome=Outcome.AMBIGUOUS, started=0.0, duration=0.1, reason="first"),
        )
        for result in (
            Result.ok(None)._replace(target="a", attempts=attempts),
            Result[Any](Outcome.AMBIGUOUS)._replace(target="a", attempts=attempts),
        ):
            with telemetry.span(Invoke("charge", b"{}", "key")) as span:
                span.end(result)
        telemetry.count_verdict(Settled(Verdict.RAN), "settle")
        telemetry.note(RoutingEvent("opened", "a", "invoke"))
        telemetry.watch_targets(self.targets)
        telemetry.count_open(self.one)
        telemetry.count_backlog(self.one)
        self.gauges = DepthGauges("a", self, list, FakeClock())  # type: ignore[arg-type]
        self.gauges.refresh()
        until(lambda: self.gauges._look()[0])
        app = App("shop", otel=True)

        @app.on_message("parcels")
        def send(parcel: Message) -> None:
            if parcel.id == "bad":
                raise ValueError

        for id in ("good", "bad"):
            delivery = Delivery(Message("parcels", id, b""), "call", "key", 5.0)
            answer(app.handlers["send"], delivery, Platform("nimbus", "north", FakeClock()))

    def targets(self) -> list[TargetStatus]:
        """Return how targets are."""
        return [TargetStatus("a", frozenset(), {}, in_flight=1, waiting=2)]

    def one(self) -> int:
        """Return a count."""
        return 1

    def depths(self, *_: object) -> list[Depth]:
        """Return how much waits."""
        return [
            Depth(Recipient("orders", "audit"), 1, 1, "k"),
            Depth(Recipient(QUEUED_CALL, "q"), 1, 1, "k"),
        ]


def test_grafanas_panels_use_metrics_that_leeward_emits(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names and labels of OpenTelemetry's own exporter; and every metric is drawn."""
    prometheus = Prometheus(monkeypatch)
    try:
        emitter = Emitter()
        samples = prometheus.samples()
    finally:
        prometheus.close()
    assert emitter.one() == 1  # it lives until here: gauges of what is gone have no value
    panels = [each for each in dashboard("Shop")["panels"] if each["type"] != "row"]
    drawn = set()
    for panel in panels:
        for target in panel["targets"]:
            expression = target["expr"]
            assert expression.count("(") == expression.count(")")
            (name,) = re.findall(r"\b(?:faas|leeward)_\w+(?=[\[)])", expression.split(" (")[-1])
            labels = set(re.findall(r"by \(([^)]*)\)", expression)[-1:]) or {""}
            wanted = {each for each in ", ".join(labels).split(", ") if each}
            assert wanted <= samples[name], expression
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert shown <= wanted
            drawn.add(re.sub("_(bucket|count|sum)$", "", name))
    assert drawn == {re.sub("_(bucket|count|sum|created)$", "", each) for each in samples}


def test_grafana_reads_every_word_of_its_dashboard(tmp_path: Path) -> None:
    """The models of Grafana's own SDK keep all that the file says, so nothing in it is unknown."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    args = ["export", "grafana", "--title", "Shop", "--out", str(tmp_path)]
    ran = CliRunner().invoke(command_line, args)
    assert (ran.exit_code, ran.stdout) == (0, f"{tmp_path}/grafana/leeward.json\n")
    ours = json.loads((tmp_path / "grafana/leeward.json").read_text())
    register_default_plugins()
    theirs = json.loads(json.dumps(Dashboard.from_json(ours), cls=JSONEncoder))

    def compare(mine: Any, read: Any, path: str) -> None:
        if isinstance(mine, dict):
            for name, value in mine.items():
                assert name in read or value is None, f"{path}.{name}"
                compare(value, read.get(name), f"{path}.{name}")
        elif isinstance(mine, list):
            assert len(mine) == len(read), path
            for number, pair in enumerate(zip(mine, read, strict=True)):
                compare(*pair, f"{path}[{number}]")
        else:
            assert mine == read, path

    compare(ours, theirs, "$")
    ids = [each["id"] for each in ours["panels"]]
    assert len(set(ids)) == len(ids)
    states = next(each for each in ours["panels"] if each["title"] == "State")
    (mapping,) = states["fieldConfig"]["defaults"]["mappings"]
    assert [each["text"] for each in mapping["options"].values()][0::3] == ["closed", "open"]
