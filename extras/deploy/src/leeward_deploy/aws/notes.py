"""What a person has to know of an app on AWS, or to do, besides applying the module.

Sources: `PutBucketNotificationConfiguration` in S3's API reference; "Configuring event
notifications using object key name filtering" in its user guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from shlex import quote
from typing import Any, Final
from urllib.parse import quote_plus

from leeward.app.kit import Kind
from leeward_deploy.needs import bucket_of, is_queued, of_kind, seconds_of
from leeward_deploy.recipe import Deployment, PackageSpec, widenings

MOST_RETRIES: Final = 2
"""Of an asynchronous call of Lambda."""


def notes(spec: PackageSpec, deployment: Deployment) -> Iterator[str]:
    """Yield what cannot be said in facts, and what clients have to know."""
    spec = spec._replace(declared=deployment.sites[0].declared)
    new_buckets = {
        bucket.name for bucket in deployment.buckets if not bucket.exists
    } | deployment.away
    yield from _on_handlers(spec)
    for bucket in sorted(
        {bucket_of(spec.declared, handler) for handler in of_kind(spec.app, Kind.OBJECT)}
        - new_buckets
    ):
        text = json.dumps(_notifications(spec, bucket), separators=(",", ":"))
        yield (
            f"{bucket}: after everything is there, let the bucket tell of its objects; the command "
            "replaces whatever notifications it has: aws s3api "
            f"put-bucket-notification-configuration --bucket {quote(bucket)} "
            f"--notification-configuration {quote(text)}"
        )


def _on_handlers(spec: PackageSpec) -> Iterator[str]:
    """Yield what is to be said of queues, retries, roles and rights of handlers."""
    for handler in spec.app.handlers.values():
        if not is_queued(handler) and (handler.retries or 0) > MOST_RETRIES:
            yield (
                f"{handler.name}: {handler.retries} retries are wanted, and an asynchronous call "
                f"of Lambda has {MOST_RETRIES} at most"
            )
    for name in spec.settings.handlers:
        if role := spec.settings.role_of(name, arn=True):
            yield (
                f"{name}: runs as {role}, which is yours: it has to allow what the handler uses, "
                "its log and its queue of dead letters"
            )
    for handler in spec.app.handlers.values():
        queue = handler.queue or handler.name
        if is_queued(handler) and spec.settings.is_there("queues", queue):
            yield (
                f"{queue}: is there already, so its visibility timeout has to be "
                f"{6 * seconds_of(handler)} s at least, and its dead letters go where it says"
            )
    yield from widenings(spec)
    yield from spec.notes


def key_filter(prefix: str) -> str:
    """Return the beginning of keys as a filter has it: encoded as keys are in what S3 tells."""
    return quote_plus(prefix, safe="/*").replace("~", "%7E")


def _notifications(spec: PackageSpec, bucket: str) -> dict[str, list[dict[str, Any]]]:
    """Return the notifications of a bucket, as S3 itself has them."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for handler in of_kind(spec.app, Kind.OBJECT):
        if bucket_of(spec.declared, handler) == bucket:
            own_name = spec.declared.own(handler.name)
            kind, arn, place = (
                ("QueueConfigurations", "QueueArn", f"sqs:REGION:ACCOUNT:{own_name}")
                if handler.queued
                else (
                    *("LambdaFunctionConfigurations", "LambdaFunctionArn"),
                    f"lambda:REGION:ACCOUNT:function:{function_name(own_name)}",
                )
            )
            row: dict[str, Any] = {"Id": handler.name, "Events": ["s3:ObjectCreated:*"]}
            if handler.prefix:
                rule = {"Name": "prefix", "Value": key_filter(handler.prefix)}
                row["Filter"] = {"Key": {"FilterRules": [rule]}}
            rows.setdefault(kind, []).append({**row, arn: f"arn:aws:{place}"})
    return rows


def function_name(own_name: str) -> str:
    """Return the name of a function that clients may know by an ARN, or by one of its versions."""
    return own_name.rpartition(":function:")[2].partition(":")[0]
