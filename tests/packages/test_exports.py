"""`leeward export` writes what the clouds take, in every region."""

from __future__ import annotations

import json
import re
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from typer.testing import CliRunner

from leeward import App, ConfigError
from leeward._items.names import EXPIRES
from leeward.cli.app import app as command_line
from leeward.config import load_settings, with_order
from leeward_deploy.aws.export import cloudformation
from leeward_deploy.commands.export import deployment_of, left_over
from leeward_deploy.recipe import Entry, PackageSpec
from tests.packages.everything import flaws_in
from tests.packages.exported import (
    CLOUDS,
    ORDERS,
    PYTHON,
    SHOP,
    ZONES,
    config_of,
    document,
    everything,
    example,
    exported,
    said,
    settings,
)


def test_the_example_is_exported_from_one_command_line(tmp_path: Path) -> None:
    """To every cloud, with its workflow, and a table that only clients know: each in its stage."""
    shop = tmp_path / "shop"
    copytree(SHOP, shop, ignore=ignore_patterns("__pycache__"))
    shop.chmod(0o755)
    text = 'unknowns = "lost-calls"\n'
    text += settings("aws").replace(ORDERS["aws"], ",".join(ORDERS.values()), 1)
    for cloud in ("azure", "google"):
        text += f'[export.{cloud}]\ndomain = "orders.example.com"\nzone = "{ZONES[cloud]}"\n'
    (shop / "leeward.toml").write_text(text + (SHOP / "leeward.toml").read_text())
    out = tmp_path / "out"
    args = ["export", "terraform", "ordering:app", "--source", str(shop), "--stage", "prod"]
    args += ["--out", str(out)]
    ran = CliRunner().invoke(command_line, args)
    assert ran.exit_code == 0, ran.output
    files = [Path(each) for each in ran.stdout.splitlines()]
    assert {each.parent.name for each in files} == {*CLOUDS}
    assert {each for each in out.rglob("*") if each.is_file()} == {*files}
    machines = (out / "aws/workflows.tf").read_text()
    assert machines.count('resource "aws_sfn_state_machine" ') == 2
    called = re.findall(r'FunctionName += "(.+?)"', machines)
    called += re.findall(r'home \+ ."([^"]+)."', (out / "google/order.workflow.json").read_text())
    assert {each.partition("-")[0] for each in called} == {"prod"}
    for file, name in (
        ("data", "lost-calls"),
        ("roles", "lost-calls"),
        ("alarms", "shop-us-east-1"),
    ):
        assert f"prod-{name}" in (out / f"aws/{file}.tf").read_text()
    # Nothing of it is written where one cloud's part is wrong.
    wrong = (shop / "leeward.toml").read_text().replace('zone = "example-com"', 'zone = "Z-9"')
    (shop / "leeward.toml").write_text(wrong)
    args[-1] = str(tmp_path / "again")
    ran = CliRunner().invoke(command_line, args)
    assert "set zone in [export.google]" in " ".join(ran.stderr.split())
    assert not (tmp_path / "again").exists()


def test_what_an_earlier_export_has_left_is_told(tmp_path: Path) -> None:
    """It would be applied with the rest; what is of another tool is not."""
    for name in ("old.tf", "old.template.yaml", "main.tf", "notes.md"):
        (tmp_path / name).touch()
    (told,) = left_over(tmp_path, {"main.tf", "leeward.expected.json"})
    assert f"{tmp_path}/old.tf is not of this export" in told


