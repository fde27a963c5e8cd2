"""The infrastructure of an app on Google Cloud, as a module of Terraform.

What it says of subscriptions is told in the words in which `leeward doctor` compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from leeward.adapter.looking import Expected
from leeward.app.kit import Kind
from leeward.calls.looks import NONE
from leeward.errors import ConfigError
from leeward_deploy.google.roles import Caller, GoogleRegion, allow_calls
from leeward_deploy.google.surroundings import (
    add_dns,
    add_entrance,
    add_surroundings,
    add_workflows,
    databases_of,
)
from leeward_deploy.google.template import (
    VERSION,
    Code,
    account_of,
    add_function,
    add_handlers,
    add_variables,
    files_of,
)
from leeward_deploy.google.watch import watch
from leeward_deploy.needs import of_kind
from leeward_deploy.recipe import Deployment, PackageSpec, Site, Template, rights_for
from leeward_deploy.terraform import Configuration, expected_file
from leeward_google.looks import SUBSCRIPTION

REST: Final = "the functions, schedules, accounts and workflows"
"""What nobody looks at: their APIs are not among those that a target is configured with."""

VARIABLES: Final = {
    "project": "the id of the project",
    "package": "the path of the zip that leeward package --target google makes",
}

CERTIFICATE: Final = "the id of the certificate of the load balancers, for "

CONTENT: Final = "google_storage_bucket_object.code"

REGION: Final = re.compile(
    "(?:africa|asia|australia|europe|me|northamerica|southamerica|us)-"
    "(?:north|south|east|west|central)+[0-9]+"
)
"""Source: "Geography and regions" of Google Cloud, November 2026."""


def resources_in(resources: dict[str, Any], sites: tuple[Site, ...]) -> Iterator[Expected]:
    """Yield what targets have once the files were applied, and what of it nobody looks at.

    Args:
        resources: of the configuration.
        sites: the first one has the subscriptions, which are of the whole project.
    """
    for each in resources.get("google_pubsub_subscription", {}).values():
        policy = each.get("dead_letter_policy") or {}
        dead = policy.get("dead_letter_topic")
        has = {
            "topic": _topic_name(each["topic"], resources),
            "seconds": each.get("ack_deadline_seconds", 10),
            "filter": each.get("filter", NONE).replace("$${", "${").replace("%%{", "%{"),
            "pushes": "push_config" in each,
            "dead letters": NONE if dead is None else _topic_name(dead, resources),
            "deliveries": policy.get("max_delivery_attempts", NONE),
        }
        yield Expected("resource", each["name"], sites[0].target, SUBSCRIPTION, has)
    for site in sites:
        yield Expected("resource", REST, site.target, "settings of")


def _topic_name(value: str, resources: dict[str, Any]) -> str:
    """Return the name of a topic that is referred to, or the end of its own id."""
    found = re.fullmatch(r"\$\{(\w+)\.([\w-]+)\.\w+\}", value)
    return resources[found[1]][found[2]]["name"] if found else value.rpartition("/")[2]


def terraform(spec: PackageSpec, deployment: Deployment) -> tuple[Template, ...]:
    """Return the configuration.

    Raises:
        ConfigError: something in it is wrong.
    """
    primary, *standbys = deployment.sites
    for site in deployment.sites:
        if not REGION.fullmatch(site.region):
            raise ConfigError(
                f"{site.region!r} is not a region of Google Cloud; write the target as "
                "google:us-central1"
            )
        _check_buses(primary.declared.buses, site.declared.buses)
    variables = dict(VARIABLES)
    if deployment.domain:
        variables["certificate"] = CERTIFICATE + deployment.domain
    made = Configuration("hashicorp/google", VERSION, variables)
    add_variables(made, spec)
    here = spec._replace(declared=primary.declared)
    region = GoogleRegion(
        primary.region,
        package="${var.package}",
        away=deployment.away,
        databases=databases_of(deployment),
    )
    add_surroundings(made, here, deployment)
    notes = add_handlers(made, here, region)
    add_workflows(made, here, region)
    regions = [(here, region)]
    for site in standbys:
        instances = 1 if deployment.standby_instances is None else deployment.standby_instances
        other = GoogleRegion(site.region, f"-{site.region}", instances)
        regions.append((spec._replace(declared=site.declared), other))
        _standby(made, *regions[-1])
    if deployment.domain:
        domain = deployment.domain
        addresses = [add_entrance(made, there, domain, CONTENT, each) for there, each in regions]
        add_dns(made, here, deployment, addresses)
    watch(made, here, primary.region, deployment.domain)
    there = resources_in(made.document()["resource"], deployment.sites)
    told = [*notes, *_notes(deployment)]
    if spec.settings.issuer:
        told.append("issuer is for the API of AWS; Google's load balancer takes Google's tokens")
    return (
        *files_of(made, spec, (*told, *spec.notes)),
        expected_file((*deployment.expected, *there)),
    )


def _check_buses(first: Mapping[str, str], other: Mapping[str, str]) -> None:
    """Check that a bus is one topic everywhere: of another one, no handler would hear.

    Raises:
        ConfigError: it has another name in a standby.
    """
    for bus, topic in other.items():
        if topic != first[bus]:
            raise ConfigError(
                f"the bus {bus!r} would be two topics of one project, {first[bus]!r} and "
                f"{topic!r}, and handlers hear of the first alone; give it one name for google"
            )


def _standby(made: Configuration, spec: PackageSpec, region: GoogleRegion) -> None:
    """Add the functions that others call, with the accounts that they have in the first region."""
    accounts = {name: account_of(made, spec, name) for name in spec.app.handlers}
    for each in of_kind(spec.app, Kind.CALL):
        add_function(made, spec, each, Code(CONTENT, accounts[each.name]), region)
    for name, account in accounts.items():
        if spec.settings.role_of(name, arn=False) is None:
            allow_calls(made, spec, Caller(name, account, rights_for(spec, name)), region)
    add_workflows(made, spec, region)


def _notes(deployment: Deployment) -> list[str]:
    """Return what it cannot do."""
    told = []
    if len(deployment.sites) > 1:
        told.append(
            "topics are of the whole project, and push to the first region: while that is down, "
            "messages and events wait for it, and schedules do not run; calls by HTTP fail over"
        )
    if deployment.domain:
        told.append(
            "a caller through the domain has to send a token for the region's own address as its "
            "audience: a function has no other, and the two regions differ in it"
        )
    else:
        told.append(
            "no domain in [export.google]: no load balancer, no health check and no DNS failover "
            "are made; leeward's own calls need none"
        )
    return told
