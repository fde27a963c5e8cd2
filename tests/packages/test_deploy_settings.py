"""`[deploy]` says what infrastructure files say beside the app: names, sizes, limits, rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from leeward import App, ConfigError
from leeward.config import load_settings
from leeward.workflow import Flow, Ref
from leeward_contract_tests.rows import each_row
from leeward_deploy.aws import yaml
from leeward_deploy.commands.export import deployment_of
from leeward_deploy.commands.package import PackageRequest, declared_for, spec_of
from leeward_deploy.recipe import Entry, PackageSpec
from leeward_deploy.rights import rights_of
from leeward_deploy.settings import check_settings, read_settings
from leeward_deploy.uv import PackageSource
from tests.packages.everything import app as everything
from tests.packages.exported import SHOP, config_of, exported, said, settings
from tests.packages.exported import everything as everything_as_spec


@each_row(
    "text, told",
    [
        ('stage = "Prod"', "stage must be up to 24 lower-case letters"),
        ('prefix = "a--b"', "prefix must be up to 24 lower-case letters"),
        ("memry = 1", "did you mean 'memory'"),
        ("memory = 64", "memory in .* must be a whole number from 128"),
        ("concurrency = 0", "must be a whole number from 1 to 1000"),
        ('tags = { "aws:x" = "y" }', "cannot name a tag"),
        ("tags = { team = 1 }", "must be a text"),
        ('existing = ["orders"]', "write what is there already as KIND.NAME"),
        ('existing = ["lambdas.orders"]', "one of queues, buses, tables, buckets, workflows"),
        ('existing = ["tables.order"]', "tables.order, and neither .*; did you mean 'orders'"),
        ('existing = ["queues.parcel"]', "queues.parcel, .*; did you mean 'parcels'"),
        ('existing = ["buses.orders", "workflows.x"]', "has workflows.x, and .*; known: none"),
        ('tags = { team = "" }', "must be a text of 1 to 63"),
        ('tags = { Team = "a", team = "b" }', "'Team' and 'team', which clouds take for one"),
        ('handlers = { make = { role = "make" } }', "must be the ARN of a role on AWS"),
        ('issuer = "https://login.example.com"', "lacks 'audience'"),
        ('issuer = "http://a.b"\naudience = ["x"]', "must be the https address"),
        ("log_days = 0", "whole number from 1 to 3650"),
        ("tracing = 1", "must be true or false"),
        ("handlers = { make = { timeout = 3 } }", "unknown key .*timeout"),
        ("handlers = { mak = { memory = 512 } }", "no handler 'mak'; did you mean 'make'"),
        *(
            (
                f'handlers = {{ make = {{ {key} = ["{name}"] }} }}',
                rf"\[deploy.handlers.make\] {told}",
            )
            for key, name, told in (
                (
                    "writes",
                    "order",
                    r"names 'order'; .*tables.order\] or \[buckets.order\]; did you mean 'orders'",
                ),
                ("reads", "scan", r"names 'scan'; .*; did you mean 'scans'"),
                ("publishes", "stock", r"names 'stock'; .* no \[buses.stock\]; add it"),
                ("calls", "parcel", "names 'parcel'; .*; did you mean 'parcels'"),
                ("starts", "flow", r"names 'flow'; .* no \[workflows.flow\]; add it"),
            )
        ),
    ],
)
def test_a_wrong_setting_names_its_key_and_the_remedy(tmp_path: Path, text: str, told: str) -> None:
    """When files are written: a program reads but the beginning of names."""

    def check() -> None:
        config = config_of(tmp_path, f"[tables.orders]\n[buckets.scans]\n[deploy]\n{text}\n")
        check_settings(read_settings(config), everything(), config)
        rights_of(everything(), config, read_settings(config), {})

    with pytest.raises(ConfigError, match=told):
        check()


def test_what_an_app_names_and_nothing_has_is_refused(tmp_path: Path) -> None:
    """The functions of its workflows, and the buckets that its handlers write to."""

    def check(text: str) -> None:
        config = config_of(tmp_path, text)
        check_settings(read_settings(config), made, config)

    made = App("shop")
    made.function(name="charge")(len)

    @made.workflow("order")
    def flow(w: Flow, order: Ref) -> None:
        with w.saga("booking"):
            w.step("charge", order, undo="refnd")

    with pytest.raises(
        ConfigError, match="the workflow order names 'refnd', .*'refund'. if it is else"
    ):
        check("[functions.refund]\n")
    check("[functions.refnd]\n")
    made = App("shop")
    made.on_object("scans", prefix="in/", writes="scanz/out/", name="clean")(len)
    with pytest.raises(ConfigError, match="writes of clean names 'scanz', .*mean 'scans'. if it"):
        check("")
    check("[buckets.scanz]\n")


def test_an_app_without_anything_to_run_is_refused(tmp_path: Path) -> None:
    """Its handlers may stand in a module that nothing imports."""
    app = App("shop")
    config = config_of(tmp_path, 'cloud_provider = "aws:us-east-1"\n')
    asked = everything_as_spec("aws")._replace(app=app, rights={})
    with pytest.raises(ConfigError, match="the app 'shop' has no handler and no workflow"):
        exported("aws", "cloudformation", asked, deployment_of(config, "aws", app))


def test_a_stage_is_the_beginning_of_every_name_that_nothing_gives(tmp_path: Path) -> None:
    """In the files, and in the calls of a program with the same file; the variable wins."""
    file = tmp_path / "leeward.toml"
    file.write_text(
        '[deploy]\nprefix = "acme"\nstage = "test"\n[tables.orders]\n'
        '[buses.orders.names]\naws = "shared"\n'
    )
    config = load_settings(file=file, env={})
    assert (config.prefix, load_settings(file=file, env={"LEEWARD_STAGE": "prod"}).prefix) == (
        "acme-test-",
        "acme-prod-",
    )
    with pytest.raises(ConfigError, match="LEEWARD_STAGE: stage must be"):
        load_settings(file=file, env={"LEEWARD_STAGE": "a b"})
    asked = PackageRequest(
        *("ordering:app", "aws", "3.13", "x86_64", SHOP, tmp_path / "out", None, ()),
        PackageSource(),
        file,
        "prod",
    )
    declared = spec_of(asked)[0].declared
    assert (declared.tables, declared.buses) == (
        {"orders": "acme-prod-orders"},
        {"orders": "shared"},
    )
    assert declared.own("charge") == "acme-prod-charge"


def resources(tmp_path: Path, deploy: str, app: App | None = None) -> dict[str, Any]:
    """Give the resources of both regions of the app with everything, by region."""
    text = settings("aws") + "[tables.orders]\n[buckets.scans]\n[buses.orders]\n[deploy]\n" + deploy
    config = config_of(tmp_path, text)
    made = app or everything()
    target = config.order[0]
    asked = PackageSpec(
        *(made, Entry("shop", "app"), "3.13", "x86_64", {}),
        declared_for(config, target),
        read_settings(config),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leeward_deploy.aws.export.errors_in", lambda *_: ())
        first, second, _ = exported(
            "aws", "cloudformation", asked, deployment_of(config, "aws", made)
        )
    return {"first": said(first), "second": said(second), "text": first.text}


def test_settings_reach_the_functions(tmp_path: Path) -> None:
    """Size, limits of consumers apart from callers, logs, traces, tags, the stage."""
    made = resources(
        tmp_path,
        'stage = "prod"\nmemory = 512\nconcurrency = 7\nlimit = 40\nlog_days = 90\n'
        'tracing = false\ntags = { team = "orders" }\n'
        "[deploy.handlers.make]\nmemory = 1024\nconcurrency = 5\n"
        '[deploy.handlers.send]\nconcurrency = 3\nrole = "arn:aws:iam::111122223333:role/send"\n',
    )
    found = {id: each["Properties"] for id, each in made["first"]["Resources"].items()}
    assert (found["Make"]["MemorySize"], found["Pay"]["MemorySize"]) == (1024, 512)
    reserved = {
        id: found[id].get("ReservedConcurrentExecutions") for id in ("Make", "Count", "Pay", "Send")
    }
    assert reserved == {"Make": 5, "Count": 40, "Pay": None, "Send": None}
    most = {id: found[f"{id}Messages"]["ScalingConfig"] for id in ("Pay", "Send")}
    assert most == {"Pay": {"MaximumConcurrency": 7}, "Send": {"MaximumConcurrency": 3}}
    assert found["Make"]["FunctionName"] == "prod-make"
    assert found["Make"]["Environment"]["Variables"]["LEEWARD_STAGE"] == "prod"
    assert found["MakeLog"] == {
        "LogGroupName": "/aws/lambda/prod-make",
        "RetentionInDays": 90,
        "Tags": [{"Key": "team", "Value": "orders"}],
    }
    assert "TracingConfig" not in found["Make"]
    assert "xray" not in json.dumps(found["MakeRole"])
    assert found["Send"]["Role"] == "arn:aws:iam::111122223333:role/send"
    assert "SendRole" not in found


def test_a_standby_keeps_instances_for_callers_and_none_for_consumers(tmp_path: Path) -> None:
    """What is reserved for all would starve those that read queues."""
    text = settings("aws", "standby_instances = 2")
    config = config_of(tmp_path, text)
    made = everything()
    asked = PackageSpec(made, Entry("shop", "app"), "3.13", "x86_64")
    (document, *_) = exported("aws", "terraform", asked, deployment_of(config, "aws", made))
    functions = said(document)["resource"]["aws_lambda_function"]
    reserved = {n for n, each in functions.items() if "reserved_concurrent_executions" in each}
    assert reserved == {f"{n}_us_west_2" for n in ("make", "count", "http_health")}


def test_what_is_there_already_is_referred_to_and_not_made(tmp_path: Path) -> None:
    """A table, a bucket, a bus and a queue of the user's."""
    made = resources(
        tmp_path,
        'existing = ["tables.orders", "buckets.scans", "buses.orders", "queues.bills"]\n',
    )
    found = made["first"]["Resources"]
    assert not {"OrdersTable", "ScansBucket", "OrdersBus", "PayQueue"} & set(found)
    assert found["PayMessages"]["Properties"]["EventSourceArn"]["Fn::Sub"].endswith(":bills")
    assert found["RememberEvent"]["Properties"]["EventBusName"] == "orders"
    assert "table/orders" in json.dumps(found["MakeRole"])


