"""What the service account of a handler may do on Google Cloud: what ``leeward.toml`` names.

Source: docs/google.md, "Permissions"; "Understanding roles" and "Configure IAM Conditions" in the
documentation of each service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from leeward.app.kit import Handler, Kind
from leeward.values import NOTHING
from leeward_deploy.needs import bucket_of, prefixes_of
from leeward_deploy.recipe import PackageSpec, Rights
from leeward_deploy.terraform import Configuration, unique

PROJECT: Final = "${var.project}"

INVOKER: Final = "roles/run.invoker"

VIEWER: Final = "roles/cloudfunctions.viewer"

FUNCTION: Final = "google_cloudfunctions2_function"


class GoogleRegion(NamedTuple):
    """Where functions are to be.

    Attributes:
        name: such as ``us-central1``.
        suffix: of what Terraform calls things, so that several regions stand beside each other.
        instances: of a function that are kept ready; None for the platform's usual way.
        package: the path of the zip.
        away: buckets of other providers, which tell nobody here.
        databases: of the tables, by their own names; the target's own for one that is not there.
    """

    name: str = "${var.region}"
    suffix: str = ""
    instances: int | None = None
    package: str = "${path.module}/../google.zip"
    away: frozenset[str] = frozenset()
    databases: Mapping[str, str] = NOTHING


class Caller(NamedTuple):
    """A function that calls others: its name in the files, its account's email, what it uses."""

    name: str
    account: str
    rights: Rights


def queues_of(spec: PackageSpec) -> dict[str, str]:
    """Return the topics by which functions of the app are queued, by logical name."""
    names = {}
    for handler in spec.app.handlers.values():
        if handler.kind is Kind.MESSAGE or (handler.queued and handler.kind is Kind.CALL):
            queue = handler.queue or handler.name
            names[queue] = topic_of(spec, queue)
    return names


def topic_of(spec: PackageSpec, queue: str) -> str:
    """Return the topic of a queue: clients queue calls by the names of functions."""
    topics = spec.declared.settings.get("enqueue_topics") or {}
    own: str = topics.get(queue) or spec.declared.own(queue)
    return own


def own_name(spec: PackageSpec, handler: Handler) -> str:
    """Return the name of a handler's function: lower case, by which clients call it."""
    return spec.declared.own(handler.name).lower()


def stem(spec: PackageSpec) -> str:
    """Return the beginning of names that an app has in its project: of its stage, or its own."""
    return (spec.declared.prefix or f"{spec.app.name}-").lower()


def service_of(made: Configuration, spec: PackageSpec, function: str, region: GoogleRegion) -> str:
    """Return the service of a function in a region, by the function's own name.

    One that is made here is referred to, so that it is there before anybody is let call it.
    """
    own = {
        own_name(spec, handler): f"{handler.name}{region.suffix}"
        for handler in spec.app.handlers.values()
    }
    name = own.get(function.lower())
    known = None if name is None else made.reference(FUNCTION, name)
    return function.lower() if known is None or known == name else known


def may_publish(made: Configuration, key: str, topic: str, member: str) -> str:
    """Allow a member to publish to a topic, by its name; return a reference to that."""
    return made.add(
        "google_pubsub_topic_iam_member",
        key,
        project=PROJECT,
        topic=topic,
        role="roles/pubsub.publisher",
        member=member,
    )


def allow(
    made: Configuration,
    spec: PackageSpec,
    caller: Caller,
    region: GoogleRegion,
    handler: Handler | None = None,
) -> None:
    """Add what the calls of a function need.

    Args:
        made: what it is added to.
        spec: what is packaged.
        caller: whose calls they are.
        region: where the functions are that it calls.
        handler: that runs there; it needs its own objects, too.
    """
    member, declared, rights = member_of(caller.account), spec.declared, caller.rights
    queues = queues_of(spec) | {name: topic_of(spec, name) for name in declared.queues}
    topics = {declared.buses[name] for name in rights.publishes if name in declared.buses}
    topics |= {queues[name] for name in rights.calls if name in queues}
    for topic in unique(topics):
        name = made.reference("google_pubsub_topic", topic)
        may_publish(made, f"{caller.name}-{topic}", name, member)
    allow_calls(made, spec, caller, region)
    for bucket, role in sorted(_on_buckets(spec, rights, handler, region).items()):
        made.add(
            "google_storage_bucket_iam_member",
            f"{caller.name}-{bucket}",
            bucket=made.reference("google_storage_bucket", bucket),
            role=f"roles/storage.{role}",
            member=member,
        )
    _allow_tables(made, spec, caller, region)


def _on_buckets(
    spec: PackageSpec, rights: Rights, handler: Handler | None, region: GoogleRegion
) -> dict[str, str]:
    """Return the role on each bucket that a function uses: who may only read may only read."""
    buckets = spec.declared.buckets
    reads = {buckets[name] for name in rights.gets if name in buckets}
    writes = {buckets[name] for name in rights.puts | rights.deletes if name in buckets}
    if handler is not None and handler.bucket is not None and handler.bucket not in region.away:
        reads.add(bucket_of(spec.declared, handler))
        writes |= {prefix.bucket for prefix in prefixes_of(spec.declared, handler)}
    return dict.fromkeys(reads, "objectViewer") | dict.fromkeys(writes, "objectUser")


def _allow_tables(
    made: Configuration, spec: PackageSpec, caller: Caller, region: GoogleRegion
) -> None:
    """Add the right to read, or to read and write, the databases of the tables that are used.

    Firestore knows no rights for one collection; one database is the least.
    """
    tables, rights = spec.declared.tables, caller.rights
    usual = str(spec.declared.settings.get("database") or "(default)")
    used = {
        region.databases.get(tables[name], usual): name in rights.changes
        for name in sorted(rights.reads | rights.changes, key=lambda name: name in rights.changes)
        if name in tables
    }
    for number, (database, writes) in enumerate(sorted(used.items())):
        resource = f"projects/{PROJECT}/databases/{database}"
        made.add(
            "google_project_iam_member",
            f"{caller.name}-{database}" if number else caller.name,
            project=PROJECT,
            role=f"roles/datastore.{'user' if writes else 'viewer'}",
            member=member_of(caller.account),
            condition={"title": "one database", "expression": f'resource.name == "{resource}"'},
        )


def allow_calls(
    made: Configuration, spec: PackageSpec, caller: Caller, region: GoogleRegion
) -> None:
    """Add the right to call the functions of a region that a function calls."""
    member, settings = member_of(caller.account), spec.declared.settings
    queues = {*queues_of(spec), *spec.declared.queues}
    called = {spec.declared.own(name) for name in caller.rights.calls if name not in queues}
    for function in unique(called):
        service = service_of(made, spec, function, region)
        may_call(made, f"{caller.name}-{function}", service, member, region)
        if not settings.get("function_url") and function not in settings.get("functions", NOTHING):
            # No URL in the settings says where the function is.
            made.add(
                f"{FUNCTION}_iam_member",
                f"{caller.name}-{function}{region.suffix}",
                project=PROJECT,
                location=region.name,
                cloud_function=service,
                role=VIEWER,
                member=member,
            )


def may_call(
    made: Configuration, name: str, function: str, member: str, region: GoogleRegion
) -> None:
    """Add the right to call a function."""
    made.add(
        "google_cloud_run_service_iam_member",
        f"{name}{region.suffix}",
        project=PROJECT,
        location=region.name,
        service=function,
        role=INVOKER,
        member=member,
    )


def member_of(account: str) -> str:
    """Return a service account as a member, by its email."""
    return f"serviceAccount:{account}"
