"""The module of Azure makes what leeward's exports made before it, and keeps what they had made."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from leeward_deploy.moves import moves_in
from leeward_deploy.recipe import Rights
from leeward_deploy.settings import DeploySettings, HandlerSettings
from tests.packages.exported import EVERYTHING, everything, settings
from tests.packages.roots import NEEDS_CORE, Plan, Root, type_of

pytestmark = NEEDS_CORE

BEFORE: Final[dict[str, dict[str, Any]]] = json.loads(
    Path(__file__).with_name("recorded_azure.json").read_text("utf-8")
)
"""What an export of 0.1.0 made of the app with everything, by its address then."""

OTHERWISE: Final = Counter({
    "azurerm_application_insights_workbook": 2,  # the dashboard is new
    "azurerm_log_analytics_workspace": 1,  # each region has its own, and its own alerts
    "azurerm_monitor_scheduled_query_rules_alert_v2": 3,
})  # fmt: skip
"""Resources that the module has more of."""

RENAMED: Final = {
    "shop-dead-letters-bills-northeurope": "shop-northeurope-dead-letters-bills",
    "shop-dead-letters-orders-north-events": "shop-northeurope-dead-letters-orders-north-events",
    "app": "westeurope",
    "app-northeurope": "northeurope",
}
"""Alerts and endpoints, which hold nothing, begin with the app and the region now."""


REGIONS: Final = ("westeurope", "northeurope")

NARROW: Final = (
    *("Azure Service Bus Data Receiver", "Azure Service Bus Data Sender", "EventGrid Data Sender"),
    *("Monitoring Metrics Publisher", "Storage Blob Data Contributor", "Storage Blob Data Owner"),
    *("Storage Blob Data Reader", "Storage Queue Data Contributor"),
)
"""Roles that the module gives."""


@pytest.fixture(scope="module")
def expanded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Root, Plan]:
    """Give the root of the app with everything, with the names that it had before, and its plan."""
    root = Root("azure", tmp_path_factory.mktemp("everything"))
    root.export(everything("azure"), settings("azure") + EVERYTHING)
    root.set_variables(
        apps='{ westeurope = "shop" }',
        storage_accounts='{ westeurope = "shopwest", northeurope = "shopnorth" }',
    )
    main = root.place / "main.tf"
    anchor = "  apps                  = module.app\n"
    more = f'{anchor}  profile               = "shop"\n'
    main.write_text(main.read_text("utf-8").replace(anchor, more), "utf-8")
    return root, root.plan()


def test_the_module_makes_what_was_made_before(expanded: tuple[Root, Plan]) -> None:
    """Resource by resource, with its name and what it is for; what is new has a reason."""
    plan = expanded[1]
    assert plan.refusal == ""
    types = Counter(type_of(each) for each in plan.actions)
    del types["terraform_data"]
    assert types - Counter(each.partition(".")[0] for each in BEFORE) == OTHERWISE

    def rows(resources: dict[str, Any]) -> Counter[str]:
        fields = ["name", "location", "partition_key_paths", "max_delivery_count", "input_schema"]
        fields += ("role_definition_name", "included_event_types", "hostname", "default_ttl")
        fields += ("account_replication_type", "instance_memory_in_mb", "priority", "severity")
        return Counter(
            json.dumps([type_of(address), {f: value[f] for f in fields if value.get(f)}])
            for address, value in resources.items()
        )

    had = {
        address: {**value, "name": RENAMED.get(value.get("name", ""), value.get("name"))}
        for address, value in BEFORE.items()
    }
    has = {address: dict(plan.values[address]) for address in plan.actions}
    for value in has.values():  # a role has a name of its own once it is given
        value["name"] = value.get("name")
    for address, value in had.items():
        if "role_assignment" in address:
            value["name"] = None
    assert rows(had) - rows(has) == Counter()


def test_whoever_exported_before_moves_without_a_loss(
    expanded: tuple[Root, Plan], tmp_path: Path
) -> None:
    """Plans of the new root over the old state say what moves where, until nothing is left."""
    root, plan = expanded[0].copy(tmp_path), expanded[1]
    state = {"version": 4, "terraform_version": "1.5.0", "serial": 1, "lineage": "a"}
    state |= {"resources": [_kept(address, value) for address, value in BEFORE.items()]}
    (root.place / "terraform.tfstate").write_text(json.dumps(state), "utf-8")
    gone = [_change(address, "delete", value) for address, value in BEFORE.items()]
    come = [_change(address, "create", plan.values[address]) for address in plan.actions]
    found = moves_in({"resource_changes": [*gone, *come]})
    text, moved = found.text, found.moved
    for losses in (14, 0):  # what is in an account is known once the account has moved
        (root.place / "moved.tf").write_text(text, "utf-8")
        plan = root.plan(refresh=False)
        assert (plan.refusal, len(plan.losses)) == ("", losses)
        found = moves_in(root.shown)
        text, moved = f"{text}\n{found.text}", moved + found.moved
    assert moved == len(BEFORE) - 2
    assert [*map(type_of, found.left)] == ["azurerm_monitor_metric_alert"] * 2
    replaced = {type_of(a) for a, action in plan.actions.items() if action == "replace"}
    assert replaced == {"azurerm_traffic_manager_external_endpoint"}


def _change(address: str, action: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Give a change as a plan has it."""
    change = {"actions": [action], "before": value, "after": value}
    return {"address": address, "type": type_of(address), "change": change}


