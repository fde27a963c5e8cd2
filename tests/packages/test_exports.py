"""`leeward export` writes what the clouds take; a mistake in it is refused before it is written."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from typer.testing import CliRunner

from leeward import App, ConfigError
from leeward.cli.app import app as command_line
from leeward.cli.package.deployments import deployment_of
from leeward.config import load_settings, with_order
from leeward.items.names import EXPIRES
from leeward.packaging.recipe import Entry, Wish
from leeward_aws.deploy.export import cloudformation
from leeward_contract_tests.rows import each_row
from tests.packages.everything import flaws_in
from tests.packages.exported import (
    EVERYTHING,
    ORDERS,
    SHOP,
    ZONES,
    config_of,
    document,
    everything,
    example,
    exported,
    settings,
)
from tests.packages.mistakes import MISTAKES, Change

CLOUDS = ("aws", "azure", "google")

PYTHON = ("3.13", "x86_64")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Make the configurations of the app with everything, once."""
    return {each: document(each, tmp_path_factory.mktemp(each)) for each in CLOUDS}


def test_the_example_is_exported_from_one_command_line(tmp_path: Path) -> None:
    """With its workflow, to every cloud: each file stands where a project includes it."""
    shop = tmp_path / "shop"
    copytree(SHOP, shop, ignore=ignore_patterns("__pycache__"))
    shop.chmod(0o755)
    text = settings("aws").replace(ORDERS["aws"], ",".join(ORDERS.values()), 1)
    for cloud in ("azure", "google"):
        text += f'[export.{cloud}]\ndomain = "orders.example.com"\nzone = "{ZONES[cloud]}"\n'
    (shop / "leeward.toml").write_text(text + (SHOP / "leeward.toml").read_text())
    out = tmp_path / "out"
    args = ["export", "terraform", "ordering:app", "--source", str(shop), "--out", str(out)]
    ran = CliRunner().invoke(command_line, args)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.splitlines() == [str(out / each / "leeward.tf.json") for each in CLOUDS]
    for cloud in CLOUDS:
        made = json.loads((out / cloud / "leeward.tf.json").read_text())
        assert flaws_in(cloud, made) == []
    machine = json.loads((out / "aws/leeward.tf.json").read_text())["resource"]
    assert len(machine["aws_sfn_state_machine"]) == 2
    # Nothing of it is written where one cloud's part is wrong.
    wrong = (shop / "leeward.toml").read_text().replace('zone = "example-com"', 'zone = "Z-9"')
    (shop / "leeward.toml").write_text(wrong)
    args[-1] = str(tmp_path / "again")
    ran = CliRunner().invoke(command_line, args)
    assert "set zone in [export.google]" in " ".join(ran.stderr.split())
    assert not (tmp_path / "again").exists()


def test_an_order_beside_the_file_reaches_the_functions(tmp_path: Path) -> None:
    """The file goes along with the code, and may say `local`: a variable of each wins over it."""
    small = App("small")
    small.function(name="make")(len)
    for cloud in CLOUDS:
        file = tmp_path / "leeward.toml"
        file.write_text('cloud_provider = "local"\n')
        config = with_order(load_settings(file=file, env={}), ORDERS[cloud], {})
        place = deployment_of(config, cloud, small, in_file=False)
        (made,) = exported(cloud, "terraform", Wish(small, Entry("m", "a"), *PYTHON), place)
        assert made.text.count(f'"CLOUD_PROVIDER": "{ORDERS[cloud]}"') == 2
    args = ["export", "terraform", "--targets", ORDERS["aws"], "--source", str(tmp_path)]
    (tmp_path / "small.py").write_text(
        "from leeward import App\n\napp = App('small')\napp.function(name='make')(len)\n"
    )
    tmp_path.chmod(0o755)
    ran = CliRunner().invoke(command_line, [*args, "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    text = (tmp_path / "out/aws/leeward.tf.json").read_text()
    assert f'"CLOUD_PROVIDER": "{ORDERS["aws"]}"' in text


@each_row(
    "args, told",
    [
        ((), "nothing says where the app is to run; name the order with --targets"),
        (
            ("--targets", "local"),
            "no target of the order (local) can be exported to cloudformation",
        ),
        (("--targets", "google:us-central1"), "(google:us-central1) can be exported to"),
        (("--no-trust-env",), "leeward export imports the app"),
        (("--source", "nowhere"), "nothing says where"),
        (("--targets", "aws:us-east-1", "--arch", "mips"), "--arch is 'mips'"),
        (("--targets", "aws:us-east-1", "--python", "3.9"), "Lambda has no Python 3.9"),
    ],
)
def test_a_command_line_that_cannot_be_exported_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], told: str
) -> None:
    """And nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.py").write_text("from leeward import App\n\napp = App('small')\n")
    tmp_path.chmod(0o755)
    ran = CliRunner().invoke(command_line, ["export", "cloudformation", *args])
    assert ran.exit_code == 2, ran.output
    assert told in " ".join(ran.stderr.split())
    assert [each.name for each in tmp_path.iterdir()] == ["small.py"]


def test_cloudformation_has_a_template_for_each_region(tmp_path: Path) -> None:
    """cfn-lint takes those of the shop; what only we know is refused there, too."""
    shop = example("aws")
    text = settings("aws") + (SHOP / "leeward.toml").read_text()
    deployment = deployment_of(config_of(tmp_path, text), "aws", shop.app)
    made = exported("aws", "cloudformation", shop, deployment)
    assert [each.name for each in made] == ["us-east-1.template.json", "us-west-2.template.json"]
    first, second = (json.loads(each.text)["Resources"] for each in made)
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
        (made,) = exported(cloud, "terraform", pipeline, deployment)
        resources = json.loads(made.text)["resource"]
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
            first, second = exported(cloud, "cloudformation", pipeline, deployment)
            bucket = json.loads(first.text)["Resources"]["SalesBucket"]
            assert bucket["DependsOn"] == ["SummarizeQueuePolicy"]
            assert "SalesBucket" not in json.loads(second.text)["Resources"]


def test_what_the_linter_finds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written; and so is a template that is too large."""
    small = App("small")
    small.function(name="make")(len)
    asked = Wish(small, Entry("m", "a"), "3.13", "mips")
    deployment = deployment_of(config_of(tmp_path, settings("aws")), "aws", small)
    with pytest.raises(ConfigError, match=r"the template for us-east-1: cfn-lint finds E3030"):
        exported("aws", "cloudformation", asked, deployment)
    monkeypatch.setattr("leeward_aws.deploy.export.MOST_RESOURCES", 10)
    with pytest.raises(ConfigError, match=r"CloudFormation takes 10 .* make two apps"):
        exported("aws", "cloudformation", asked, deployment)


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


