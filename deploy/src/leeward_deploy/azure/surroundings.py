"""What is around the app on Azure: what ``leeward.toml`` names, and how others reach it.

Traffic Manager asks each app for its health, and answers with the first one that is well. It does
not look at certificates; callers do, so every app has that of the one domain.

Sources: the resources of the provider ``hashicorp/azurerm``; docs/azure.md, "Containers"; "Traffic
Manager endpoint monitoring" (an endpoint is degraded after one failure more than are tolerated);
"Map an existing custom DNS name" of App Service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leeward.errors import ConfigError
from leeward_deploy.azure.rights import GROUP, CosmosAccount, assign, cosmos
from leeward_deploy.recipe import Deployment, PackageSpec
from leeward_deploy.terraform import Configuration, of, unique

KEPT: Final = {"prevent_destroy": True}
"""What holds data is not deleted with the rest."""

BY_ITEM: Final = -1
"""A time to live of "on (no default)": items with an expiry are collected."""

TTL: Final = 60
"""Seconds that a resolver keeps an answer."""

SECONDS: Final = {30: 10, 10: 9}
"""That an answer to a check may take, by the interval: the longest."""

CERTIFICATE: Final = "key_vault_certificate"


def add_topics(made: Configuration, spec: PackageSpec, location: str) -> None:
    """Add the buses of a region; one whose name another region has is made there alone."""
    there = {
        own for name, own in spec.declared.buses.items() if spec.settings.is_there("buses", name)
    }
    for topic in unique({*spec.declared.buses.values()} - there):
        if made.reference("azurerm_eventgrid_topic", topic) == topic:
            made.add(
                "azurerm_eventgrid_topic",
                topic,
                name=topic,
                resource_group_name=GROUP,
                location=location,
                input_schema="CloudEventSchemaV1_0",
                local_auth_enabled=False,
            )


def homes_of(deployment: Deployment) -> dict[str, CosmosAccount]:
    """Return the account of each table, by the table's own name: one account for each region.

    Raises:
        ConfigError: tables have several homes, and not each has an account of its own.
    """
    settings = {site.region: site.declared.settings for site in deployment.sites}
    homes = {table.region for table in deployment.tables}
    regions = [setting for setting in settings if setting in homes]
    endpoints = [settings[each].get("cosmos_endpoint") for each in regions]
    if len(regions) > 1 and (None in endpoints or len({*endpoints}) < len(regions)):
        raise ConfigError(
            f"the tables of Azure have homes in {', '.join(regions)}, and an account of Cosmos DB "
            "is in one region; give each of these targets a cosmos_endpoint of its own, or the "
            "tables one home"
        )
    accounts = {
        region: CosmosAccount("" if region == regions[0] else f"-{region}", settings[region])
        for region in regions
    }
    return {table.name: accounts[table.region] for table in deployment.tables}


def add_tables(
    made: Configuration, deployment: Deployment, homes: Mapping[str, CosmosAccount]
) -> None:
    """Add the accounts of the tables, each in a region, with their databases."""
    for table in deployment.tables:
        if table.exists:
            continue
        home = homes[table.name]
        database = made.reference("azurerm_cosmosdb_sql_database", f"tables{home.suffix}")
        if database == f"tables{home.suffix}":
            database = of(f"{_add_account(made, home, table.region)}.name")
        made.add(
            "azurerm_cosmosdb_sql_container",
            table.name,
            name=table.name,
            resource_group_name=GROUP,
            account_name=of(f"azurerm_cosmosdb_account.tables{home.suffix}.name"),
            database_name=database,
            partition_key_paths=[f"/{table.key[0]}" if len(table.key) > 1 else "/id"],
            default_ttl=BY_ITEM,
            lifecycle=KEPT,
        )


def _add_account(made: Configuration, home: CosmosAccount, location: str) -> str:
    """Add an account in a region, with its database; return a reference to that."""
    _, name, database = cosmos(made, home)
    account = made.add(
        "azurerm_cosmosdb_account",
        f"tables{home.suffix}",
        name=name,
        resource_group_name=GROUP,
        location=location,
        offer_type="Standard",
        local_authentication_enabled=False,
        access_key_metadata_writes_enabled=False,
        consistency_policy={"consistency_level": "Session"},
        geo_location=[{"location": location, "failover_priority": 0}],
        backup={"type": "Continuous"},
        lifecycle=KEPT,
    )
    return made.add(
        "azurerm_cosmosdb_sql_database",
        f"tables{home.suffix}",
        name=database,
        resource_group_name=GROUP,
        account_name=of(f"{account}.name"),
    )


def add_buckets(made: Configuration, deployment: Deployment, suffixes: dict[str, str]) -> None:
    """Add the containers of objects, each in the app's account of its region.

    The apps of other regions may use them, too.
    """
    for bucket in deployment.buckets:
        if bucket.exists:
            continue
        account = f"azurerm_storage_account.app{suffixes[bucket.region]}"
        made.add(
            "azurerm_storage_container",
            bucket.name,
            name=bucket.name,
            storage_account_id=of(f"{account}.id"),
            lifecycle=KEPT,
        )
        for region, suffix in suffixes.items():
            if region != bucket.region:
                principal = of(f"azurerm_user_assigned_identity.app{suffix}.principal_id")
                scope = of(f"azurerm_storage_container.{bucket.name}.id")
                name = f"objects-{bucket.name}{suffix}"
                assign(made, name, "Storage Blob Data Contributor", scope, principal)


def host_of(deployment: Deployment) -> str:
    """Return the domain without its zone.

    Raises:
        ConfigError: it is not in the zone.
    """
    host, dot, zone = deployment.domain.partition(".")
    while dot and zone != deployment.zone:
        part, dot, zone = zone.partition(".")
        host = f"{host}.{part}"
    if not dot:
        raise ConfigError(
            f"the domain of [export.azure] is {deployment.domain!r}, which is not below the zone "
            f"{deployment.zone!r}; name the zone of DNS that it is in"
        )
    return host


def add_failover(
    made: Configuration, deployment: Deployment, host: str, apps: dict[str, str], health: str
) -> None:
    """Add the profile, an endpoint for each app, and the domain.

    Args:
        made: what is added to.
        deployment: with the domain.
        host: the domain without its zone.
        apps: references to the apps, by the suffix of their names; the first one serves.
        health: the path that each app is asked for.
    """
    profile = made.add(
        "azurerm_traffic_manager_profile",
        "app",
        name="${var.app}",
        resource_group_name=GROUP,
        traffic_routing_method="Priority",
        dns_config={"relative_name": "${var.app}", "ttl": TTL},
        monitor_config={
            "protocol": "HTTPS",
            "port": 443,
            "path": health,
            "interval_in_seconds": deployment.interval,
            "timeout_in_seconds": SECONDS.get(deployment.interval, 10),
            # One failure more than are tolerated makes it degraded.
            "tolerated_number_of_failures": deployment.failures - 1,
            "expected_status_code_ranges": ["200-200"],
        },
    )
    for priority, (suffix, app) in enumerate(apps.items(), 1):
        made.add(
            "azurerm_traffic_manager_external_endpoint",
            f"app{suffix}",
            name=f"app{suffix}",
            profile_id=of(f"{profile}.id"),
            target=of(f"{app}.default_hostname"),
            priority=priority,
        )
    proof = _add_records(made, deployment, host, apps, of(f"{profile}.fqdn"))
    for (suffix, app), site in zip(apps.items(), deployment.sites, strict=True):
        certificate = _add_certificate(made, suffix, site.region)
        made.add(
            "azurerm_app_service_custom_hostname_binding",
            f"app{suffix}",
            hostname=deployment.domain,
            app_service_name=of(f"{app}.name"),
            resource_group_name=GROUP,
            ssl_state="SniEnabled",
            thumbprint=of(f"{certificate}.thumbprint"),
            depends_on=[proof],
        )


def _add_records(
    made: Configuration, deployment: Deployment, host: str, apps: dict[str, str], profile: str
) -> str:
    """Add the records of the domain; return a reference to the one that shows whose it is."""
    first, *_ = apps.values()
    proof = made.add(
        "azurerm_dns_txt_record",
        "app",
        name=f"asuid.{host}",
        zone_name=deployment.zone,
        resource_group_name=GROUP,
        ttl=TTL,
        record=[{"value": of(f"{first}.custom_domain_verification_id")}],
    )
    made.add(
        "azurerm_dns_cname_record",
        "app",
        name=host,
        zone_name=deployment.zone,
        resource_group_name=GROUP,
        ttl=TTL,
        record=profile,
    )
    return proof


def _add_certificate(made: Configuration, suffix: str, location: str) -> str:
    """Add the certificate of the domain to a region; return a reference to it."""
    return made.add(
        "azurerm_app_service_certificate",
        f"app{suffix}",
        name=f"${{var.app}}{suffix}",
        resource_group_name=GROUP,
        location=location,
        key_vault_secret_id=f"${{var.{CERTIFICATE}}}",
    )
