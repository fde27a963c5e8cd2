"""What the service account of a handler may do on Google Cloud: what ``leeward.toml`` names.

Source: docs/google.md, "Permissions"; "Understanding roles" and "Configure IAM Conditions" in the
documentation of each service.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from leeward.app.kit import Handler, Kind
from leeward.values import NOTHING
from leeward_deploy.recipe import PackageSpec
from leeward_deploy.terraform import Configuration, of, unique

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
    """

    name: str = "${var.region}"
    suffix: str = ""
    instances: int | None = None
    package: str = "${path.module}/google.zip"
    away: frozenset[str] = frozenset()


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
    own: str = topics.get(queue) or spec.declared.functions.get(queue, queue)
    return own


def own_name(spec: PackageSpec, handler: Handler) -> str:
    """Return the name of a handler's function: lower case, by which clients call it."""
    if not handler.is_call:
        return handler.name.lower()
    return spec.declared.functions.get(handler.name, handler.name).lower()


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
    made: Configuration, spec: PackageSpec, handler: str, account: str, region: GoogleRegion
) -> None:
    """Add what the app's own calls need, for the account of one handler."""
    member, declared = member_of(account), spec.declared
    queues = queues_of(spec)
    topics = {*declared.buses.values()}
    topics |= {queues[name] for name in declared.functions if name in queues}
    for topic in unique(topics):
        name = made.reference("google_pubsub_topic", topic)
        may_publish(made, f"{handler}-{topic}", name, member)
    allow_calls(made, spec, handler, account, region)
    for bucket in unique(declared.buckets.values()):
        made.add(
            "google_storage_bucket_iam_member",
            f"{handler}-{bucket}",
            bucket=made.reference("google_storage_bucket", bucket),
            role="roles/storage.objectUser",
            member=member,
        )
    if declared.tables:
        database = declared.settings.get("database") or "(default)"
        resource = f"projects/{PROJECT}/databases/{database}"
        made.add(
            "google_project_iam_member",
            handler,
            project=PROJECT,
            role="roles/datastore.user",
            member=member,
            # Firestore knows no rights for one collection; one database is the least.
            condition={"title": "one database", "expression": f'resource.name == "{resource}"'},
        )


def allow_calls(
    made: Configuration, spec: PackageSpec, handler: str, account: str, region: GoogleRegion
) -> None:
    """Add the right to call the functions of a region that ``leeward.toml`` names."""
    queues, member, settings = queues_of(spec), member_of(account), spec.declared.settings
    called = {own for name, own in spec.declared.functions.items() if name not in queues}
    for function in unique(called):
        service = service_of(made, spec, function, region)
        may_call(made, f"{handler}-{function}", service, member, region)
        if not settings.get("function_url") and function not in settings.get("functions", NOTHING):
            # No URL in the settings says where the function is.
            made.add(
                f"{FUNCTION}_iam_member",
                f"{handler}-{function}{region.suffix}",
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
    """Return a service account as a member, by its reference."""
    return f"serviceAccount:{of(f'{account}.email')}"
