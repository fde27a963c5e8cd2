"""What AWS adds to facts: schedules, prefixes, what is said of them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leeward import App, Client, ConfigError
from leeward_aws.resources import KINDS
from leeward_backup import schedule_backup
from leeward_contract_tests.rows import each_row
from leeward_deploy.aws.expectations import expectations
from leeward_deploy.aws.facts import CLOUD
from leeward_deploy.aws.schedules import scheduler_expression
from leeward_deploy.commands.export import deployment_of
from leeward_deploy.facts import Facts, facts_of
from leeward_deploy.recipe import Declared, Entry, PackageSpec, Rights
from tests.packages.everything import spec
from tests.packages.exported import EVERYTHING, PYTHON, config_of, everything, settings


def made(folder: Path, asked: PackageSpec, text: str = "") -> tuple[Facts, str]:
    """Give the facts of an app, and what is said of them."""
    text = text or 'cloud_provider = "aws:us-east-1"\ndata_target = "aws:us-east-1"\n'
    place = deployment_of(config_of(folder, text), "aws", asked.app)
    sites = tuple(each._replace(declared=asked.declared) for each in place.sites)
    place = place if text.count("\n") > 2 else place._replace(sites=sites)
    return facts_of(asked, place, CLOUD)[0], "\n".join(CLOUD.notes(asked, place))


@each_row(
    "crontab, wanted",
    [
        ("*/5 * * * *", "cron(0/5 * * * ? *)"),
        ("* * * * *", "cron(* * * * ? *)"),
        ("30 6 * * 1-5", "cron(30 6 ? * 2-6 *)"),
        ("0 0 * * 0", "cron(0 0 ? * 1 *)"),
        ("0 0 * * 0,3,6", "cron(0 0 ? * 1,4,7 *)"),
        ("0 9 * * 1,3,5", "cron(0 9 ? * 2,4,6 *)"),
        ("0 0 1,15 */3 *", "cron(0 0 1,15 1/3 ? *)"),
        ("5-7,20 9-17/4 * * *", "cron(5-7,20 9,13,17 * * ? *)"),
    ],
)
def test_a_crontab_is_written_as_scheduler_reads_it(crontab: str, wanted: str) -> None:
    """Days of the week begin with 1, for Sunday, and take no steps; of the two kinds of days one is
    left open."""
    assert scheduler_expression(crontab) == wanted


def test_what_lambda_calls_is_tried_again_and_kept(tmp_path: Path) -> None:
    """As often as the handler says, twice at most; an unsafe function never by itself."""
    facts, said = made(tmp_path, everything("aws"), settings("aws") + EVERYTHING)
    retries = {name: each["retries"] for name, each in facts["handlers"].items()}
    assert (retries.pop("make"), retries.pop("count")) == (0, 1)
    assert {*retries.values()} == {2}
    assert "remember: 4 retries are wanted" in said
    queues = facts["queues"]
    # Seven attempts of its own, and some to spare: leeward gives up first.
    assert (queues["parcels"]["deliveries"], queues["bills"]["deliveries"]) == (12, 10)


def test_a_bucket_that_is_there_is_told_by_a_command(tmp_path: Path) -> None:
    """With the prefix as S3 encodes keys: it compares it with nothing else."""
    found = App("found")
    found.on_object("scans", prefix="in/year=2026/a b+c~/é'", name="clean")(print)
    found.on_object("photos", queued=False, name="shrink")(print)
    facts, said = made(tmp_path, PackageSpec(found, Entry("m", "a"), *PYTHON))
    commands = [each for each in said.splitlines() if "put-bucket-notification" in each]
    photos, scans = (
        json.loads(each.partition("-configuration '")[2].rstrip("'").replace("'\"'\"'", "'"))
        for each in commands
    )
    (queue,) = scans["QueueConfigurations"]
    (rule,) = queue["Filter"]["Key"]["FilterRules"]
    assert rule["Value"] == "in/year%3D2026/a+b%2Bc%7E/%C3%A9%27"
    assert facts["aws"]["filters"] == {"clean": rule["Value"]}
    assert queue["QueueArn"] == "arn:aws:sqs:REGION:ACCOUNT:clean"
    (function,) = photos["LambdaFunctionConfigurations"]
    assert function["LambdaFunctionArn"] == "arn:aws:lambda:REGION:ACCOUNT:function:shrink"
    assert "--bucket photos " in commands[0]


def test_a_scheduled_backup_is_two_handlers_that_scan(tmp_path: Path) -> None:
    """One has the schedule; both may scan the table, and write where the backups are."""
    app = App("shop")
    schedule_backup(app, "0 2 * * *", "orders", "backups/shop", client=Client)
    text = settings("aws").partition("[export")[0]
    text += "[functions.back-up-orders-rest]\n[tables.orders]\n[buckets.backups]\n"
    config = config_of(tmp_path, text)
    place = deployment_of(config, "aws", app)
    asked = PackageSpec(app, Entry("m", "a"), *PYTHON, declared=place.sites[0].declared)
    facts, _ = facts_of(asked, place, CLOUD)
    for name in ("back-up-orders", "back-up-orders-rest"):
        rights = facts["handlers"][name]["rights"]
        assert rights["scans"] == ["orders"]
        assert rights["puts"] == [{"bucket": "backups", "prefix": ""}]
    assert "schedule" in facts["handlers"]["back-up-orders"]


def test_a_right_to_a_whole_bucket_is_said(tmp_path: Path) -> None:
    """A put alone gives no right to read the bucket; what no prefix bounds is told."""
    scans = frozenset({"scans"})
    for more, whole in ({}, False), ({"gets": scans}, True):
        asked = everything("aws")._replace(rights={"clean": Rights(puts=scans, **more)})
        facts, said = made(tmp_path, asked, settings("aws") + EVERYTHING)
        places = [each.get("prefix", "") for each in facts["handlers"]["clean"]["rights"]["gets"]]
        assert ("" in places) is whole
        assert ("clean: its calls name objects of scans that no prefix" in said) is whole


def test_names_that_would_be_one_are_refused(tmp_path: Path) -> None:
    """A queue of dead letters, and one that keeps an order for what keeps none; and patterns."""
    for letters, told in (
        ({"parcels": "gone", "bills": "gone"}, "would both be 'gone'"),
        ({"parcels": "gone.fifo"}, "'parcels' keeps no order, and .* name one without .fifo"),
        ({"remember": "gone.fifo"}, "to 'remember' keeps no order"),
    ):
        with pytest.raises(ConfigError, match=told):
            made(tmp_path, spec({"dead_letters": letters}, Declared()))
    odd = App("odd")
    odd.on_object("scans", prefix="%{x}/${path.root}/")(len)
    with pytest.raises(ConfigError, match=r"of 'len' is a pattern where a role on AWS names it"):
        made(tmp_path, PackageSpec(odd, Entry("m", "a"), *PYTHON))
    nothing = PackageSpec(App("shop"), Entry("m", "a"), *PYTHON)
    with pytest.raises(ConfigError, match="the app 'shop' has no handler and no workflow"):
        made(tmp_path, nothing)


def test_every_kind_that_is_expected_is_compared(tmp_path: Path) -> None:
    """`leeward doctor` can read each of them, and reads nothing besides."""
    asked = everything("aws")
    config = config_of(tmp_path, settings("aws") + EVERYTHING)
    facts, texts = facts_of(asked, deployment_of(config, "aws", asked.app), CLOUD)
    found = [*expectations(facts, texts, {"us-east-1": "aws:us-east-1"})]
    assert {each.type for each in found} == KINDS.keys() - {"state machine"}
    bucket = next(each for each in found if each.type == "settings of the bucket")
    assert bucket.has["notifications"] == ["in/* to clean"]
