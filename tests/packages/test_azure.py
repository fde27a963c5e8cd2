"""What Azure adds to facts: queues, homes, accounts; what is said of them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leeward import App, ConfigError
from leeward_contract_tests.rows import each_row
from leeward_deploy.azure.facts import CLOUD
from leeward_deploy.azure.host import host_json
from leeward_deploy.commands.export import deployment_of
from leeward_deploy.facts import Facts, facts_of
from leeward_deploy.recipe import Entry, PackageSpec
from leeward_deploy.settings import DeploySettings, HandlerSettings
from tests.packages.everything import spec
from tests.packages.exported import EVERYTHING, ORDERS, PYTHON, config_of, everything, settings


def made(
    folder: Path, more: str = "", asked: PackageSpec | None = None, text: str = ""
) -> tuple[Facts, str]:
    """Give the facts of an app, and what is said of them."""
    asked = asked or everything("azure")
    config = config_of(folder, text or settings("azure") + EVERYTHING + more)
    place = deployment_of(config, "azure", asked.app)
    return facts_of(asked, place, CLOUD)[0], "\n".join(CLOUD.notes(asked, place))


def test_a_queue_has_its_logical_name_and_dead_letters_where_leeward_gives_up(
    tmp_path: Path,
) -> None:
    """The host makes those of poison messages itself; a call that may be queued has a queue."""
    options = {"service_bus": {"bills": "BILLS"}, "dead_letters": {"bills": "bills-gone"}}
    facts, _ = made(tmp_path, '[deploy]\nprefix = "acme"\n', spec(options))
    assert {*facts["queues"]} == {"bills", "clean", "count", "parcels"}
    assert all(name == queue["name"] for name, queue in facts["queues"].items())
    assert facts["queues"]["bills"]["deliveries"] == 15, "ten of its own, and five to spare"
    assert facts["dead_letters"] == {"bills-gone": {"name": "bills-gone", "service_bus": "BILLS"}}
    assert facts["azure"]["app"] == "acme-shop"
    host = json.loads(host_json(everything("azure")))
    assert host["extensions"]["queues"]["maxDequeueCount"] == 12
    assert host["extensions"]["queues"]["visibilityTimeout"] == "00:00:10"


def test_a_bus_whose_name_two_regions_share_has_one_home(tmp_path: Path) -> None:
    """That of the data: it stays when regions change places; a topic has a name in one group."""
    facts, _ = made(tmp_path, "[buses.news]\n")
    assert facts["buses"]["news"]["home"] == "westeurope"
    assert "home" not in facts["buses"]["orders"], "each region has its own"
    west, north = ORDERS["azure"].split(",")
    swapped = settings("azure").replace(f"{west},{north}", f"{north},{west}", 1)
    facts, _ = made(tmp_path, text=swapped + EVERYTHING + "[buses.news]\n")
    assert (facts["serving"], facts["buses"]["news"]["home"]) == ("northeurope", "westeurope")
    alone = settings("azure").replace(f"{west},{north}", west, 1)
    facts, _ = made(tmp_path, text=alone + EVERYTHING.replace('"azure:northeurope"', "azure"))
    assert facts["buses"]["orders"]["home"] == "westeurope"


def test_two_pairs_of_regions_with_two_names_of_a_bus_are_refused(tmp_path: Path) -> None:
    """A home is one region."""
    order = ",".join(f"azure:{each}" for each in ("westus", "eastus", "ukwest", "uksouth"))
    names = '[buses.b]\nnames = { "azure:ukwest" = "uk", "azure:uksouth" = "uk" }\n'
    with pytest.raises(ConfigError, match="'b' has the same name in westus and eastus, and anoth"):
        made(tmp_path, text=f'cloud_provider = "{order}"\n{names}', asked=_small())


def _small() -> PackageSpec:
    app = App("small")
    app.function(name="make")(len)
    return PackageSpec(app, Entry("m", "a"), *PYTHON)


def test_a_table_knows_its_account_and_its_database(tmp_path: Path) -> None:
    """Also when its region is left: it is retained with them."""
    _, other = ORDERS["azure"].split(",")
    more = (
        f'[tables.residents]\nhome = "{other}"\nnames = {{ "{other}" = "residents-there" }}\n'
        '[targets."azure:westeurope"]\ncosmos_endpoint = "https://west.documents.azure.com"\n'
        'cosmos_database = "shop"\n'
        '[targets."azure:northeurope"]\ncosmos_endpoint = "https://north.documents.azure.com"\n'
        'cosmos_database = "shop-north"\n'
    )
    tables = made(tmp_path, more)[0]["tables"]
    orders, residents = tables["orders"], tables["residents"]
    assert (orders["account"], orders["database"]) == ("west", "shop")
    assert (residents["name"], residents["home"]) == ("residents-there", "northeurope")
    assert (residents["account"], residents["database"]) == ("north", "shop-north")


def test_an_account_of_objects_that_is_there_has_all_of_them(tmp_path: Path) -> None:
    """Nothing is made in it; else a bucket that nothing names is made in each region."""
    buckets = made(tmp_path)[0]["buckets"]
    assert buckets == {
        "photos": {"name": "photos"},
        "scans": {"name": "scans", "home": "westeurope"},
    }
    yours = (
        '[targets."azure:westeurope"]\nstorage_blob_url = "https://acme.blob.core.windows.net"\n'
    )
    facts, _ = made(tmp_path, yours)
    assert all(bucket["existing"] for bucket in facts["buckets"].values())
    assert facts["azure"]["blobs"] == "acme"


def test_the_path_of_the_health_is_that_of_the_host(tmp_path: Path) -> None:
    """Whatever host.json of the user's own stands before it: else no region would ever be well."""
    assert made(tmp_path)[0]["azure"]["health"] == "/api/health"
    for own, path in (("", "/health"), ("v1/", "/v1/health")):
        host = json.dumps({"extensions": {"http": {"routePrefix": own}}})
        asked = everything("azure")._replace(files={"host.json": host})
        assert made(tmp_path, asked=asked)[0]["azure"]["health"] == path


