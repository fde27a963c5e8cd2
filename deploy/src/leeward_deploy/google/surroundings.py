"""What is around the handlers on Google Cloud: what ``leeward.toml`` names, workflows, an entrance.

Topics are of the whole project, and no region's. A table is a collection, which is there when it is
written to; so its database is made.

A function has no address of its own that a domain could lead to, and a load balancer checks no
function's health. So each region has a load balancer with an address, Cloud DNS checks ``/health``
through it from three places, and answers with the first region as long as that goes well. What the
checks ask is a function that runs no handler, and is open to everybody through the load balancer.

Sources: the resources of the provider ``hashicorp/google``; "Serverless network endpoint groups
overview" and "Health checks overview" of Cloud Load Balancing; "DNS routing policies and health
checks" of Cloud DNS.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.app.kit import HEALTH, HEALTH_PATH, Kind
from leeward.errors import ConfigError
from leeward.values import NOTHING
from leeward_deploy.google.flows.export import export
from leeward_deploy.google.roles import (
    PROJECT,
    Caller,
    GoogleRegion,
    allow,
    allow_calls,
    may_call,
    member_of,
    own_name,
    queues_of,
    service_of,
    stem,
)
from leeward_deploy.google.template import Code, FunctionShape, account_of, add_resource
from leeward_deploy.needs import of_kind, own_functions, shorten
from leeward_deploy.recipe import Bucket, Deployment, PackageSpec
from leeward_deploy.terraform import Configuration, of, unique

KEPT: Final = {"prevent_destroy": True}
"""What holds data is not deleted with the rest."""

TTL: Final = 60
"""Seconds that a resolver keeps an answer."""

SECONDS: Final = 5
"""That an answer to a check may take."""

FROM: Final = ("us-central1", "europe-west1", "asia-east1")
"""Where checks come from: exactly three."""

SCHEME: Final = "EXTERNAL_MANAGED"

PUBLIC: Final = "allUsers"

MOST_OF_HEALTH: Final = 2
"""Instances of the function that is asked for the health."""

MOST_CHECKS: Final = 120
"""Times a minute that one address may ask for the health."""

LOGGED: Final = {"enable": True, "sample_rate": 1}


def add_surroundings(made: Configuration, spec: PackageSpec, deployment: Deployment) -> None:
    """Add buses, the databases of the tables, and buckets.

    Raises:
        ConfigError: tables of two regions would be in one database.
    """
    queues = {*queues_of(spec).values()}
    there = {
        own for name, own in spec.declared.buses.items() if spec.settings.is_there("buses", name)
    }
    for bus in unique({*spec.declared.buses.values()} - queues - there):
        made.add("google_pubsub_topic", bus, project=PROJECT, name=bus)
    found = _databases(deployment)
    if len({*found.values()}) < len(found):
        raise ConfigError(
            f"the tables of Google Cloud have homes in {', '.join(found)}, and a database of "
            "Firestore is in one region; give each of these targets a database of its own, or the "
            "tables one home"
        )
    new = {table.region for table in deployment.tables if not table.exists}
    for number, (region, database) in enumerate(found.items()):
        if region not in new:
            continue
        made.add(
            "google_firestore_database",
            f"tables-{region}" if number else "tables",
            project=PROJECT,
            name=database,
            location_id=region,
            type="FIRESTORE_NATIVE",
            point_in_time_recovery_enablement="POINT_IN_TIME_RECOVERY_ENABLED",
            delete_protection_state="DELETE_PROTECTION_ENABLED",
            lifecycle=KEPT,
        )
    for bucket in deployment.buckets:
        if not bucket.exists:
            _bucket(made, bucket, deployment.retention_days)


def _databases(deployment: Deployment) -> dict[str, str]:
    """Return the database of the tables of each region."""
    homes = {table.region for table in deployment.tables}
    return {
        site.region: str(site.declared.settings.get("database") or "(default)")
        for site in deployment.sites
        if site.region in homes
    }


def databases_of(deployment: Deployment) -> dict[str, str]:
    """Return the database of each table, by the table's own name."""
    databases = _databases(deployment)
    return {table.name: databases[table.region] for table in deployment.tables}


