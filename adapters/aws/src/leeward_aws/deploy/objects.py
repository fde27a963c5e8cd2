"""Handlers of objects on AWS: who may tell them, what they may do, and how a bucket is told to.

A bucket has a life of its own, and CloudFormation sets no notification of one that it has not made.
So a template lets S3 send, and a note has the command that sets the notifications of a bucket; with
a bucket that is made they are made, too.

Source: `PutBucketNotificationConfiguration` in S3's API reference; "Granting permissions to publish
event notification messages to a destination" in its user guide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from itertools import combinations
from typing import Any, Final

from leeward.adapter.packages import Wish, bucket_of, of_kind, prefixes_of, unique
from leeward.app.kit import Handler, Kind
from leeward.errors import ConfigError
from leeward_aws.deploy.roles import allow, queue_arn

Json = dict[str, Any]

CREATED: Final = "s3:ObjectCreated:*"

Names = Callable[[Wish, Handler], str]


def may_tell(wish: Wish, handler: Handler, id: str) -> Json:
    """Return what lets one bucket send to the queue of a handler, or call its function.

    Args:
        wish: with what `leeward.toml` names.
        handler: of objects.
        id: of the handler, in the template.
    """
    bucket = _arn(bucket_of(wish.declared, handler))
    account = {"Ref": "AWS::AccountId"}
    if not handler.queued:
        properties = {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": id},
            "Principal": "s3.amazonaws.com",
            "SourceArn": bucket,
            "SourceAccount": account,
        }
        return {f"{id}Permission": {"Type": "AWS::Lambda::Permission", "Properties": properties}}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn(handler.name),
        "Condition": {
            "ArnEquals": {"aws:SourceArn": bucket},
            "StringEquals": {"aws:SourceAccount": account},
        },
    }
    policy: Json = {
        "Queues": [{"Ref": f"{id}Queue"}],
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
    return {f"{id}QueuePolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": policy}}


def rights(wish: Wish, handler: Handler) -> list[Json]:
    """Return what a handler may do with its objects, and where it puts some."""
    bucket, written = bucket_of(wish.declared, handler), prefixes_of(wish.declared, handler)
    found = [
        # Without this one, S3 does not say of an object that it is not there.
        allow(["s3:ListBucket"], *map(_arn, unique([bucket, *(each.bucket for each in written)]))),
        allow(["s3:GetObject"], _arn(bucket, f"/{handler.prefix}*")),
    ]
    if written:
        places = unique(f"{each.bucket}/{each.prefix}*" for each in written)
        found.append(allow(["s3:GetObject", "s3:PutObject"], *map(_arn, places)))
    return found


def tells(wish: Wish, bucket: str, ids: Callable[[str], str]) -> tuple[Json, list[str]]:
    """Return the notifications of a bucket that is made here, and the ids that it waits for.

    Args:
        wish: with the app.
        bucket: its own name.
        ids: gives the logical id of a handler.
    """
    found: dict[str, list[Json]] = {}
    before = []
    for each in of_kind(wish.app, Kind.OBJECT):
        if bucket_of(wish.declared, each) != bucket:
            continue
        id = ids(each.name)
        told: Json = {"Event": CREATED}
        if each.prefix:
            rules = [{"Name": "prefix", "Value": each.prefix}]
            told["Filter"] = {"S3Key": {"Rules": rules}}
        if each.queued:
            told["Queue"] = {"Fn::GetAtt": [f"{id}Queue", "Arn"]}
            before.append(f"{id}QueuePolicy")
        else:
            told["Function"] = {"Fn::GetAtt": [id, "Arn"]}
            before.append(f"{id}Permission")
        kind = "QueueConfigurations" if each.queued else "LambdaConfigurations"
        found.setdefault(kind, []).append(told)
    return found, before


def notes(wish: Wish, own_name: Names, made: Collection[str] = ()) -> Iterator[str]:
    """Yield the command that sets the notifications of each bucket.

    Args:
        wish: with the app.
        own_name: gives the name of a handler's function.
        made: buckets that have their notifications already.

    Raises:
        ConfigError: S3 does not take two notifications for the same objects.
    """
    handlers = list(of_kind(wish.app, Kind.OBJECT))
    for bucket in unique(bucket_of(wish.declared, each) for each in handlers):
        own = [each for each in handlers if bucket_of(wish.declared, each) == bucket]
        for one, other in combinations(own, 2):
            if one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix):
                raise ConfigError(
                    f"{one.name!r} and {other.name!r} would both be told of the same objects of "
                    f"{bucket!r}, which S3 does not do; give them prefixes of which none begins "
                    "with the other, or let one handler do both"
                )
        if bucket in made:
            continue
        told = json.dumps(_notifications(wish, own, own_name), separators=(",", ":"))
        yield (
            f"{bucket}: after the stack is there, let the bucket tell of its objects; the command "
            "replaces whatever notifications it has: aws s3api "
            f"put-bucket-notification-configuration --bucket {bucket} "
            f"--notification-configuration '{told}'"
        )


def _notifications(wish: Wish, handlers: list[Handler], own_name: Names) -> Json:
    found: dict[str, list[Json]] = {}
    for each in handlers:
        told: Json = {"Id": each.name, "Events": [CREATED]}
        if each.prefix:
            rule = {"Name": "prefix", "Value": each.prefix}
            told["Filter"] = {"Key": {"FilterRules": [rule]}}
        place = "arn:aws:{}:REGION:ACCOUNT:{}"
        if each.queued:
            told["QueueArn"] = place.format("sqs", each.name)
        else:
            function = f"function:{own_name(wish, each)}"
            told["LambdaFunctionArn"] = place.format("lambda", function)
        kind = "QueueConfigurations" if each.queued else "LambdaFunctionConfigurations"
        found.setdefault(kind, []).append(told)
    return found


def _arn(bucket: str, rest: str = "") -> Json:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{bucket}{rest}"}
