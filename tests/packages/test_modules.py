"""What ``[deploy]`` says reaches the modules of Azure and Google, and nothing more is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from leeward_deploy.azure.host import host_json
from leeward_deploy.commands.export import deployment_of
from leeward_deploy.recipe import PackageSpec, Rights, Template
from leeward_deploy.settings import DeploySettings, HandlerSettings
from tests.packages.everything import document as template_of
from tests.packages.everything import spec
from tests.packages.exported import EVERYTHING, config_of, everything, exported, said, settings

CLOUDS: Final = ("azure", "google")

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


def test_on_azure_settings_reach_the_app_its_host_and_its_logs(tmp_path: Path) -> None:
    """One size for all; a stage; days; what is there is not made; concurrency is the host's."""
    asked = everything("azure")._replace(settings=SETTINGS)
    made = module("azure", tmp_path, asked, DEPLOY)
    found = said(made[0])
    resources = found["resource"]
    app = resources["azurerm_function_app_flex_consumption"]["app"]
    assert app["instance_memory_in_mb"] == 2048, "1024 are asked for, and there are 512, 2048, 4096"
    assert (app["http_concurrency"], app["maximum_instance_count"]) == (40, "${var.max_instances}")
    assert app["app_settings"]["LEEWARD_STAGE"] == "prod"
    assert app["tags"] == "${local.tags}"
    assert '"team" = "Orders"' in found["locals"]["tags"]
    assert found["variable"]["log_days"]["default"] == 90
    assert "azurerm_cosmosdb_account" not in resources
    assert "scans" not in resources["azurerm_storage_container"]
    extensions = json.loads(host_json(asked))["extensions"]
    assert (extensions["queues"]["batchSize"], extensions["queues"]["newBatchThreshold"]) == (3, 0)
    assert extensions["serviceBus"] == {"maxConcurrentCalls": 3}
    assert "serviceBus" not in json.loads(host_json(everything("azure")))["extensions"]
    assert "concurrency counts messages of one instance" in "\n".join(made[0].notes)


def test_on_azure_a_note_says_what_cannot_be_had(tmp_path: Path) -> None:
    """More memory than an instance has; a topic in each region, unless it is there already."""
    asked = everything("azure")
    large = asked._replace(settings=SETTINGS._replace(memory=8192))
    told = "\n".join(module("azure", tmp_path, large, "[buses.news]\n")[0].notes)
    assert "8192 megabytes are wanted, and an instance on Azure has 4096 at most" in told
    assert "the bus news has one name in all regions" in told
    there = large._replace(settings=DeploySettings(existing=frozenset({("buses", "news")})))
    told = "\n".join(module("azure", tmp_path, there, "[buses.news]\n")[0].notes)
    assert "has one name in all regions" not in told


def test_on_azure_the_app_may_do_what_any_handler_uses(tmp_path: Path) -> None:
    """A table that is only read is only read; a role of one handler is refused by a note."""
    rights = {name: Rights() for name in everything("azure").app.handlers}
    rights["make"] = Rights(reads=frozenset({"orders"}))
    rights["pay"] = Rights(reads=frozenset({"stock"}), writes=frozenset({"stock"}))
    chosen = DeploySettings(handlers={"pay": HandlerSettings(role="id")})
    asked = everything("azure")._replace(rights=rights, settings=chosen)
    made = module("azure", tmp_path, asked)
    resources = said(made[0])["resource"]
    tables = resources["azurerm_cosmosdb_sql_role_assignment"]
    ends = {name: each["role_definition_id"][-1] for name, each in tables.items()}
    assert (ends["orders"], ends["stock"]) == ("1", "2"), "a reader, and a contributor"
    assert "pay: a role is named, and on Azure it does not count" in "\n".join(made[0].notes)


def test_on_azure_keys_are_off_unless_event_grid_needs_them() -> None:
    """Its only user; the file says so."""
    quiet = spec()
    for name in [n for n, each in quiet.app.handlers.items() if each.kind.value in _TOLD]:
        del quiet.app.handlers[name]
    bare = template_of("azure", quiet)
    account = bare["resource"]["azurerm_storage_account"]["app"]
    assert account["shared_access_key_enabled"] is False
    assert bare["provider"]["azurerm"]["storage_use_azuread"] is True
    account = template_of("azure")["resource"]["azurerm_storage_account"]["app"]
    assert account["shared_access_key_enabled"] is True
    assert "Event Grid uses the keys" in account["//"]


_TOLD: Final = ("event", "object")


def test_on_azure_storage_is_in_zones_where_the_region_has_some(tmp_path: Path) -> None:
    """Else an apply would fail when it is too late."""
    asked = everything("azure")
    kinds: dict[str, Any] = {}
    for region in ("westeurope", "westus"):
        text = settings("azure").replace("westeurope", region) + EVERYTHING
        place = deployment_of(config_of(tmp_path, text), "azure", asked.app)
        resources = said(exported("azure", "terraform", asked, place)[0])["resource"]
        kinds[region] = resources["azurerm_storage_account"]["app"]["account_replication_type"]
    assert kinds == {"westeurope": "ZRS", "westus": "LRS"}