def _bucket(made: Configuration, bucket: Bucket, days: int) -> None:
    made.add(
        "google_storage_bucket",
        bucket.name,
        project=PROJECT,
        name=bucket.name,
        location=bucket.region,
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        versioning={"enabled": True},
        lifecycle_rule=[
            {
                "action": {"type": "Delete"},
                "condition": {"days_since_noncurrent_time": days, "with_state": "ARCHIVED"},
            }
        ],
        lifecycle=KEPT,
    )


def add_workflows(made: Configuration, spec: PackageSpec, region: GoogleRegion) -> None:
    """Add the workflows of a region; each has an account that may call its functions there."""
    for definition in spec.app.workflows:
        name = f"workflow-{definition.name}"
        account = account_of(made, spec, name)
        own = spec.declared.workflows.get(definition.name) or spec.declared.usual(definition.name)
        if spec.settings.is_there("workflows", definition.name):
            continue
        marks = {name for name, each in spec.app.handlers.items() if each.is_call}
        names = own_functions(definition, spec.declared)
        urls = spec.declared.settings.get("functions", NOTHING)
        known = {name: urls.get(own, own) for name, own in names.items()}
        (text,) = export(definition, known, marks).files.values()
        made.add(
            "google_workflows_workflow",
            f"{definition.name}{region.suffix}",
            project=PROJECT,
            region=region.name,
            name=own.rpartition("/")[2].lower(),
            service_account=account,
            source_contents=made.file(f"{definition.name}.workflow.json", text),
        )
        member = member_of(account)
        for function, called in names.items():
            service = service_of(made, spec, called, region)
            may_call(made, f"{name}-{function}", service, member, region)


def add_entrance(
    made: Configuration, spec: PackageSpec, domain: str, content: str, region: GoogleRegion
) -> str:
    """Add the load balancer of a region; return a reference to its address.

    Raises:
        ConfigError: a function would be where the health is.
    """
    suffix = region.suffix
    if HEALTH_PATH.strip("/") in (each.name for each in of_kind(spec.app, Kind.CALL)):
        raise ConfigError(
            f"the load balancer answers {HEALTH_PATH} itself, and the app has a function of that "
            "name; rename it"
        )
    health = _health(made, spec, content, region)
    services = {
        f"/{each.name}": _backend(
            made, each.name, service_of(made, spec, own_name(spec, each), region), spec, region
        )
        for each in of_kind(spec.app, Kind.CALL)
    }
    default = _backend(made, HEALTH, of(f"{health}.name"), spec, region)
    made.output(
        f"address{suffix.replace('-', '_')}",
        of(f"google_compute_global_address.entrance{suffix}.address"),
        f"The address of the load balancer in {region.name}.",
    )
    rules = [{"paths": [path], "service": service} for path, service in services.items()]
    common = {"project": PROJECT, "name": _part_name(spec, region, "entrance")}
    paths = made.add(
        "google_compute_url_map",
        f"entrance{suffix}",
        **common,
        default_service=default,
        host_rule=[{"hosts": [domain], "path_matcher": "functions"}],
        path_matcher=[{"name": "functions", "default_service": default, "path_rule": rules}],
    )
    proxy = made.add(
        "google_compute_target_https_proxy",
        f"entrance{suffix}",
        **common,
        url_map=of(f"{paths}.id"),
        ssl_certificates=["${var.certificate}"],
    )
    address = made.add("google_compute_global_address", f"entrance{suffix}", **common)
    made.add(
        "google_compute_global_forwarding_rule",
        f"entrance{suffix}",
        **common,
        target=of(f"{proxy}.id"),
        ip_address=of(f"{address}.id"),
        port_range="443",
        load_balancing_scheme=SCHEME,
    )
    return of(f"{address}.address")


def _health(made: Configuration, spec: PackageSpec, content: str, region: GoogleRegion) -> str:
    """Add the function that is asked for a region's health; return a reference to it."""
    account = account_of(made, spec, HEALTH)
    name = shorten(f"{stem(spec)}health", 63)
    # Nobody reaches it but through the load balancer, which hands on no other path.
    wanted = FunctionShape(name, HEALTH, 10, MOST_OF_HEALTH, "ALLOW_INTERNAL_AND_GCLB")
    ready = region._replace(instances=1 if region.instances is None else region.instances)
    function = add_resource(made, spec, wanted, Code(content, account), ready)
    may_call(made, HEALTH, of(f"{function}.name"), PUBLIC, region)
    # What the app shares is made there, too: that needs its rights, and nothing else does.
    caller = Caller(HEALTH, account, spec.warm)
    (allow_calls if region.suffix else allow)(made, spec, caller, region)
    return function


