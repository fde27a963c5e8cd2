"""What ``[deploy]`` says reaches the module of Google, and nothing more is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from leeward_deploy.commands.export import deployment_of
from leeward_deploy.recipe import PackageSpec, Rights, Template
from leeward_deploy.settings import DeploySettings, HandlerSettings
from tests.packages.everything import document as template_of
from tests.packages.exported import EVERYTHING, config_of, everything, exported, said, settings

CLOUDS: Final = ("google",)

SETTINGS: Final = DeploySettings(
    stage="prod",
    tags={"team": "Orders", "cost centre": "7"},
    memory=512,
    concurrency=5,
    limit=40,
    log_days=90,
    existing=frozenset({("tables", "orders"), ("tables", "stock"), ("buckets", "scans")}),
    handlers={"send": HandlerSettings(memory=1024, concurrency=3)},
)

DEPLOY: Final = (
    '[deploy]\nprefix = "shop"\nstage = "prod"\n'
    'existing = ["tables.orders", "tables.stock", "buckets.scans", "queues.parcels"]\n'
)


def module(cloud: str, folder: Path, asked: PackageSpec, more: str = "") -> tuple[Template, ...]:
    """Give the files of an app with settings and rights."""
    config = config_of(folder, settings(cloud) + EVERYTHING + more)
    return exported(cloud, "terraform", asked, deployment_of(config, cloud, asked.app))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_module_has_files_that_a_person_reads(tmp_path: Path, cloud: str) -> None:
    """Each says what it is for; variables have types and descriptions; alarms can be left out."""
    asked = everything(cloud)
    made = {each.name: each for each in module(cloud, tmp_path, asked)}
    assert {"variables.tf", "outputs.tf", "versions.tf", "functions.tf", "rights.tf"} <= {*made}
    assert {"queues.tf", "alarms.tf", "logs.tf", "entrance.tf", "leeward.expected.json"} <= {*made}
    for name, each in made.items():
        assert name.endswith(".json") or name == "main.tf" or each.text.startswith("# "), name
    whole = said(next(iter(made.values())))
    for variable in whole["variable"].values():
        assert variable["type"]
        assert variable["description"]
    assert all(each["description"] for each in whole["output"].values())
    quiet = asked._replace(settings=DeploySettings(alarms=False, access_logs=False))
    assert "alarms.tf" not in {each.name for each in module(cloud, tmp_path, quiet)}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_template_of_a_package_is_such_a_module(cloud: str) -> None:
    """In a folder of its own beside the package."""
    found = template_of(cloud)
    assert found["variable"]["max_instances"]["default"] == 100
    assert found["terraform"]["required_version"]


def test_on_google_settings_reach_functions_logs_and_alerts(tmp_path: Path) -> None:
    """Memory, instances of consumers and of callers, labels, days, a stage."""
    asked = everything("google")._replace(settings=SETTINGS)
    found = said(module("google", tmp_path, asked, DEPLOY)[0])
    resources = found["resource"]
    functions = resources["google_cloudfunctions2_function"]
    make, send = (functions[each]["service_config"] for each in ("make", "send"))
    assert (make["available_memory"], make["max_instance_count"]) == ("512M", 40)
    assert (send["available_memory"], send["max_instance_count"]) == ("1024M", 3)
    assert functions["pay"]["service_config"]["max_instance_count"] == 5
    assert functions["sweep"]["service_config"]["max_instance_count"] == 40
    assert make["environment_variables"]["LEEWARD_STAGE"] == "prod"
    assert "ingress_settings" not in make
    assert send["ingress_settings"] == "ALLOW_INTERNAL_ONLY", "nobody calls it but Pub/Sub"
    assert found["locals"]["labels"] == (
        '${merge({"team" = "orders", "cost_centre" = "7"}, var.labels)}'
    )
    assert functions["make"]["labels"] == "${local.labels}"
    assert found["variable"]["log_days"]["default"] == 90
    assert "google_firestore_database" not in resources, "it is there already"
    assert {*resources["google_storage_bucket"]} == {"code"}
    assert functions["sweep"]["name"] == "shop-prod-sweep"
    assert "shop-prod-count" in resources["google_pubsub_topic"]
    alerts = resources["google_monitoring_alert_policy"]
    assert {*alerts} == {"errors", "throttles", "dead_letters", "oldest_message", "health"}
    watched = found["locals"]["dead_letters"]
    kept = {n for n, e in resources["google_pubsub_subscription"].items() if "push_config" not in e}
    assert {*watched} == kept, "every subscription of dead letters"
    assert {*found["locals"]["functions"]} == {*functions}


def test_on_google_a_function_may_do_what_it_uses_and_no_more(tmp_path: Path) -> None:
    """Who only reads only reads; who uses nothing has nothing; a role that is there is named."""
    rights = {name: Rights() for name in everything("google").app.handlers}
    rights["make"] = Rights(reads=frozenset({"orders"}), gets=frozenset({"scans"}))
    rights["pay"] = Rights(
        publishes=frozenset({"orders"}), calls=frozenset({"charge"}), writes=frozenset({"stock"})
    )
    mine = "mine@project.iam.gserviceaccount.com"
    role = "arn:aws:iam::111122223333:role/make"  # which counts on AWS alone
    chosen = DeploySettings(
        handlers={"sweep": HandlerSettings(role=mine), "make": HandlerSettings(role=role)}
    )
    asked = everything("google")._replace(rights=rights, settings=chosen)
    found = module("google", tmp_path, asked)
    resources = said(found[0])["resource"]
    tables = {name: each["role"] for name, each in resources["google_project_iam_member"].items()}
    assert tables == {"make": "roles/datastore.viewer", "pay": "roles/datastore.user"}
    assert resources["google_storage_bucket_iam_member"]["make-scans"]["role"] == (
        "roles/storage.objectViewer"
    )
    publishers = resources["google_pubsub_topic_iam_member"]
    assert {n for n in publishers if n.endswith("-orders")} == {"pay-orders"}
    callers = {n for n in resources["google_cloud_run_service_iam_member"] if "bank-charge" in n}
    assert {each.partition("-")[0] for each in callers} == {"pay"}
    assert "sweep" not in resources["google_service_account"]
    sweep = resources["google_cloudfunctions2_function"]["sweep"]["service_config"]
    assert sweep["service_account_email"] == mine
    assert "sweep: runs as mine@" in "\n".join(found[0].notes)


def test_on_google_the_open_health_has_no_rights_of_the_app(tmp_path: Path) -> None:
    """But those by which what handlers share is made; and it is asked so often and no more."""
    asked = everything("google")
    resources = said(module("google", tmp_path, asked)[0])["resource"]
    account = "${google_service_account.leeward-health.email}"
    assert account not in json.dumps(
        [each for type, each in resources.items() if type.endswith("_iam_member")]
    )
    backends = resources["google_compute_backend_service"]
    throttled = {name for name, each in backends.items() if "security_policy" in each}
    assert throttled == {"leeward-health", "leeward-health-europe-west1"}
    shared = asked._replace(warm=Rights(reads=frozenset({"orders"})))
    resources = said(module("google", tmp_path, shared)[0])["resource"]
    member = resources["google_project_iam_member"]["leeward-health"]
    assert (member["role"], account in member["member"]) == ("roles/datastore.viewer", True)


_TOLD: Final = ("event", "object")
