"""What is around the handlers on Google Cloud: what ``leeward.toml`` names, and the workflows.

Topics are of the whole project, and no region's. A table is a collection, which is there when it is
written to; so its database is made.

Sources: the resources of the provider ``hashicorp/google``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leeward.adapter.packages import Bucket, Configuration, Deployment, Wish, literal, of, unique
from leeward.errors import ConfigError
from leeward.workflow.kit import Definition, Step, nodes
from leeward_google.deploy.functions import account_of
from leeward_google.deploy.roles import (
    PROJECT,
    Region,
    may_call,
    member_of,
    queues_of,
    service_of,
)
from leeward_google.workflows.export import export

KEPT: Final = {"prevent_destroy": True}
"""What holds data is not deleted with the rest."""


def add_surroundings(made: Configuration, wish: Wish, deployment: Deployment) -> None:
    """Add buses, the databases of the tables, and buckets.

    Raises:
        ConfigError: tables of two regions would be in one database.
    """
    queues = {*queues_of(wish).values()}
    for bus in unique({*wish.declared.buses.values()} - queues):
        made.add("google_pubsub_topic", bus, project=PROJECT, name=bus)
    for number, (region, database) in enumerate(_databases(deployment).items()):
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
        _bucket(made, bucket, deployment.retention_days)


def _databases(deployment: Deployment) -> dict[str, str]:
    """Return the database of the tables of each region.

    Raises:
        ConfigError: tables have several homes, and not each has a database of its own.
    """
    homes = {each.region for each in deployment.tables}
    found = {
        each.region: str(each.declared.settings.get("database") or "(default)")
        for each in deployment.sites
        if each.region in homes
    }
    if len({*found.values()}) < len(found):
        raise ConfigError(
            f"the tables of Google Cloud have homes in {', '.join(found)}, and a database of "
            "Firestore is in one region; give each of these targets a database of its own, or the "
            "tables one home"
        )
    return found


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


def add_workflows(made: Configuration, wish: Wish, region: Region) -> None:
    """Add the workflows of a region; each has an account that may call its functions there."""
    for definition in wish.app.workflows:
        name = f"workflow-{definition.name}"
        account = account_of(made, wish, name)
        own = wish.declared.workflows.get(definition.name, definition.name)
        marks = {name for name, each in wish.app.handlers.items() if each.is_call}
        (text,) = export(definition, wish.declared.functions, marks).files.values()
        made.add(
            "google_workflows_workflow",
            f"{definition.name}{region.suffix}",
            project=PROJECT,
            region=region.name,
            name=own.rpartition("/")[2].lower(),
            service_account=of(f"{account}.email"),
            # What Workflows reads as an expression, Terraform must not.
            source_contents=literal(text),
        )
        member = member_of(account)
        for function in unique(_functions(definition)):
            called = wish.declared.functions.get(function, function)
            service = service_of(made, wish, called, region)
            may_call(made, f"{name}-{function}", service, member, region)


def _functions(definition: Definition) -> Iterator[str]:
    """Yield the functions that a flow calls."""
    for node in nodes(definition.body):
        if isinstance(node, Step):
            yield node.function
            if node.undo is not None:
                yield node.undo.function