def _backend(
    made: Configuration, handler: str, service: str, spec: PackageSpec, region: GoogleRegion
) -> str:
    """Add what leads from the load balancer to a function; return a reference to it."""
    name = _part_name(spec, region, handler)
    group = made.add(
        "google_compute_region_network_endpoint_group",
        f"{handler}{region.suffix}",
        project=PROJECT,
        region=region.name,
        name=name,
        network_endpoint_type="SERVERLESS",
        cloud_run={"service": service},
    )
    backend = made.add(
        "google_compute_backend_service",
        f"{handler}{region.suffix}",
        project=PROJECT,
        name=name,
        protocol="HTTPS",
        load_balancing_scheme=SCHEME,
        **({"log_config": LOGGED} if spec.settings.access_logs else {}),
        **({"security_policy": _throttle(made, spec)} if handler == HEALTH else {}),
        backend=[{"group": of(f"{group}.id")}],
    )
    return of(f"{backend}.id")


def _throttle(made: Configuration, spec: PackageSpec) -> str:
    """Add the policy of what is open to everybody; return a reference to it."""
    if made.reference("google_compute_security_policy", HEALTH) != HEALTH:
        return of(f"google_compute_security_policy.{HEALTH}.id")
    everybody = {"versioned_expr": "SRC_IPS_V1", "config": {"src_ip_ranges": ["*"]}}
    policy = made.add(
        "google_compute_security_policy",
        HEALTH,
        project=PROJECT,
        name=shorten(f"{stem(spec)}health", 63),
        description=f"the health of {spec.app.name} is open, and asked for this often at most",
        rule=[
            {
                "action": "throttle",
                "priority": 1000,
                "match": everybody,
                "rate_limit_options": {
                    "conform_action": "allow",
                    "exceed_action": "deny(429)",
                    "enforce_on_key": "IP",
                    "rate_limit_threshold": {"count": MOST_CHECKS, "interval_sec": 60},
                },
            },
            # Every policy needs one for all that no other rule is for.
            {"action": "allow", "priority": 2147483647, "match": everybody},
        ],
    )
    return of(f"{policy}.id")


def add_dns(
    made: Configuration, spec: PackageSpec, deployment: Deployment, addresses: list[str]
) -> None:
    """Add the health check, and the record that leads to the region that answers."""
    check = made.add(
        "google_compute_health_check",
        "entrance",
        project=PROJECT,
        name=shorten(f"{stem(spec)}health", 63),
        check_interval_sec=deployment.interval,
        timeout_sec=SECONDS,
        healthy_threshold=2,
        unhealthy_threshold=deployment.failures,
        source_regions=[*FROM],
        https_health_check={
            "host": deployment.domain,
            "port": 443,
            "request_path": HEALTH_PATH,
            "response": '{"status":"ok"}',
        },
    )
    primary, *others = addresses
    policy: dict[str, Any] = {
        "health_check": of(f"{check}.id"),
        "primary_backup": {
            "trickle_ratio": 0,
            "primary": {"external_endpoints": [primary]},
            "backup_geo": [
                {
                    "location": site.region,
                    "health_checked_targets": {"external_endpoints": [address]},
                }
                for site, address in zip(deployment.sites[1:], others, strict=True)
            ],
        },
    }
    record = {"routing_policy": policy} if others else {"rrdatas": [primary]}
    made.add(
        "google_dns_record_set",
        "entrance",
        project=PROJECT,
        managed_zone=deployment.zone,
        name=f"{deployment.domain}.",
        type="A",
        ttl=TTL,
        **record,
    )


def _part_name(spec: PackageSpec, region: GoogleRegion, what: str) -> str:
    """Return the name of a part of the load balancer: 63 characters, lower case."""
    return shorten(f"{stem(spec)}{what}-{region.name}".lower(), 63)
