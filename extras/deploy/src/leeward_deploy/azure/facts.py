"""What Azure adds to the facts of an app, and what it refuses.

Sources: "Naming rules and restrictions for Azure resources"; the REST references of Traffic
Manager, Event Grid and Storage; "List of Azure regions", November 2026.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from leeward.adapter.looking import Expected
from leeward.app.kit import HEALTH_PATH, Kind
from leeward.errors import ConfigError
from leeward_deploy.azure.host import deliveries_of, route_of, storage_queues
from leeward_deploy.facts import Cloud, Facts
from leeward_deploy.needs import dead_queue, of_kind, seconds_of, shorten
from leeward_deploy.recipe import Deployment, PackageSpec, changes_of

ADDRESSES: Final = {
    "queues": ("azurerm_storage_queue.queue", "azurerm_servicebus_queue.queue"),
    "dead_letters": ("azurerm_storage_queue.dead", "azurerm_servicebus_queue.dead"),
    "tables": ("azurerm_cosmosdb_sql_container.table",),
    "buckets": ("azurerm_storage_container.bucket",),
    "buses": ("azurerm_eventgrid_topic.bus",),
}

REST: Final = "the app, its queues, schedules and roles"

LONGEST: Final = 24 * 3600 - 1
"""Seconds: host.json writes a timeout as hours, minutes and seconds of one day."""

DELIVERIES: Final = 30
"""Of Event Grid, at most."""

LONGEST_APP: Final = 35
"""Characters that begin the name of a function app, before its region: it has 60 at most."""

MEMORY: Final = 4096
"""Megabytes of an instance, at most. Source: "Flex Consumption plan", instance sizes."""


def adapt(spec: PackageSpec, deployment: Deployment, facts: Facts) -> Facts:
    """Return facts as Azure has them.

    Every queue is one of the app's own account, or of Service Bus, under its logical name. The host
    makes queues of dead letters itself, where leeward does not give up a message earlier. Calls
    that may be queued have a queue, too.
    """
    service_bus = spec.entry.options.get("service_bus") or {}
    queues: Facts = {name: fact for name, fact in facts["queues"].items() if "deliveries" in fact}
    dead: Facts = {}
    for handler in spec.app.handlers.values():
        queue = handler.queue or handler.name
        if queue not in queues and not handler.queued:
            continue
        letters = dead_queue(handler, queue, spec.entry.options)
        setting = {"service_bus": service_bus.get(queue)}
        there = bool(service_bus.get(queue)) and spec.settings.is_there("queues", queue)
        queues[queue] = {
            "name": queue,
            "seconds": seconds_of(handler),
            "deliveries": letters.deliveries,
            "existing": there,
            **setting,
        }
        if letters.by_leeward:
            queues[queue]["dead_letters"] = letters.name
            dead[letters.name] = {"name": letters.name, **setting}
    others = {name: fact for name, fact in facts["queues"].items() if name not in queues}
    handlers = {
        name: handler | ({} if handler["dead_letters"] in dead else {"dead_letters": None})
        for name, handler in facts["handlers"].items()
    }
    subscriptions = {
        name: {key: subscription[key] for key in ("bus", "type", "handler")}
        for name, subscription in facts["subscriptions"].items()
    }
    return {
        **facts,
        "handlers": handlers,
        "queues": queues | others,
        "dead_letters": dead,
        "subscriptions": subscriptions,
        "tables": _tables_of(deployment, facts["tables"]),
        "buckets": _buckets_of(spec, deployment, facts["buckets"]),
        "buses": _buses_of(deployment, facts["buses"]),
    }


def _tables_of(deployment: Deployment, tables: Facts) -> Facts:
    """Return the tables with their account and database, where ``leeward.toml`` says these.

    Raises:
        ConfigError: tables have several homes, and not each has an account of its own.
    """
    settings = {site.region: site.declared.settings for site in deployment.sites}
    homes = {table.region for table in deployment.tables}
    regions = [region for region in settings if region in homes]
    endpoints = [settings[region].get("cosmos_endpoint") for region in regions]
    if len(regions) > 1 and (None in endpoints or len({*endpoints}) < len(regions)):
        raise ConfigError(
            f"the tables of Azure have homes in {', '.join(regions)}, and an account of Cosmos DB "
            "is in one region; give each of these targets a cosmos_endpoint of its own, or the "
            "tables one home"
        )
    return {
        name: table
        | {
            "account": _account_in(settings.get(table["home"], {}).get("cosmos_endpoint")),
            "database": settings.get(table["home"], {}).get("cosmos_database"),
        }
        for name, table in tables.items()
    }


def _account_in(url: str | None) -> str:
    """Return the name of an account by its URL; empty for none."""
    return (urlsplit(url or "").hostname or "").partition(".")[0]


def _buckets_of(spec: PackageSpec, deployment: Deployment, buckets: Facts) -> Facts:
    """Return the buckets: one that `leeward.toml` does not name is made in each region.

    If a target names the account of its containers, that has all of them already.
    """
    home, url = _home_of_buckets(deployment)
    if url is not None:
        return {
            name: {"home": home, **bucket, "existing": True} for name, bucket in buckets.items()
        }
    return {
        name: bucket if name in spec.declared.buckets else {"name": bucket["name"]}
        for name, bucket in buckets.items()
    }


def _home_of_buckets(deployment: Deployment) -> tuple[str | None, str | None]:
    """Return the home of the containers, and the URL of their account if that is there already.

    Raises:
        ConfigError: they have several homes, and the settings of an app lead to one account.
    """
    homes = sorted({bucket.region for bucket in deployment.buckets})
    if len(homes) > 1:
        raise ConfigError(
            f"the buckets of Azure have several homes ({', '.join(homes)}), and an app has one "
            "account for them; give them one home in leeward.toml"
        )
    settings = {site.region: site.declared.settings for site in deployment.sites}
    home = homes[0] if homes else deployment.sites[0].region
    return (homes[0] if homes else None), settings[home].get("storage_blob_url")


def _buses_of(deployment: Deployment, buses: Facts) -> Facts:
    """Return the buses; one whose name two regions share is made in its home alone.

    A topic is found by its name in a resource group, so there is one of each name. Its home is that
    of the data, which stays when regions change places; else the region that serves.
    """
    data = {table.region for table in deployment.tables}
    data |= {bucket.region for bucket in deployment.buckets}
    regions = [site.region for site in deployment.sites]
    result: Facts = {}
    for name, bus in buses.items():
        by_name: dict[str, list[str]] = defaultdict(list)
        for region in regions:
            by_name[bus.get("names", {}).get(region, bus["name"])].append(region)
        shared = [group for group in by_name.values() if len(group) > 1 or len(regions) == 1]
        if len(shared) > 1:
            raise ConfigError(
                f"the bus {name!r} has the same name in {' and '.join(shared[0])}, and another one "
                f"in {' and '.join(shared[1])}; give it a name of its own for each target"
            )
        homes = [region for region in shared[0] if region in data] + shared[0] if shared else []
        result[name] = {**bus, "home": homes[0]} if homes else bus
    return result


def settings(spec: PackageSpec, deployment: Deployment) -> Facts:
    """Return what Azure alone has, and where health is asked for."""
    options = spec.entry.options
    url = _home_of_buckets(deployment)[1]
    base = re.sub(r"[^a-z0-9]+", "-", f"{spec.declared.prefix}{spec.app.name}".lower()).strip("-")
    result: Facts = {
        "app": shorten(base, LONGEST_APP),
        "storage": options.get("storage"),
        "service_bus": sorted({*(options.get("service_bus") or {}).values()}),
        "blobs": _account_in(url),
        "access_logs": spec.settings.access_logs,
        "told": any(of_kind(spec.app, Kind.EVENT, Kind.OBJECT)),
    }
    if deployment.domain:
        result["host"] = host_of(deployment)
        result["health"] = route_of(spec, HEALTH_PATH)
        result["order"] = [site.region for site in deployment.sites]
    return result


def host_of(deployment: Deployment) -> str:
    """Return the domain without its zone.

    Raises:
        ConfigError: it is not in the zone.
    """
    domain, zone = deployment.domain, deployment.zone
    if not zone or not domain.endswith(f".{zone}"):
        raise ConfigError(
            f"the domain of [export.azure] is {domain!r}, which is not below the zone {zone!r}; "
            "name the zone of DNS that it is in"
        )
    return domain.removesuffix(f".{zone}")


def check(facts: Facts) -> None:
    """Check what Azure does not take.

    Raises:
        ConfigError: it does not take something; the message says what, and what helps.
    """
    for name, handler in facts["handlers"].items():
        if handler["kind"] == "object" and facts["queues"].get(name, {}).get("service_bus"):
            raise ConfigError(
                f"service_bus names {name!r}, a handler of objects, whose queue the template "
                "makes in the app's storage account; leave it out of service_bus"
            )


def notes(spec: PackageSpec, deployment: Deployment) -> Iterator[str]:
    """Yield what a person has to know, or to do, besides applying the module."""
    spec = spec._replace(declared=deployment.sites[0].declared)
    yield from _notes_on_handlers(spec)
    yield (
        "the code is published to each app by itself, which also makes its schedules; then apply "
        "once more with published = true, because Event Grid subscribes to functions that are there"
    )
    if spec.settings.issuer:
        yield (
            "issuer is for the API of AWS; on Azure, set up the authentication of the app yourself"
        )


def _notes_on_handlers(spec: PackageSpec) -> Iterator[str]:
    """Yield what stands in host.json, and what counts for all handlers at once."""
    limit = deliveries_of(spec)
    for handler, queue in storage_queues(spec):
        dead = dead_queue(handler, queue, spec.entry.options)
        if handler.retries is not None and not dead.by_leeward and dead.deliveries != limit:
            yield (
                f"{handler.name}: {handler.retries} retries are wanted, and host.json has one "
                f"maxDequeueCount for all queues, {limit}; name a dead-letter queue in the entry "
                "file, and leeward gives up earlier"
            )
    roles = [name for name, handler in spec.settings.handlers.items() if handler.role]
    if roles:
        yield (
            f"{', '.join(roles)}: a role is named, and on Azure it does not count: all functions "
            "of an app have its one identity; to part them, make two apps"
        )
    if changes_of(spec):
        yield (
            "all functions of an app have its one identity: each may do what any of them does, and "
            "one that stores items may also delete them"
        )
    sizes = [spec.settings.of(handler).memory or 0 for handler in spec.app.handlers]
    if (largest := max([spec.settings.memory or 0, *sizes])) > MEMORY:
        yield f"{largest} megabytes are wanted, and an instance on Azure has {MEMORY} at most"
    yield from spec.notes


def expectations(_: Facts, __: Facts, targets: Mapping[str, str]) -> Iterator[Expected]:
    """Yield what nobody looks at: the Resource Manager tells it, and no target needs that."""
    for target in targets.values():
        yield Expected("resource", REST, target, "settings of")


CLOUD: Final = Cloud(
    name="azure",
    keeps=tuple(ADDRESSES),
    addresses=ADDRESSES,
    longest=LONGEST,
    most_retries=DELIVERIES - 1,
    schedule=str,
    flow=None,
    check=check,
    settings=settings,
    notes=notes,
    adapt=adapt,
    expected=expectations,
)
