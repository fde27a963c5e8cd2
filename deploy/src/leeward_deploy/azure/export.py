"""The infrastructure of an app on Azure, as a module of Terraform."""

from __future__ import annotations

import re
from typing import Final

from leeward.adapter.looking import Expected
from leeward.app.kit import HEALTH_PATH
from leeward.errors import ConfigError
from leeward_deploy.azure.host import route_of
from leeward_deploy.azure.rules import ZONES
from leeward_deploy.azure.surroundings import (
    CERTIFICATE,
    add_buckets,
    add_failover,
    add_tables,
    add_topics,
    homes_of,
    host_of,
)
from leeward_deploy.azure.template import (
    VARIABLES,
    VERSION,
    AzureRegion,
    add_app,
    add_common,
    files_of,
    notes,
)
from leeward_deploy.azure.watch import has_topics, watch
from leeward_deploy.recipe import Deployment, PackageSpec, Template
from leeward_deploy.terraform import Configuration, expected_file, unique

REST: Final = "the app, its queues, schedules and roles"
"""What nobody looks at: the Resource Manager tells it, and a target does not need that."""

_DIRECTIONS: Final = "(?:north|south|east|west|central)*"

_PLACES: Final = (
    "asia|australia|austria|belgium|brazil|canada|chile|china|denmark|europe|finland|france|"
    "germany|greece|india|indonesia|israel|italy|japan|jioindia|korea|malaysia|mexico|newzealand|"
    "norway|poland|qatar|saudiarabia|southafrica|spain|sweden|switzerland|taiwan|uae|uk|us|"
    "usdod|usgov(?:virginia|arizona|texas)?"
)
"""Of which the names of regions are made. Source: "List of Azure regions", November 2026."""

LOCATION: Final = re.compile(rf"{_DIRECTIONS}(?:{_PLACES}){_DIRECTIONS}[0-9]?(?:euap)?")


def terraform(spec: PackageSpec, deployment: Deployment) -> tuple[Template, ...]:
    """Return the configuration.

    Raises:
        ConfigError: something in it is wrong.
    """
    for site in deployment.sites:
        if not LOCATION.fullmatch(site.region):
            raise ConfigError(
                f"{site.region!r} is not a region of Azure that is known; write the target as "
                "azure:westeurope"
            )
    made = Configuration("hashicorp/azurerm", VERSION, _variables(deployment))
    add_common(made, spec, deployment.sites[0].region)
    host = host_of(deployment) if deployment.domain else ""
    specs = [spec._replace(declared=each.declared) for each in deployment.sites]
    for each, site in zip(specs, deployment.sites, strict=True):
        add_topics(made, each, site.region)
    homes = homes_of(deployment)
    add_tables(made, deployment, homes)
    regions = [_region(number, deployment)._replace(tables=homes) for number in range(len(specs))]
    apps = {
        region.suffix: add_app(made, each, region)
        for each, region in zip(specs, regions, strict=True)
    }
    if _home_of_buckets(deployment)[1] is None:
        add_buckets(made, deployment, {each.location: each.suffix for each in regions})
    if host:
        add_failover(made, deployment, host, apps, route_of(spec, HEALTH_PATH))
    rest = [Expected("resource", REST, each.target, "settings of") for each in deployment.sites]
    watch(made, spec)
    told = (*notes(spec), *_notes(spec, deployment))
    return (*files_of(made, told), expected_file((*deployment.expected, *rest)))


def _region(number: int, deployment: Deployment) -> AzureRegion:
    """Return the region of a site, with what is told of it."""
    site, days = deployment.sites[number], deployment.retention_days
    home, url = _home_of_buckets(deployment)
    before = [bus for each in deployment.sites[:number] for bus in each.declared.buses.values()]
    away = {bucket.name for bucket in deployment.buckets if bucket.region != site.region}
    suffix = _suffix(site.region, deployment)
    is_away = home is not None and home != site.region and url is None
    return AzureRegion(
        site.region,
        suffix,
        f"${{var.storage_account{suffix.replace('-', '_')}}}",
        number > 0,
        deployment.standby_instances if number else None,
        days if home == site.region and url is None else None,
        deployment.away.union(away, before),
        tuple(bus for each in deployment.sites for bus in each.declared.buses.values()),
        makes=False,
        blobs=url,
        home=f"azurerm_storage_account.app{_suffix(str(home), deployment)}" if is_away else "",
        replication="ZRS" if site.region in ZONES else "LRS",
    )


def _suffix(region: str, deployment: Deployment) -> str:
    """Return what stands behind the names of things in a region."""
    return "" if region == deployment.sites[0].region else f"-{region}"


def _home_of_buckets(deployment: Deployment) -> tuple[str | None, str | None]:
    """Return the home of the containers, and the URL of their account if that is there already.

    Raises:
        ConfigError: they have several homes, and the settings of an app lead to one account.
    """
    homes = unique(bucket.region for bucket in deployment.buckets)
    if len(homes) > 1:
        raise ConfigError(
            f"the buckets of Azure have several homes ({', '.join(homes)}), and an app has one "
            "account for them; give them one home in leeward.toml"
        )
    if not homes:
        return None, None
    settings = {site.region: site.declared.settings for site in deployment.sites}
    return homes[0], settings[homes[0]].get("storage_blob_url")


def _variables(deployment: Deployment) -> dict[str, str]:
    found = {name: text for name, text in VARIABLES.items() if name != "location"}
    for site in deployment.sites[1:]:
        text = f"that of the storage account in {site.region}"
        found[f"storage_account_{site.region}"] = text
    if deployment.domain:
        found[CERTIFICATE] = (
            f"the id of the secret in Key Vault that has the certificate for {deployment.domain}"
        )
    return found


def _notes(spec: PackageSpec, deployment: Deployment) -> list[str]:
    """Return what it cannot do, and what stands outside of it."""
    told = ["the code is published to each app by itself: that also makes its schedules"]
    if spec.settings.issuer:
        told.append(
            "issuer is for the API of AWS; on Azure, set up the authentication of the app yourself"
        )
    if not has_topics(spec):
        told.append(
            "the storage accounts take no keys: the provider azurerm of your project needs "
            "storage_use_azuread = true"
        )
    first, *others = (
        {
            own
            for name, own in site.declared.buses.items()
            if not spec.settings.is_there("buses", name)
        }
        for site in deployment.sites
    )
    for bus in unique(first.intersection(*others) if others else ()):
        told.append(
            f"the bus {bus} has one name in all regions, and is made in the first alone; give it "
            "names of its own for the targets in leeward.toml to have it in each"
        )
    if spec.app.workflows:
        told.append(
            "workflows are apps of Durable Functions: leeward workflow export writes them, and "
            "func publishes them"
        )
    if not deployment.domain:
        told.append(
            "no domain in [export.azure]: no Traffic Manager is made; leeward's own calls need none"
        )
    return told