def test_the_health_is_open_throttled_and_without_rights(tmp_path: Path) -> None:
    """It has a function of its own; the others are for signed requests, or for tokens."""
    for deploy, kind in (
        ("", "AWS_IAM"),
        ('issuer = "https://login.example.com"\naudience = ["shop"]\n', "JWT"),
    ):
        found = {
            id: each["Properties"]
            for id, each in resources(tmp_path, deploy)["first"]["Resources"].items()
        }
        kinds = {id: found[id]["AuthorizationType"] for id in ("MakeRoute", "HttpApiHealth")}
        assert kinds == {"MakeRoute": kind, "HttpApiHealth": "NONE"}
        assert ("HttpApiAuthorizer" in found) is (kind == "JWT")
        limits = found["HttpApiStage"]["RouteSettings"]["GET /health"]
        assert limits == {"ThrottlingBurstLimit": 50, "ThrottlingRateLimit": 25}
        statements = found["HttpHealthRole"]["Policies"][0]["PolicyDocument"]["Statement"]
        actions = {action.partition(":")[0] for each in statements for action in each["Action"]}
        assert actions == {"logs", "xray"}


def test_alarms_watch_what_can_be_lost(tmp_path: Path) -> None:
    """Each queue of dead letters, errors, throttles, the oldest message, each health check."""
    made = resources(tmp_path, "")
    found = {id: each for id, each in made["first"]["Resources"].items() if id.endswith("Alarm")}
    handlers = everything().handlers
    metrics = [each["Properties"]["MetricName"] for each in found.values()]
    assert metrics.count("ApproximateNumberOfMessagesVisible") == len(handlers)
    assert metrics.count("Errors") == metrics.count("Throttles") == len(handlers)
    assert metrics.count("ApproximateAgeOfOldestMessage") == 3
    assert metrics.count("HealthCheckStatus") == 1
    second = [id for id in made["second"]["Resources"] if id == "HealthCheckAlarm"]
    assert second == [], "the metrics are in us-east-1 alone"
    assert "AlarmTopic" in made["first"]["Parameters"]
    without = resources(tmp_path, "alarms = false\naccess_logs = false\n")["first"]
    assert "Alarm" not in json.dumps(without)
    assert "AccessLogSettings" not in json.dumps(without)