def test_on_google_a_right_is_given_when_its_thing_is_there(
    documents: dict[str, dict[str, Any]],
) -> None:
    """What the same file makes is referred to and not named: else one apply makes both at once."""
    google = documents["google"]["resource"]
    rights = {
        "google_pubsub_topic": ("google_pubsub_topic_iam_member", "topic"),
        "google_cloudfunctions2_function": ("google_cloud_run_service_iam_member", "service"),
        "google_storage_bucket": ("google_storage_bucket_iam_member", "bucket"),
    }
    for type, (members, argument) in rights.items():
        made = {each["name"] for each in google[type].values()}
        told = {each[argument] for each in google[members].values()}
        assert told
        assert not made & told, type
    groups = google["google_compute_region_network_endpoint_group"]
    assert groups["make"]["cloud_run"]["service"] == "${google_cloudfunctions2_function.make.name}"
    services = google["google_cloud_run_service_iam_member"]
    assert services["pay-make-it-europe-west1"]["service"] == (
        "${google_cloudfunctions2_function.make-europe-west1.name}"
    )


def test_on_google_an_account_may_do_what_its_function_does(
    tmp_path: Path, documents: dict[str, dict[str, Any]]
) -> None:
    """leeward's own dead letters are sent as it; functions without a URL are looked up as it; what
    the app shares is made for the health, too."""
    google = documents["google"]["resource"]
    account = "serviceAccount:${google_service_account.%s.email}"
    may_send = {
        each["member"]
        for each in google["google_pubsub_topic_iam_member"].values()
        if each["topic"] == "${google_pubsub_topic.parcels-gone.name}"
    }
    assert account % "send" in may_send
    assert account % "pay" not in may_send
    for members in ("google_cloudfunctions2_function_iam_member", "google_project_iam_member"):
        told = {each["member"] for each in google[members].values()}
        assert {account % each for each in ("make", "leeward-health")} <= told
    looked_up = google["google_cloudfunctions2_function_iam_member"]["make-make-it-europe-west1"]
    assert looked_up["role"] == "roles/cloudfunctions.viewer"
    url = '[targets.google]\nfunction_url = "https://{region}-p.cloudfunctions.net/{name}"\n'
    assert (
        "google_cloudfunctions2_function_iam_member"
        not in document("google", tmp_path, url)["resource"]
    )


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


def test_the_own_calls_of_an_app_may_fail_over(documents: dict[str, dict[str, Any]]) -> None:
    """A role allows what is called in every region: those of a standby begin in the first one."""
    aws, azure = (documents[each]["resource"] for each in ("aws", "azure"))
    for suffix in ("", "_us_west_2"):
        policy = json.loads(aws["aws_iam_role_policy"][f"make_role{suffix}"]["policy"])
        allowed = {
            action: {each.partition("}:")[2] for each in statement["Resource"]}
            for statement in policy["Statement"]
            for action in statement["Action"]
        }
        account = "${data.aws_caller_identity.this.account_id}"
        for region in ("us-east-1", "us-west-2"):
            charge = f"lambda:{region}:{account}:function:bank-charge"
            assert charge in allowed["lambda:InvokeFunction"]
            assert f"events:{region}:{account}:event-bus/orders" in allowed["events:PutEvents"]
    senders = {
        (each["principal_id"].split(".")[1], each["scope"].split(".")[1])
        for each in azure["azurerm_role_assignment"].values()
        if each["role_definition_name"] == "EventGrid Data Sender"
    }
    assert len(senders) == 4, "each of two apps to the topic of each region"


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
    assert "blob_properties" not in account["app-northeurope"]


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


