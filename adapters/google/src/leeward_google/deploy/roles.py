"""What the service account of a handler may do on Google Cloud: what ``leeward.toml`` names.

Source: docs/google.md, "Permissions"; "Understanding roles" and "Configure IAM Conditions" in the
documentation of each service.
"""

from __future__ import annotations

from typing import Final

from leeward.adapter.packages import (
    Configuration,
    Wish,
    of,
    unique,
)
from leeward.app.kit import Kind

PROJECT: Final = "${var.project}"
REGION: Final = "${var.region}"

PUBLISHER: Final = "roles/pubsub.publisher"
INVOKER: Final = "roles/run.invoker"


def queues_of(wish: Wish) -> dict[str, str]:
    """Return the topics by which functions of the app are queued, by logical name."""
    names = {}
    for each in wish.app.handlers.values():
        if each.kind is Kind.MESSAGE or (each.queued and each.kind is Kind.CALL):
            queue = each.queue or each.name
            names[queue] = topic_of(wish, queue)
    return names


def topic_of(wish: Wish, queue: str) -> str:
    """Return the topic of a queue: clients queue calls by the names of functions."""
    topics = wish.declared.settings.get("enqueue_topics") or {}
    own: str = topics.get(queue) or wish.declared.functions.get(queue, queue)
    return own


def allow(made: Configuration, wish: Wish, handler: str, account: str) -> None:
    """Add what the app's own calls need, for the account of one handler."""
    member, declared = member_of(account), wish.declared
    queues = queues_of(wish)
    called = {own for name, own in declared.functions.items() if name not in queues}
    topics = {*declared.buses.values()}
    topics |= {queues[name] for name in declared.functions if name in queues}
    for topic in unique(topics):
        made.add(
            "google_pubsub_topic_iam_member",
            f"{handler}-{topic}",
            project=PROJECT,
            topic=topic,
            role=PUBLISHER,
            member=member,
        )
    for function in unique(called):
        may_call(made, f"{handler}-{function}", function, member)
    for bucket in unique(declared.buckets.values()):
        made.add(
            "google_storage_bucket_iam_member",
            f"{handler}-{bucket}",
            bucket=bucket,
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


def may_call(made: Configuration, name: str, function: str, member: str) -> None:
    """Add the right to call a function."""
    made.add(
        "google_cloud_run_service_iam_member",
        name,
        project=PROJECT,
        location=REGION,
        service=function,
        role=INVOKER,
        member=member,
    )


def member_of(account: str) -> str:
    """Return a service account as a member, by its reference."""
    return f"serviceAccount:{of(f'{account}.email')}"
