"""What AWS adds to the facts of an app, and what it refuses."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

from leeward.app.kit import Kind
from leeward.errors import ConfigError
from leeward.workflow.model import Definition
from leeward_aws.settings.endpoints import check_region
from leeward_deploy.aws.expectations import expectations
from leeward_deploy.aws.flows.export import export
from leeward_deploy.aws.notes import MOST_RETRIES, key_filter, notes
from leeward_deploy.aws.schedules import scheduler_expression
from leeward_deploy.facts import Cloud, Facts, check_differ, check_standby
from leeward_deploy.needs import ORDERED, of_kind
from leeward_deploy.recipe import Deployment, PackageSpec

LONGEST: Final = 900
"""Seconds of a function. Source: "Lambda quotas"."""

REGIONS: Final = 2
"""That a failover record of Route 53 may have: a primary and a secondary."""

ADDRESSES: Final = {
    "queues": ("aws_sqs_queue.queue",),
    "dead_letters": ("aws_sqs_queue.dead",),
    "tables": ("aws_dynamodb_table.table",),
    "buckets": (
        *("aws_s3_bucket.bucket", "aws_s3_bucket_versioning.bucket"),
        "aws_s3_bucket_lifecycle_configuration.bucket",
        "aws_s3_bucket_public_access_block.bucket",
    ),
    "buses": ("aws_cloudwatch_event_bus.bus",),
}


def _flow(definition: Definition, functions: Mapping[str, str], _: PackageSpec) -> str:
    (text,) = export(definition, functions).files.values()
    return text


def check(facts: Facts) -> None:
    """Check what SQS, S3, IAM and Route 53 do not take.

    Raises:
        ConfigError: they do not take something; the message says what, and what helps.
    """
    for region in facts["regions"]:
        check_region(region)
    check_standby(facts)
    _check_handlers(facts)
    _check_orders(facts)
    queues = {**facts["queues"], **facts["dead_letters"]}
    for things in (facts["handlers"], queues):
        check_differ((thing["name"], name) for name, thing in things.items())
    # Letters of two handlers in one queue would be taken for those of one.
    check_differ((handler["dead_letters"], name) for name, handler in facts["handlers"].items())
    _check_prefixes(facts)
    if facts.get("entrance") and len(facts["regions"]) > REGIONS:
        raise ConfigError(
            f"Route 53 fails over from one region to a second, and the order has "
            f"{len(facts['regions'])} of AWS; take one out of cloud_provider in leeward.toml"
        )


def _check_handlers(facts: Facts) -> None:
    """Check that a role can name the prefixes of handlers."""
    for name, handler in facts["handlers"].items():
        rights = handler.get("rights", {})
        for place in (*rights.get("gets", ()), *rights.get("puts", ())):
            prefix = place.get("prefix", "")
            if re.search(r"[*?]|[$%]\{", prefix):
                raise ConfigError(
                    f"the prefix {prefix!r} of {name!r} is a pattern where a role on AWS names it; "
                    "choose one without *, ?, ${ and %{"
                )


def _check_orders(facts: Facts) -> None:
    """Check that dead letters keep an order where what they are of does: SQS wants it so."""
    pairs = [
        (queue["dead_letters"], queue.get("ordered", False), f"{name!r} keeps")
        for name, queue in facts["queues"].items()
        if "dead_letters" in queue
    ] + [
        (handler["dead_letters"], False, f"what Lambda cannot bring to {name!r} keeps")
        for name, handler in facts["handlers"].items()
        if "queue" not in handler
    ]
    for dead, ordered, who in pairs:
        if dead.endswith(ORDERED) != ordered:
            no, how = ("an", "with") if ordered else ("no", "without")
            raise ConfigError(
                f"{who} {no} order, and so must the queue of its dead letters, {dead!r}; name one "
                f"{how} {ORDERED} at its end in dead_letters of the entry file"
            )


def _check_prefixes(facts: Facts) -> None:
    """Check that S3 tells one handler alone of an object: it takes no prefixes that overlap."""
    by_bucket: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, handler in facts["handlers"].items():
        if handler["kind"] == "object":
            by_bucket[handler["bucket"]].append((name, handler.get("prefix", "")))
    for bucket, handlers in by_bucket.items():
        for (one, first), (other, second) in combinations(handlers, 2):
            if first.startswith(second) or second.startswith(first):
                raise ConfigError(
                    f"{one!r} and {other!r} would both be told of the same objects of {bucket!r}, "
                    "which S3 does not do; give them prefixes of which none begins with the other, "
                    "or let one handler do both"
                )


def _settings(spec: PackageSpec, deployment: Deployment) -> dict[str, Any]:
    """Return the prefixes of objects as S3 filters by them, and the name of the health's function.

    Without a domain there is none.
    """
    objects = of_kind(spec.app, Kind.OBJECT)
    filters = {handler.name: key_filter(handler.prefix) for handler in objects if handler.prefix}
    if not deployment.domain:
        return {"filters": filters}
    prefix = deployment.sites[0].declared.prefix or f"{spec.app.name}-"
    own_names = {deployment.sites[0].declared.own(handler) for handler in spec.app.handlers}
    name = f"{prefix}health"
    return {"filters": filters, "health": f"{name}-check" if name in own_names else name}


CLOUD: Final = Cloud(
    name="aws",
    keeps=tuple(ADDRESSES),
    addresses=ADDRESSES,
    longest=LONGEST,
    most_retries=MOST_RETRIES,
    schedule=scheduler_expression,
    flow=_flow,
    check=check,
    settings=_settings,
    notes=notes,
    arn_roles=True,
    expected=expectations,
)
