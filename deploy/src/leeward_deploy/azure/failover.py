"""How others than leeward reach an app on Azure: Traffic Manager, and one domain for all regions.

Traffic Manager asks each app for its health, and answers with the first one that is well. It does
not look at certificates; callers do, so every app has that of the domain.

Sources: "Traffic Manager endpoint monitoring" (an endpoint is degraded after one failure more than
are tolerated); "Map an existing custom DNS name" of App Service.
"""

from __future__ import annotations

from typing import Final

from leeward.errors import ConfigError
from leeward_deploy.azure.rights import GROUP
from leeward_deploy.recipe import Deployment
from leeward_deploy.terraform import Configuration, of

TTL: Final = 60
"""Seconds that a resolver keeps an answer."""

SECONDS: Final = {30: 10, 10: 9}
"""That an answer to a check may take, by the interval: the longest."""

CERTIFICATE: Final = "key_vault_certificate"


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
