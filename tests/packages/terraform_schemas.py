"""Extract what Terraform's providers take, from the wheels of their bindings for CDK Terrain.

    pip download --no-deps cdktn-provider-google cdktn-provider-azurerm
    python -m tests.packages.terraform_schemas cdktn_provider_*.whl

Each wheel holds a description of every resource, with the names of its arguments, their types, and
whether they are required. What the templates use of it is kept in `terraform_schemas.json`.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

KEPT: Final = Path(__file__).with_name("terraform_schemas.json")

USED: Final = (
    "google_cloud_run_service_iam_member",
    "google_cloud_scheduler_job",
    "google_cloudfunctions2_function",
    "google_project_iam_member",
    "google_pubsub_subscription",
    "google_pubsub_subscription_iam_member",
    "google_pubsub_topic",
    "google_pubsub_topic_iam_member",
    "google_service_account",
    "google_storage_bucket",
    "google_storage_bucket_iam_member",
    "google_storage_bucket_object",
    "google_storage_notification",
    "azurerm_cosmosdb_sql_role_assignment",
    "azurerm_eventgrid_event_subscription",
    "azurerm_function_app_flex_consumption",
    "azurerm_role_assignment",
    "azurerm_service_plan",
    "azurerm_servicebus_queue",
    "azurerm_storage_account",
    "azurerm_storage_container",
    "azurerm_storage_queue",
    "azurerm_user_assigned_identity",
)
"""The resources of the templates."""

_ANCHOR: Final = re.compile(r"registry\.terraform\.io/\S+/resources/(\w+)#(\w+)")

_META: Final = ("connection", "count", "depends_on", "for_each", "lifecycle", "provider")
"""Arguments of every resource, which are Terraform's own."""


def schema(assembly: dict[str, Any], resource: str) -> dict[str, Any]:
    """Give the arguments of a resource: of each its type, and whether it is required."""
    provider, _, name = resource.partition("_")
    camel = "".join(part.capitalize() for part in name.split("_"))
    folder = camel[:1].lower() + camel[1:]
    types = assembly["types"]
    prefix = f"{assembly['name']}.{folder}."
    return _arguments(types, types[f"{prefix}{camel}Config"], f"{provider}_{name}")


def _arguments(types: dict[str, Any], of: dict[str, Any], resource: str) -> dict[str, Any]:
    found = {}
    for each in of.get("properties", ()):
        anchor = _ANCHOR.search(each.get("docs", {}).get("remarks", ""))
        name = anchor[2] if anchor else _snake(each["name"])
        if name in _META or name in ("id", "provisioners"):
            continue
        found[name] = {
            "required": not each.get("optional", False),
            "type": _type(types, each["type"], resource),
        }
    return found


def _type(types: dict[str, Any], told: dict[str, Any], resource: str) -> Any:
    if "primitive" in told:
        return told["primitive"]
    if "fqn" in told:
        found = types.get(told["fqn"], {})
        is_block = found.get("kind") == "interface" and found.get("datatype")
        return _arguments(types, found, resource) if is_block else "boolean"
    if "collection" in told:
        inner = _type(types, told["collection"]["elementtype"], resource)
        return [inner] if told["collection"]["kind"] == "array" else "map"
    # A union: a value or its list, or a boolean or what resolves to one.
    options = [_type(types, each, resource) for each in told["union"]["types"]]
    lists = [each for each in options if isinstance(each, list)]
    return lists[0] if lists else options[0]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def assembly_in(wheel: Path) -> dict[str, Any]:
    """Give the description in a wheel."""
    with ZipFile(wheel) as outer:
        (name,) = (each for each in outer.namelist() if each.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as inner:
            member = inner.extractfile("package/.jsii")
            assert member is not None
            found: dict[str, Any] = json.load(member)
            return found


def main(wheels: list[str]) -> None:
    """Write the schemas of what is used."""
    found: dict[str, Any] = {}
    for wheel in wheels:
        assembly = assembly_in(Path(wheel))
        provider = assembly["name"].rpartition("-")[2]
        for each in USED:
            if each.startswith(f"{provider}_"):
                found[each] = schema(assembly, each)
    KEPT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