def test_an_order_beside_the_file_reaches_the_functions(tmp_path: Path) -> None:
    """The file goes along with the code, and may say `local`: a variable of each wins over it."""
    small = App("small")
    small.function(name="make")(len)
    for cloud in CLOUDS:
        file = tmp_path / "leeward.toml"
        file.write_text('cloud_provider = "local"\n')
        config = with_order(load_settings(file=file, env={}), ORDERS[cloud], {})
        place = deployment_of(config, cloud, small, in_file=False)
        made, *_ = exported(cloud, "terraform", PackageSpec(small, Entry("m", "a"), *PYTHON), place)
        resources = json.dumps(said(made)["resource"])
        assert resources.count(f'"CLOUD_PROVIDER": "{ORDERS[cloud]}"') == 2
    args = ["export", "terraform", "--targets", ORDERS["aws"], "--source", str(tmp_path)]
    (tmp_path / "small.py").write_text(
        "from leeward import App\n\napp = App('small')\napp.function(name='make')(len)\n"
    )
    tmp_path.chmod(0o755)
    ran = CliRunner().invoke(command_line, [*args, "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    assert "aws: leeward.toml names no function" in " ".join(ran.stderr.split())
    text = (tmp_path / "out/aws/functions.tf").read_text()
    assert f'CLOUD_PROVIDER   = "{ORDERS["aws"]}"' in text


def test_cloudformation_has_a_template_for_each_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cfn-lint takes those of the shop; what only we know is refused there, too."""
    shop = example("aws")
    text = settings("aws") + (SHOP / "leeward.toml").read_text()
    deployment = deployment_of(config_of(tmp_path, text), "aws", shop.app)
    made = exported("aws", "cloudformation", shop, deployment)
    names = [each.name for each in made]
    assert names == [
        "us-east-1.template.yaml",
        "us-west-2.template.yaml",
        "leeward.expected.json",
    ]
    assert "aws.zip as a file beside them" in made[0].notes[-1]
    assert "through the domain answers within 30 s" not in "".join(made[0].notes)
    # What cfn-lint has taken is not shown to it again: that takes several seconds.
    monkeypatch.setattr("leeward_deploy.aws.export.errors_in", lambda *_: ())
    shop.app.function(name="slow", timeout=31)(len)
    slow = cloudformation(shop, deployment)[0].notes
    assert "through the domain answers within 30 s" in "".join(slow)
    first, second = (said(each)["Resources"] for each in made[:2])
    assert "OrdersTable" in first
    assert "OrdersTable" not in second, "data has one home"
    states = [each["ExpireOrdersSchedule"]["Properties"]["State"] for each in (first, second)]
    assert states == ["ENABLED", "DISABLED"], "one region alone runs schedules"
    with pytest.raises(ConfigError, match=r"request_interval is 20, and must be 10 or 30 seconds"):
        cloudformation(shop, deployment._replace(interval=20))


def test_a_bucket_that_is_made_tells_of_its_objects(tmp_path: Path) -> None:
    """The pipeline of the examples: in the region of its bucket alone, and by no other command."""
    files = (SHOP.with_name("pipeline") / "leeward.toml").read_text()
    for cloud in CLOUDS:
        pipeline = example(cloud, "pipeline", "pipeline:app")
        text = f'cloud_provider = "{ORDERS[cloud]}"\n' + files
        text += f'home = "{ORDERS[cloud].partition(",")[0]}"\n'
        deployment = deployment_of(config_of(tmp_path, text), cloud, pipeline.app)
        made, *_ = exported(cloud, "terraform", pipeline, deployment)
        resources = said(made)["resource"]
        assert not [each for each in made.notes if "put-bucket-notification" in each]
        if cloud == "aws":
            (told,) = resources["aws_s3_bucket_notification"].values()
            assert told["queue"] == [
                {
                    "queue_arn": "${aws_sqs_queue.summarize_queue.arn}",
                    "events": ["s3:ObjectCreated:*"],
                    "filter_prefix": "in/",
                }
            ]
            assert told["depends_on"] == ["aws_sqs_queue_policy.summarize_queue_policy"]
            first, second, _ = exported(cloud, "cloudformation", pipeline, deployment)
            bucket = said(first)["Resources"]["SalesBucket"]
            assert bucket["DependsOn"] == ["SummarizeQueuePolicy"]
            assert "SalesBucket" not in said(second)["Resources"]


def test_a_bucket_of_another_cloud_tells_nobody(tmp_path: Path) -> None:
    """There is none of its name, or somebody else's: what names it could not be applied.

    The home may also be a target that has no regions and no files.
    """
    files = (SHOP.with_name("pipeline") / "leeward.toml").read_text()
    order = "aws:us-east-1,azure:westeurope,google:us-central1,local"
    for cloud in CLOUDS:
        pipeline = example(cloud, "pipeline", "pipeline:app")
        for home in order.split(","):
            text = f'cloud_provider = "{order}"\n{files}home = "{home}"\n'
            place = deployment_of(config_of(tmp_path, text), cloud, pipeline.app)
            made, *_ = exported(cloud, "terraform", pipeline, place)
            found = said(made)["resource"]
            names = json.dumps([made.notes, found])
            assert ("sales" in names) is home.startswith(cloud), (cloud, home)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_app_with_everything_is_what_the_provider_takes(
    documents: dict[str, dict[str, Any]], cloud: str
) -> None:
    """Every argument, type and reference, and what no schema knows."""
    assert flaws_in(cloud, documents[cloud]) == []


def test_a_dead_region_is_left_after_150_seconds(documents: dict[str, dict[str, Any]]) -> None:
    """Three checks, 30 seconds apart, and what resolvers keep for 60 seconds; on every cloud."""
    aws, azure, google = (documents[each]["resource"] for each in CLOUDS)
    check = aws["aws_route53_health_check"]["health_check"]
    record = aws["aws_route53_record"]["dns_record"]
    assert check["request_interval"] * check["failure_threshold"] + record["ttl"] == 150
    profile = azure["azurerm_traffic_manager_profile"]["app"]
    monitor = profile["monitor_config"]
    assert monitor["tolerated_number_of_failures"] == 2, "the next one makes it degraded"
    failures = monitor["tolerated_number_of_failures"] + 1
    assert monitor["interval_in_seconds"] * failures + profile["dns_config"]["ttl"] == 150
    check = google["google_compute_health_check"]["entrance"]
    record = google["google_dns_record_set"]["entrance"]
    assert check["check_interval_sec"] * check["unhealthy_threshold"] + record["ttl"] == 150
    assert record["routing_policy"]["primary_backup"]["backup_geo"][0]["location"] == "europe-west1"
    kinds = [each["failover_routing_policy"] for each in aws["aws_route53_record"].values()]
    assert kinds == [{"type": "PRIMARY"}, {"type": "SECONDARY"}]
    priorities = azure["azurerm_traffic_manager_external_endpoint"].values()
    assert [each["priority"] for each in priorities] == [1, 2]


def test_what_is_asked_for_its_health_can_answer(documents: dict[str, dict[str, Any]]) -> None:
    """The path is open to everybody, the functions are not; a body is looked for, not only 200."""
    aws, azure, google = (documents[each]["resource"] for each in CLOUDS)
    routes = {
        each["route_key"]: each["authorization_type"]
        for each in aws["aws_apigatewayv2_route"].values()
    }
    assert routes == {"GET /health": "NONE", "POST /make": "AWS_IAM", "POST /count": "AWS_IAM"}
    check = aws["aws_route53_health_check"]["health_check"]
    assert (check["type"], check["search_string"]) == ("HTTPS_STR_MATCH", '"status":"ok"')
    assert (
        azure["azurerm_traffic_manager_profile"]["app"]["monitor_config"]["path"] == "/api/health"
    )
    public = [
        each["service"]
        for each in google["google_cloud_run_service_iam_member"].values()
        if each["member"] == "allUsers"
    ]
    assert public == [
        "${google_cloudfunctions2_function.leeward-health.name}",
        "${google_cloudfunctions2_function.leeward-health-europe-west1.name}",
    ]
    health = google["google_cloudfunctions2_function"]["leeward-health"]["service_config"]
    assert health["ingress_settings"] == "ALLOW_INTERNAL_AND_GCLB"
    assert health["min_instance_count"] == 1


def test_on_azure_the_path_of_the_health_is_that_of_the_host(tmp_path: Path) -> None:
    """Whatever host.json of the user's own stands before it: else no region would ever be well."""
    for own, path in (("", "/health"), ("v1/", "/v1/health")):
        host = json.dumps({"extensions": {"http": {"routePrefix": own}}})
        asked = everything("azure")._replace(files={"host.json": host})
        place = deployment_of(config_of(tmp_path, settings("azure")), "azure", asked.app)
        made, *_ = exported("azure", "terraform", asked, place)
        profiles = said(made)["resource"]["azurerm_traffic_manager_profile"]
        assert profiles["app"]["monitor_config"]["path"] == path


def test_two_regions_do_nothing_twice(documents: dict[str, dict[str, Any]]) -> None:
    """A standby runs no schedules, and gets no event or message that the first region gets."""
    aws, azure, google = (documents[each]["resource"] for each in CLOUDS)
    states = {name: each["state"] for name, each in aws["aws_scheduler_schedule"].items()}
    assert states == {"sweep_schedule": "ENABLED", "sweep_schedule_us_west_2": "DISABLED"}
    schedule = aws["aws_scheduler_schedule"]["sweep_schedule"]
    assert schedule["schedule_expression_timezone"] == "UTC"
    assert schedule["target"]["retry_policy"]["maximum_retry_attempts"] == 3
    assert "sweep_dead_queue.arn" in schedule["target"]["dead_letter_config"]["arn"]
    apps = azure["azurerm_function_app_flex_consumption"]
    off = "AzureWebJobs.sweep.Disabled"
    assert [off in each["app_settings"] for each in apps.values()] == [False, True]
    topics = {name: each["location"] for name, each in azure["azurerm_eventgrid_topic"].items()}
    assert topics == {"orders": "westeurope", "orders-north": "northeurope"}
    assert {each["region"] for each in google["google_cloud_scheduler_job"].values()} == {
        "us-central1"
    }
    pushed = [
        each["push_config"]["push_endpoint"]
        for each in google["google_pubsub_subscription"].values()
        if "push_config" in each
    ]
    assert pushed
    assert not [each for each in pushed if "europe" in each]


def test_what_holds_data_has_one_home_and_is_kept(documents: dict[str, dict[str, Any]]) -> None:
    """Tables and buckets are in the first region alone, and no apply deletes them."""
    aws, azure, google = (documents[each]["resource"] for each in CLOUDS)
    tables = aws["aws_dynamodb_table"]
    assert {each["region"] for each in tables.values()} == {"us-east-1"}
    assert (tables["stock_table"]["hash_key"], tables["stock_table"]["range_key"]) == (
        "shelf",
        "place",
    )
    assert tables["stock_table"]["ttl"] == {"attribute_name": EXPIRES, "enabled": True}
    policies = json.dumps(aws["aws_iam_role_policy"]["make_role_us_west_2"])
    assert "dynamodb:us-east-1" in policies
    assert "dynamodb:us-west-2" not in policies
    containers = azure["azurerm_cosmosdb_sql_container"]
    assert {name: each["partition_key_paths"] for name, each in containers.items()} == {
        "orders": ["/id"],
        "stock": ["/shelf"],
    }
    for made, types in (
        (aws, ("aws_dynamodb_table", "aws_s3_bucket")),
        (azure, ("azurerm_cosmosdb_account", "azurerm_cosmosdb_sql_container")),
        (google, ("google_firestore_database",)),
    ):
        for type in types:
            assert all(each["lifecycle"]["prevent_destroy"] for each in made[type].values()), type
    rule = aws["aws_s3_bucket_lifecycle_configuration"]["scans_bucket"]["rule"][0]
    assert rule["noncurrent_version_expiration"] == {"noncurrent_days": 30}
    assert google["google_storage_bucket"]["scans"]["versioning"] == {"enabled": True}
    account = azure["azurerm_storage_account"]
    assert account["app"]["blob_properties"]["delete_retention_policy"] == {"days": 30}
    assert account["app-northeurope"]["blob_properties"] == {"delete_retention_policy": {"days": 7}}


TWO_HOMES: dict[str, str] = {
    "aws": "",
    "azure": (
        '[targets."azure:westeurope"]\ncosmos_endpoint = "https://west.documents.azure.com"\n'
        'cosmos_database = "shop"\n'
        '[targets."azure:northeurope"]\ncosmos_endpoint = "https://north.documents.azure.com"\n'
        'cosmos_database = "shop-north"\n'
    ),
    "google": (
        '[targets."google:us-central1"]\ndatabase = "us"\n'
        '[targets."google:europe-west1"]\ndatabase = "eu"\n'
    ),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_table_is_made_where_its_home_is(tmp_path: Path, cloud: str) -> None:
    """Under the name that it has there, also when the first table lives elsewhere."""
    _, other = ORDERS[cloud].split(",")
    more = (
        f'[tables.residents]\nhome = "{other}"\nnames = {{ "{other}" = "residents-there" }}\n'
        + TWO_HOMES[cloud]
    )
    made = document(cloud, tmp_path, more)["resource"]
    first, second = (each.partition(":")[2] for each in ORDERS[cloud].split(","))
    if cloud == "aws":
        regions = {each["name"]: each["region"] for each in made["aws_dynamodb_table"].values()}
        assert regions == {"orders": first, "stock": first, "residents-there": second}
        assert "table/residents-there" in json.dumps(made["aws_iam_role_policy"]["make_role"])
    elif cloud == "azure":
        accounts = made["azurerm_cosmosdb_account"]
        where = {
            name: (each["location"], each["geo_location"][0]["location"], each["name"])
            for name, each in accounts.items()
        }
        assert where == {
            "tables": (first, first, "${var.cosmos_account}"),
            "tables-northeurope": (second, second, "${var.cosmos_account_northeurope}"),
        }
        databases = made["azurerm_cosmosdb_sql_database"]
        assert sorted(each["name"] for each in databases.values()) == ["shop", "shop-north"]
        residents = made["azurerm_cosmosdb_sql_container"]["residents-there"]
        assert residents["account_name"] == "${azurerm_cosmosdb_account.tables-northeurope.name}"
        for suffix in ("", "-northeurope"):  # both apps use it, in the account of its home
            role = made["azurerm_cosmosdb_sql_role_assignment"][f"residents-there{suffix}"]
            assert "azurerm_cosmosdb_account.tables-northeurope.id" in role["scope"]
            assert "/dbs/shop-north/" in role["scope"]
    else:
        databases = made["google_firestore_database"]
        assert {each["name"]: each["location_id"] for each in databases.values()} == {
            "us": first,
            "eu": second,
        }


def test_a_bucket_that_is_made_tells_the_handlers_of_its_objects(
    documents: dict[str, dict[str, Any]],
) -> None:
    """In the region of its home, with the prefix, once those may be told; no note is needed."""
    aws, azure, google = (documents[each]["resource"] for each in CLOUDS)
    ((name, told),) = aws["aws_s3_bucket_notification"].items()
    assert (name, told["region"], told["lambda_function"]) == ("scans_bucket", "us-east-1", [])
    assert told["queue"] == [
        {
            "queue_arn": "${aws_sqs_queue.clean_queue.arn}",
            "events": ["s3:ObjectCreated:*"],
            "filter_prefix": "in/",
        }
    ]
    assert told["depends_on"] == ["aws_sqs_queue_policy.clean_queue_policy"]
    policy = aws["aws_sqs_queue_policy"]["clean_queue_policy"]["policy"]
    assert '"aws:SourceArn": "arn:${data.aws_partition.this.partition}:s3:::scans"' in policy
    assert "clean_queue_policy_us_west_2" not in aws["aws_sqs_queue_policy"]
    subscriptions = azure["azurerm_eventgrid_event_subscription"]
    assert {"clean", "shrink"} <= set(subscriptions)
    assert "clean-northeurope" not in subscriptions
    notification = google["google_storage_notification"]["clean"]
    assert notification["bucket"] == "${google_storage_bucket.scans.name}"
