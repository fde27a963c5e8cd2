"""Handlers of objects on AWS: who may tell them, what they may do, and how a bucket is told to.

A bucket that is made here has its notifications set. Of any other one CloudFormation sets none, so
S3 is let send, and a note has the command that sets them.

Source: `PutBucketNotificationConfiguration` in S3's API reference; "Granting permissions to publish
event notification messages to a destination" and "Configuring event notifications using object key
name filtering" in its user guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from itertools import combinations
from shlex import quote
from typing import Any, Final
from urllib.parse import quote_plus

from leeward.app.kit import Handler, Kind
from leeward.errors import ConfigError
from leeward_deploy.aws.roles import (
    allow,
    arn_of,
    logical,
    may_invoke,
    may_send,
    own_name,
)
from leeward_deploy.needs import bucket_of, of_kind, prefixes_of
from leeward_deploy.recipe import PackageSpec
from leeward_deploy.terraform import unique

Json = dict[str, Any]

EVENTS: Final = "s3:ObjectCreated:*"


def may_tell(spec: PackageSpec, handler: Handler, id: str) -> Json:
    """Return what lets one bucket send to the queue of a handler, or call its function."""
    bucket, account = _arn(bucket_of(spec.declared, handler)), {"Ref": "AWS::AccountId"}
    service = "s3.amazonaws.com"
    if not handler.queued:
        return {f"{id}Permission": may_invoke(id, service, bucket, account)}
    condition = {
        "ArnEquals": {"aws:SourceArn": bucket},
        "StringEquals": {"aws:SourceAccount": account},
    }
    return {
        f"{id}QueuePolicy": may_send(
            f"{id}Queue", service, spec.declared.own(handler.name), condition
        )
    }


def rights(spec: PackageSpec, handler: Handler) -> list[Json]:
    """Return what a handler may do with its objects, and where it puts some.

    Raises:
        ConfigError: a role would read a prefix as a pattern, and allow more.
    """
    bucket, written = bucket_of(spec.declared, handler), prefixes_of(spec.declared, handler)
    for prefix in (handler.prefix, *(each.prefix for each in written)):
        if re.search(r"[*?]|[$%]\{", prefix):
            raise ConfigError(
                f"the prefix {prefix!r} of {handler.name!r} is a pattern where a role on AWS names "
                "it; choose one without *, ?, ${ and %{"
            )
    found = [
        # Without this one, S3 does not say of an object that it is not there.
        allow(["s3:ListBucket"], *map(_arn, unique([bucket, *(each.bucket for each in written)]))),
        allow(["s3:GetObject"], _arn(bucket, f"/{handler.prefix}*")),
    ]
    if written:
        places = unique(f"{each.bucket}/{each.prefix}*" for each in written)
        found.append(allow(["s3:GetObject", "s3:PutObject"], *map(_arn, places)))
    return found


def with_notifications(made: Json, spec: PackageSpec, bucket: str) -> Json:
    """Return a bucket that is made here, so that it tells the app's handlers of its objects.

    Raises:
        ConfigError: S3 does not take two notifications for the same objects.
    """
    queues, functions, needed = [], [], []
    for handler in _handlers_of(spec, bucket):
        # What a bucket tells a handler, as CloudFormation has it.
        configuration: Json = {"Event": EVENTS}
        if handler.prefix:
            rule = {"Name": "prefix", "Value": key_filter(handler.prefix)}
            configuration["Filter"] = {"S3Key": {"Rules": [rule]}}
        id, told = logical(handler.name), configuration
        needed.append(f"{id}QueuePolicy" if handler.queued else f"{id}Permission")
        if handler.queued:
            queues.append({**told, "Queue": arn_of(f"{id}Queue")})
        else:
            functions.append({**told, "Function": arn_of(id)})
    if not needed:
        return made
    found: Json = {"QueueConfigurations": queues, "LambdaConfigurations": functions}
    properties = {**made["Properties"], "NotificationConfiguration": found}
    # S3 tries whether it may tell, before the bucket is there.
    return {**made, "Properties": properties, "DependsOn": needed}


def notes(spec: PackageSpec, made: Collection[str] = ()) -> Iterator[str]:
    """Yield the command that sets the notifications of each bucket but those that are made here.

    Raises:
        ConfigError: S3 does not take two notifications for the same objects.
    """
    buckets = {bucket_of(spec.declared, each) for each in of_kind(spec.app, Kind.OBJECT)}
    for bucket in unique(buckets.difference(made)):
        told = json.dumps(_by_command(spec, _handlers_of(spec, bucket)), separators=(",", ":"))
        yield (
            f"{bucket}: after the stack is there, let the bucket tell of its objects; the command "
            "replaces whatever notifications it has: aws s3api "
            f"put-bucket-notification-configuration --bucket {quote(bucket)} "
            f"--notification-configuration {quote(told)}"
        )


def _handlers_of(spec: PackageSpec, bucket: str) -> list[Handler]:
    """Return the handlers of a bucket's objects; no two are for the same ones."""
    handlers = of_kind(spec.app, Kind.OBJECT)
    own = [handler for handler in handlers if bucket_of(spec.declared, handler) == bucket]
    for one, other in combinations(own, 2):
        if one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix):
            raise ConfigError(
                f"{one.name!r} and {other.name!r} would both be told of the same objects of "
                f"{bucket!r}, which S3 does not do; give them prefixes of which none begins "
                "with the other, or let one handler do both"
            )
    return own


def key_filter(prefix: str) -> str:
    """Return the beginning of keys as a filter has it: encoded as keys are in what S3 tells."""
    return quote_plus(prefix, safe="/*").replace("~", "%7E")


def _by_command(spec: PackageSpec, handlers: list[Handler]) -> Json:
    """Return the notifications of a bucket, as S3 itself has them."""
    found: dict[str, list[Json]] = {}
    for handler in handlers:
        told: Json = {"Id": handler.name, "Events": [EVENTS]}
        if handler.prefix:
            rule = {"Name": "prefix", "Value": key_filter(handler.prefix)}
            told["Filter"] = {"Key": {"FilterRules": [rule]}}
        place = "arn:aws:{}:REGION:ACCOUNT:{}"
        if handler.queued:
            told["QueueArn"] = place.format("sqs", spec.declared.own(handler.name))
        else:
            function = f"function:{own_name(spec, handler)}"
            told["LambdaFunctionArn"] = place.format("lambda", function)
        kind = "QueueConfigurations" if handler.queued else "LambdaFunctionConfigurations"
        found.setdefault(kind, []).append(told)
    return found


def _arn(bucket: str, rest: str = "") -> Json:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{bucket}{rest}"}
