"""Apps in two regions of each cloud, as `leeward export` has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from leeward.adapter.looking import EXPECTED_FILE
from leeward.config import Config, load_settings, with_order
from leeward_deploy.commands.export import deployment_of
from leeward_deploy.commands.package import PackageRequest, spec_of
from leeward_deploy.facts import facts_of
from leeward_deploy.infrastructure import export_facts
from leeward_deploy.recipe import PACKAGERS, PackageSpec, Recipe, offer_of
from leeward_deploy.uv import PackageSource
from tests.packages.everything import spec

CLOUDS: Final = ("aws", "azure", "google")

PYTHON: Final = ("3.13", "x86_64")
"""The version and the architecture of a package."""

ORDERS: Final = {
    "aws": "aws:us-east-1,aws:us-west-2",
    "azure": "azure:westeurope,azure:northeurope",
    "google": "google:us-central1,google:europe-west1",
}

ZONES: Final = {"aws": "Z0123456789ABC", "azure": "example.com", "google": "example-com"}

SHOP: Final = Path(__file__).parents[2] / "examples" / "shop"

EVERYTHING: Final = """
[functions.charge]
names = { aws = "bank-charge", azure = "bank-charge", google = "bank-charge" }
[functions.make]
names = { aws = "make-it", google = "make-it" }
[functions.parcels]
[buses.orders]
names = { "azure:northeurope" = "orders-north" }
[tables.orders]
[tables.stock]
key = ["shelf", "place"]
[buckets.scans]
"""


def settings(cloud: str, more: str = "") -> str:
    """Give a leeward.toml: two regions of a cloud, the first of them the home of the data."""
    order = ORDERS[cloud]
    return (
        f'cloud_provider = "{order}"\ndata_target = "{order.partition(",")[0]}"\n'
        f'[export.{cloud}]\ndomain = "orders.example.com"\nzone = "{ZONES[cloud]}"\n{more}\n'
    )


def config_of(folder: Path, text: str) -> Config:
    """Give what a leeward.toml says."""
    file = folder / "leeward.toml"
    file.write_text(text, encoding="utf-8")
    return with_order(load_settings(file=file, env={}), None, {})


def example(cloud: str, name: str = "shop", entry: str = "ordering:app") -> PackageSpec:
    """Give an app of the examples as a spec: by default the shop with its workflow."""
    folder = SHOP.with_name(name)
    request = PackageRequest(
        entry, cloud, "3.13", "x86_64", folder, Path("build"), None, (), PackageSource()
    )
    return spec_of(request)[0]


def everything(cloud: str) -> PackageSpec:
    """Give the app with every kind of handler."""
    return spec({"service_bus": {"bills": "BILLS"}} if cloud == "azure" else {})


def check_export(cloud: str, asked: PackageSpec, config: Config) -> None:
    """Raise `ConfigError` if an app cannot be exported."""
    place = deployment_of(config, cloud, asked.app)
    recipe: Recipe = offer_of(PACKAGERS, cloud)(asked)
    assert recipe.cloud is not None
    facts_of(asked, place, recipe.cloud)


def expected(cloud: str, folder: Path) -> list[dict[str, Any]]:
    """Give what `leeward doctor` is to compare of the app with everything."""
    config = config_of(folder, settings(cloud) + EVERYTHING)
    asked = everything(cloud)
    place = deployment_of(config, cloud, asked.app)
    recipe: Recipe = offer_of(PACKAGERS, cloud)(asked)
    assert recipe.cloud is not None
    files = export_facts(asked, place, recipe.cloud, folder / "exported").texts
    found: list[dict[str, Any]] = json.loads(files[f"{cloud}/{EXPECTED_FILE}"])["leeward"]
    return found