def test_notes_say_what_cannot_be_had(tmp_path: Path) -> None:
    """More memory than an instance has; a role of one handler."""
    chosen = DeploySettings(
        memory=8192, concurrency=5, handlers={"send": HandlerSettings(concurrency=3, role="id")}
    )
    asked = everything("azure")._replace(settings=chosen)
    _, said = made(tmp_path, asked=asked)
    assert "8192 megabytes are wanted, and an instance on Azure has 4096 at most" in said
    assert "send: a role is named, and on Azure it does not count" in said
    extensions = json.loads(host_json(asked))["extensions"]
    assert (extensions["queues"]["batchSize"], extensions["queues"]["newBatchThreshold"]) == (3, 0)
    assert extensions["serviceBus"] == {"maxConcurrentCalls": 3}
    assert "serviceBus" not in json.loads(host_json(everything("azure")))["extensions"]


def test_a_lock_of_service_bus_is_renewed_as_long_as_a_handler_may_run() -> None:
    """By default the host stops after five minutes: the message came again beside its handler."""
    app = App("small")
    app.on_message("bills", timeout=600)(print)
    host = json.loads(host_json(PackageSpec(app, Entry("m", "a"), *PYTHON)))
    lock = host["extensions"]["serviceBus"]["maxAutoLockRenewalDuration"]
    assert lock == host["functionTimeout"] == "00:10:00"


ORDER = f'cloud_provider = "{ORDERS["azure"]}"\ndata_target = "azure:westeurope"\n'

REFUSED: dict[str, tuple[PackageSpec, str, str]] = {
    "objects by Service Bus": (
        spec({"service_bus": {"clean": "BUS"}}),
        "",
        "service_bus names 'clean', a handler of objects",
    ),
    "objects of two homes": (
        everything("azure"),
        f'[buckets.one]\n[buckets.two]\nhome = "{ORDERS["azure"].partition(",")[2]}"\n',
        r"several homes \(northeurope, westeurope\)",
    ),
}


@each_row("asked, more, told", REFUSED)
def test_what_azure_does_not_take_is_refused(
    tmp_path: Path, asked: PackageSpec, more: str, told: str
) -> None:
    """With the field and the remedy, before anything is written."""
    with pytest.raises(ConfigError, match=told):
        made(tmp_path, asked=asked, text=ORDER + more)


def test_all_that_nobody_looks_at_is_said_to_the_doctor() -> None:
    """For each target."""
    found: Any = CLOUD.expected({}, {}, {"westeurope": "azure:westeurope"})
    (one,) = found
    assert (one.target, one.name) == (
        "azure:westeurope",
        "the app, its queues, schedules and roles",
    )