@each_row("cloud, change, told", MISTAKES)
def test_a_planted_mistake_is_found(
    documents: dict[str, dict[str, Any]],
    cloud: str,
    change: Change,
    told: str,
) -> None:
    """Names, types, ranges, references that lead nowhere, roles that are too wide: 40 of them."""
    made = deepcopy(documents[cloud])
    change(made["resource"])
    found = flaws_in(cloud, made)
    assert any(told in each for each in found), found


WRONG: dict[str, tuple[str, str, str]] = {
    "AWS checks every 20 s": ("aws", "interval = 20", "must be 10 or 30 seconds; set interval"),
    "Azure checks every 20 s": ("azure", "interval = 20", "must be 10 or 30 seconds; set interval"),
    "Google checks every 10 s": ("google", "interval = 10", "must be 30 to 300 seconds"),
    "AWS fails after 11": ("aws", "failures = 11", "must be 1 to 10; set failures"),
    "an AWS standby that cannot answer": ("aws", "standby_instances = 0", "cannot answer a health"),
    "a Google standby that cannot": (
        "google",
        "standby_instances = 0",
        "could not answer a health",
    ),
    "a zone of a name": ("aws", 'zone = "example.com"', "id of a hosted zone"),
    "a zone of another domain": ("azure", 'zone = "example.org"', "not below the zone"),
    "Azure keeps for two years": ("azure", "retention_days = 730", "must be 1 to 365"),
}


@each_row("cloud, line, told", WRONG)
def test_a_setting_that_a_cloud_refuses_is_refused(
    tmp_path: Path, cloud: str, line: str, told: str
) -> None:
    """With the field and the remedy."""
    text = settings(cloud, line) + EVERYTHING
    if line.startswith("zone"):
        text = text.replace(f'zone = "{ZONES[cloud]}"\n', "")
    asked = everything(cloud)
    with pytest.raises(ConfigError, match=told):
        exported(
            cloud, "terraform", asked, deployment_of(config_of(tmp_path, text), cloud, asked.app)
        )


DOMAIN = '\n[export.aws]\ndomain = "orders.example.com"\nzone = "Z1"'

ORDERED: dict[str, tuple[str, str]] = {
    "no region": ('cloud_provider = "aws"', "'aws' has no region; write it as aws:REGION"),
    "no home": (f'cloud_provider = "{ORDERS["aws"]}"\n[tables.t]', r"tables.t\] has no home"),
    "a home elsewhere": (
        f'cloud_provider = "{ORDERS["aws"]}"\n[buckets.b]\nhome = "google:us-central1"',
        r"home of \[buckets.b\] is 'google:us-central1', which is not in the order",
    ),
    "one region twice": (
        'cloud_provider = "aws,aws:us-east-1"\n[targets.aws]\nregion = "us-east-1"',
        "two targets of aws are in us-east-1",
    ),
    "a third region": (
        'cloud_provider = "aws:us-east-1,aws:us-east-2,aws:us-west-2"' + DOMAIN,
        "fails over from one region to a second",
    ),
    "a name that is an expression": (
        'cloud_provider = "aws:us-east-1"\n[buses.b]\nnames = { aws = "${file(1)}" }',
        r"buses.b\] is called '\$\{file\(1\)\}', which is an expression",
    ),
    "no such region": ('cloud_provider = "aws:us-eest-1"', "did you mean 'us-west-1'"),
}


@each_row("text, told", ORDERED)
def test_an_order_that_cannot_be_exported_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Every target has a region, every table and bucket a home in the order."""
    asked = everything("aws")
    with pytest.raises(ConfigError, match=told):
        exported(
            "aws", "terraform", asked, deployment_of(config_of(tmp_path, text), "aws", asked.app)
        )


def test_an_app_that_nobody_calls_by_http_has_no_domain(tmp_path: Path) -> None:
    """What is asked for its health, and fails over, is a function that is called by HTTP."""
    quiet = App("quiet")
    quiet.on_message("parcels")(len)
    asked = Wish(quiet, Entry("m", "a"), "3.13", "x86_64")
    for cloud in CLOUDS:
        config = config_of(tmp_path, settings(cloud))
        with pytest.raises(ConfigError, match="no function that is called by HTTP"):
            exported(cloud, "terraform", asked, deployment_of(config, cloud, quiet))
        bare = config._replace(export={})
        (made,) = exported(cloud, "terraform", asked, deployment_of(bare, cloud, quiet))
        assert f"no domain in [export.{cloud}]" in "\n".join(made.notes)
