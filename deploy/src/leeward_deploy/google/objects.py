"""Handlers of objects on Google Cloud: a bucket tells a topic, and what they may do with objects.

Source: "Pub/Sub notifications for Cloud Storage" (the service's own account publishes them); the
resource ``google_storage_notification`` of the provider ``hashicorp/google``.
"""

from __future__ import annotations

from typing import Final

from leeward.app.kit import Handler, Kind
from leeward_deploy.google.roles import PROJECT, may_publish
from leeward_deploy.needs import bucket_of, of_kind, prefixes_of
from leeward_deploy.recipe import PackageSpec
from leeward_deploy.terraform import Configuration, literal, of, unique

_AGENT: Final = "serviceAccount:${data.google_storage_project_service_account.this.email_address}"
"""Cloud Storage itself, as which it tells of objects."""


def data_of(spec: PackageSpec) -> dict[str, dict[str, dict[str, str]]]:
    """Return what is read for an app: Cloud Storage's own account, if a bucket tells of objects."""
    if not any(of_kind(spec.app, Kind.OBJECT)):
        return {}
    return {"google_storage_project_service_account": {"this": {"project": PROJECT}}}


def tell(made: Configuration, spec: PackageSpec, handler: Handler, topic: str) -> None:
    """Let a bucket tell a topic of objects whose names begin as a handler wants."""
    agent = may_publish(made, f"{handler.name}-storage-agent", of(f"{topic}.name"), _AGENT)
    made.add(
        "google_storage_notification",
        handler.name,
        bucket=made.reference("google_storage_bucket", bucket_of(spec.declared, handler)),
        topic=of(f"{topic}.id"),
        payload_format="JSON_API_V1",
        event_types=["OBJECT_FINALIZE"],
        **({"object_name_prefix": literal(handler.prefix)} if handler.prefix else {}),
        depends_on=[agent],
    )


def allow_objects(made: Configuration, spec: PackageSpec, handler: Handler, member: str) -> None:
    """Add what a handler of objects needs, unless `leeward.toml` names the bucket already."""
    if handler.kind is not Kind.OBJECT:
        return
    written = {each.bucket for each in prefixes_of(spec.declared, handler)}
    for bucket in unique({bucket_of(spec.declared, handler), *written}):
        if bucket in spec.declared.buckets.values():
            continue
        made.add(
            "google_storage_bucket_iam_member",
            f"{handler.name}-{bucket}",
            bucket=made.reference("google_storage_bucket", bucket),
            role=f"roles/storage.{'objectUser' if bucket in written else 'objectViewer'}",
            member=member,
        )