def _kept(address: str, value: dict[str, Any]) -> dict[str, Any]:
    """Give a resource as a state has it."""
    type, _, name = address.partition(".")
    name, bracket, _ = name.partition("[")
    return {
        "mode": "managed",
        "type": type,
        "name": name,
        "provider": 'provider["registry.terraform.io/hashicorp/azurerm"]',
        "instances": [
            {"schema_version": 0, "attributes": value, **({"index_key": 0} if bracket else {})}
        ],
    }


SETTINGS: Final = DeploySettings(
    stage="prod",
    tags={"team": "Orders"},
    memory=512,
    limit=40,
    handlers={"send": HandlerSettings(memory=1024)},
)


@pytest.fixture(scope="module")
def plans(
    expanded: tuple[Root, Plan], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plan the app with everything, and again with settings, rights and an account of its own."""
    asked = everything("azure")._replace(
        settings=SETTINGS,
        rights={name: Rights() for name in everything("azure").app.handlers}
        | {
            "make": Rights(reads=frozenset({"orders"}), gets=frozenset({"scans"})),
            "pay": Rights(writes=frozenset({"stock"}), publishes=frozenset({"orders"})),
        },
    )
    yours = '[targets."azure:westeurope"]\nstorage_blob_url = "https://acme.blob.example.com"\n'
    yours += '[deploy]\nexisting = ["tables.orders"]\n'
    other = Root("azure", tmp_path_factory.mktemp("other"))
    other.export(asked, settings("azure") + EVERYTHING + yours)
    found = (expanded[1], other.plan())
    assert [each.refusal for each in found] == ["", ""]
    return dict(found[0].values), dict(found[1].values)


def of(plan: dict[str, Any], address: str, region: str = "westeurope") -> dict[str, Any]:
    """Give what a resource of a region is to have."""
    found: dict[str, Any] = plan[f'module.app["{region}"].{address}']
    return found


APP: Final = 'azurerm_function_app_flex_consumption.app["app"]'


def test_a_dead_region_is_left_after_150_seconds(
    plans: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """Three checks, 30 seconds apart, and what resolvers keep for 60 seconds."""
    profile = plans[0]['module.global.azurerm_traffic_manager_profile.app["app"]']
    (monitor,), (dns,) = profile["monitor_config"], profile["dns_config"]
    assert monitor["tolerated_number_of_failures"] == 2, "the next one makes it degraded"
    assert monitor["interval_in_seconds"] * 3 + dns["ttl"] == 150
    endpoint = "module.global.azurerm_traffic_manager_external_endpoint.region"
    priorities = [plans[0][f'{endpoint}["{each}"]']["priority"] for each in REGIONS]
    assert priorities == [1, 2]


def test_settings_and_rights_reach_what_they_are_for(
    plans: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """One size for all; a role is a reader's where nobody writes; what is there is not made."""
    plan = plans[1]
    app = of(plan, APP)
    assert app["instance_memory_in_mb"] == 2048, "1024 are asked for, and there are 512, 2048, 4096"
    assert (app["http_concurrency"], app["maximum_instance_count"]) == (40, 100)
    assert app["tags"] == {"team": "Orders"}
    roles = {
        name: of(plan, f'azurerm_cosmosdb_sql_role_assignment.table["{name}"]')
        for name in ("orders", "stock")
    }
    # What has its account made with it has an id when that is made.
    assert "role_definition_id" not in roles["stock"]
    assert roles["orders"]["role_definition_id"].endswith("1"), "a reader"
    assert 'azurerm_cosmosdb_sql_container.table["orders"]' not in "".join(plan)
    for bucket, role in (("photos", "Reader"), ("scans", "Contributor")):
        kept = of(plan, f'azurerm_role_assignment.app["objects/{bucket}"]')
        assert kept["role_definition_name"] == f"Storage Blob Data {role}"
        scope = f"storageAccounts/acme/blobServices/default/containers/{bucket}"
        assert kept["scope"].endswith(scope)
    assert not [each for each in plan if "azurerm_storage_container.bucket" in each]


def test_each_role_is_on_one_thing_and_narrow(
    plans: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """None is on a group or a subscription; of a table, it names the container."""
    for plan in plans:
        for address, value in plan.items():
            scope = value.get("scope") or ""
            if type_of(address) == "azurerm_role_assignment":
                assert value["role_definition_name"] in NARROW
                assert not re.fullmatch(r"/subscriptions/[^/]+(/resourceGroups/[^/]+)?", scope)
            if type_of(address) == "azurerm_cosmosdb_sql_role_assignment" and scope:
                assert "/colls/" in scope


def test_keys_are_off_unless_event_grid_needs_them(tmp_path: Path) -> None:
    """And storage is in zones only where the region has some."""
    quiet = everything("azure")
    for name in [
        n for n, each in quiet.app.handlers.items() if each.kind.value in ("event", "object")
    ]:
        del quiet.app.handlers[name]
    root = Root("azure", tmp_path)
    root.export(quiet, settings("azure").replace("northeurope", "westus") + "[tables.orders]\n")
    plan = root.plan(target="module.app")
    assert plan.refusal == ""
    west, us = (
        of(dict(plan.values), "azurerm_storage_account.app", each)
        for each in ("westeurope", "westus")
    )
    assert (west["shared_access_key_enabled"], us["shared_access_key_enabled"]) == (False, False)
    assert (west["account_replication_type"], us["account_replication_type"]) == ("ZRS", "LRS")
