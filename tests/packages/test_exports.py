"""`leeward export` writes what the clouds take, in every region."""

from __future__ import annotations

import json
import re
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from typer.testing import CliRunner

from leeward import App
from leeward.cli.app import app as command_line
from leeward.config import load_settings, with_order
from leeward_deploy.commands.export import deployment_of, left_over
from leeward_deploy.recipe import Entry, PackageSpec
from tests.packages.everything import flaws_in
from tests.packages.exported import (
    CLOUDS,
    COMPILED,
    ORDERS,
    PYTHON,
    SHOP,
    ZONES,
    config_of,
    document,
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
    modules = {"aws", "aws-prod", "flows", "azure", "azure-prod", "global"}
    assert {each.parent.name for each in files} == {*modules, *COMPILED}
    assert {each for each in out.rglob("*") if each.is_file()} == {*files}
    facts = json.loads((out / "aws-prod/facts.json").read_text())
    called = [facts["handlers"][name]["name"] for name in facts["flows"]["order"]["calls"]]
    called += re.findall(r'home \+ ."([^"]+)."', (out / "google/order.workflow.json").read_text())
    assert {each.partition("-")[0] for each in called} == {"prod"}
    assert facts["tables"]["lost-calls"]["name"] == "prod-lost-calls"
    assert "lost-calls" in facts["handlers"]["place-order"]["rights"]["writes"]
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
    for cloud in COMPILED:
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
    facts = json.loads((tmp_path / "out/aws/facts.json").read_text())
    assert facts["order"] == ORDERS["aws"]


def test_a_bucket_of_another_cloud_tells_nobody(tmp_path: Path) -> None:
    """There is none of its name, or somebody else's: what names it could not be applied.

    The home may also be a target that has no regions and no files.
    """
    files = (SHOP.with_name("pipeline") / "leeward.toml").read_text()
    order = "aws:us-east-1,azure:westeurope,google:us-central1,local"
    for cloud in CLOUDS:
        pipeline = example(cloud, "pipeline", "pipeline:app")
        for home in order.split(",") if cloud in COMPILED else ():
            text = f'cloud_provider = "{order}"\n{files}home = "{home}"\n'
            place = deployment_of(config_of(tmp_path, text), cloud, pipeline.app)
            made, *_ = exported(cloud, "terraform", pipeline, place)
            found = said(made)["resource"]
            names = json.dumps([made.notes, found])
            assert ("sales" in names) is home.startswith(cloud), (cloud, home)


@pytest.mark.parametrize("cloud", COMPILED)
def test_the_app_with_everything_is_what_the_provider_takes(
    documents: dict[str, dict[str, Any]], cloud: str
) -> None:
    """Every argument, type and reference, and what no schema knows."""
    assert flaws_in(cloud, documents[cloud]) == []


def test_a_dead_region_is_left_after_150_seconds(documents: dict[str, dict[str, Any]]) -> None:
    """Three checks, 30 seconds apart, and what resolvers keep for 60 seconds; on every cloud."""
    google = documents["google"]["resource"]
    check = google["google_compute_health_check"]["entrance"]
    record = google["google_dns_record_set"]["entrance"]
    assert check["check_interval_sec"] * check["unhealthy_threshold"] + record["ttl"] == 150
    assert record["routing_policy"]["primary_backup"]["backup_geo"][0]["location"] == "europe-west1"


def test_what_is_asked_for_its_health_can_answer(documents: dict[str, dict[str, Any]]) -> None:
    """The path is open to everybody, the functions are not; a body is looked for, not only 200."""
    google = documents["google"]["resource"]
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


def test_two_regions_do_nothing_twice(documents: dict[str, dict[str, Any]]) -> None:
    """A standby runs no schedules, and gets no event or message that the first region gets."""
    google = documents["google"]["resource"]
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
    google = documents["google"]["resource"]
    databases = google["google_firestore_database"].values()
    assert all(each["lifecycle"]["prevent_destroy"] for each in databases)
    assert google["google_storage_bucket"]["scans"]["versioning"] == {"enabled": True}


def test_each_table_is_made_where_its_home_is(tmp_path: Path) -> None:
    """Under the name that it has there, also when the first table lives elsewhere."""
    _, other = ORDERS["google"].split(",")
    more = (
        f'[tables.residents]\nhome = "{other}"\nnames = {{ "{other}" = "residents-there" }}\n'
        '[targets."google:us-central1"]\ndatabase = "us"\n'
        '[targets."google:europe-west1"]\ndatabase = "eu"\n'
    )
    made = document("google", tmp_path, more)["resource"]
    first, second = (each.partition(":")[2] for each in ORDERS["google"].split(","))
    databases = made["google_firestore_database"]
    assert {each["name"]: each["location_id"] for each in databases.values()} == {
        "us": first,
        "eu": second,
    }


def test_a_bucket_that_is_made_tells_the_handlers_of_its_objects(
    documents: dict[str, dict[str, Any]],
) -> None:
    """In the region of its home, with the prefix, once those may be told; no note is needed."""
    google = documents["google"]["resource"]
    notification = google["google_storage_notification"]["clean"]
    assert notification["bucket"] == "${google_storage_bucket.scans.name}"