def test_the_yaml_says_what_the_template_says(tmp_path: Path) -> None:
    """Read by another library, with CloudFormation's short forms made long again."""
    made = resources(tmp_path, 'tags = { "a b" = "on", team = "x: y" }\n')
    reader = YAML(typ="safe")

    def long(loader: Any, tag: str, node: Any) -> Any:
        if tag == "GetAtt":
            return {"Fn::GetAtt": node.value.split(".")}
        value = (
            loader.construct_sequence(node, deep=True)
            if isinstance(node.value, list)
            else loader.construct_scalar(node)
        )
        return {tag if tag == "Ref" else f"Fn::{tag}": value}

    reader.constructor.add_multi_constructor("!", long)
    assert reader.load(made["text"]) == made["first"]
    odd = {"a": ["yes", "1", "- x", "a: b", "é", "it's", 'say "x"', "", "x #y", "2012-10-17", "~"]}
    document = {"Resources": {"A": odd}, "Metadata": {"n": [1, 1.5, True, None, {}, []]}}
    assert reader.load(yaml.write(document, lambda _: "part")) == document


def test_an_app_may_have_workflows_alone(tmp_path: Path) -> None:
    """On Google there are no logs of functions then, and alerts of none."""
    app = App("shop")

    @app.workflow("order")
    def order(w: Flow, value: Ref) -> None:
        w.step("charge", value, effect="keyed")

    text = '[functions.charge]\n[workflows.order]\ndefinition = "shop:order"\n'
    config = config_of(tmp_path, 'cloud_provider = "google:europe-west1"\n' + text)
    asked = everything_as_spec("google")._replace(app=app, rights={})
    made, *_ = exported("google", "terraform", asked, deployment_of(config, "google", app))
    resources = said(made)["resource"]
    assert "google_workflows_workflow" in resources
    assert "google_logging_project_sink" not in resources
