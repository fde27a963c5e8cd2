"""A function in a distribution's configuration: read whole, changed in one place, written whole.

`UpdateDistribution` replaces everything by what it is given, and wants the ETag of what was read,
so that nobody else's change is lost. There is one configuration for all edge locations.

Sources: `UpdateDistribution` in CloudFront's API reference; "Restrictions on Lambda@Edge".
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from leeward.errors import ConfigError
from leeward_deploy.aws.edge_function import EVENTS, REGION
from leeward_deploy.edge.exports import Association, Trigger
from leeward_deploy.recipe import Command

CONFIGURATION: Final = "distribution.json"

WHOLE: Final = ("CallerReference", "Origins", "DefaultCacheBehavior", "Comment", "Enabled")
"""What every configuration has."""

LAMBDA_LIST: Final = "LambdaFunctionAssociations"
FUNCTION_LIST: Final = "FunctionAssociations"

AGAIN: Final = (
    "after PreconditionFailed, or an answer that did not come: read the configuration again, and "
    "run this again; it says so if the function is there already"
)

_LAMBDA_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:function:([A-Za-z0-9_-]+)(?::([A-Za-z0-9$_-]+))?"
)
_FUNCTION_ARN: Final = re.compile(r"arn:aws[a-z-]*:cloudfront::\d{12}:function/[A-Za-z0-9_-]+")


def associate(document: Mapping[str, Any], trigger: Trigger) -> Association:
    """Return a configuration with a function in it.

    Args:
        document: as ``aws cloudfront get-distribution-config`` prints it.
        trigger: of the function.

    Raises:
        ConfigError: the document is not whole, the function is not one that CloudFront takes, or
            another one is there.
    """
    config, etag = document.get("DistributionConfig"), document.get("ETag")
    if not isinstance(config, dict) or not isinstance(etag, str):
        raise ConfigError(
            "the file has no DistributionConfig and ETag; write it with `aws cloudfront "
            "get-distribution-config --id ID > current.json`"
        )
    missing = [name for name in WHOLE if name not in config]
    if missing:
        raise ConfigError(
            f"the configuration lacks {', '.join(missing)}, and would replace the whole one; read "
            "all of it"
        )
    key, wanted = _item_for(trigger)
    made = deepcopy(config)
    behaviour = _behaviour(made, trigger.path)
    before = _items(behaviour, key)
    _check_others(behaviour, key, trigger, wanted)
    same_event = [each for each in before if each["EventType"] == trigger.event]
    if any(_is_same(each, wanted) for each in same_event):
        return Association("", CONFIGURATION, ("it is there already; nothing is to be written",), ())
    others = [each for each in before if each["EventType"] != trigger.event]
    items = [*others, wanted]
    behaviour[key] = {"Quantity": len(items), "Items": items}
    return Association(
        json.dumps(made, indent=2) + "\n",
        CONFIGURATION,
        (AGAIN,),
        (
            Command(
                "aws",
                f"aws cloudfront update-distribution --id ID --if-match {shlex.quote(etag)} "
                f"--distribution-config file://{CONFIGURATION}",
                "the same ID as it was read from",
            ),
        ),
    )


def _item_for(trigger: Trigger) -> tuple[str, dict[str, Any]]:
    """Return which list a function belongs to, and what is written there."""
    if trigger.event not in EVENTS:
        raise ConfigError(f"--event is {trigger.event!r}; known: {', '.join(EVENTS)}")
    if _FUNCTION_ARN.fullmatch(trigger.function):
        if not trigger.event.startswith("viewer-"):
            raise ConfigError(
                "a CloudFront Function is called for viewer events alone; see --event"
            )
        if trigger.body:
            raise ConfigError("a CloudFront Function gets no body; leave --body out")
        return FUNCTION_LIST, {"FunctionARN": trigger.function, "EventType": trigger.event}
    found = _LAMBDA_ARN.fullmatch(trigger.function)
    if found is None:
        raise ConfigError(
            "--function must be the ARN of a version of a Lambda function, or of a CloudFront "
            "Function"
        )
    if found[1] != REGION:
        raise ConfigError(
            f"the function is in {found[1]}, and Lambda@Edge takes those of {REGION}; deploy it "
            "there"
        )
    if found[3] is None or not found[3].isdigit():
        told = "no version" if found[3] is None else f"the version {found[3]}"
        raise ConfigError(
            f"the ARN has {told}, and CloudFront wants a number: it takes neither $LATEST nor an "
            "alias; publish a version, and add :NUMBER"
        )
    if trigger.body and not trigger.event.endswith("request"):
        raise ConfigError(f"{trigger.event} has no body of a request; leave --body out")
    return LAMBDA_LIST, {
        "LambdaFunctionARN": trigger.function,
        "EventType": trigger.event,
        "IncludeBody": trigger.body,
    }


def _behaviour(config: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the cache behaviour of a pattern, or the default one."""
    if not path:
        found: dict[str, Any] = config["DefaultCacheBehavior"]
        return found
    known: list[dict[str, Any]] = config.get("CacheBehaviors", {}).get("Items") or []
    for each in known:
        if each["PathPattern"] == path:
            return each
    named = ", ".join(each["PathPattern"] for each in known) or "none"
    raise ConfigError(f"no cache behaviour has the pattern {path!r}; known: {named}")


def _items(behaviour: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    return [*(behaviour.get(key, {}).get("Items") or [])]


def _check_others(
    behaviour: Mapping[str, Any], key: str, trigger: Trigger, wanted: Mapping[str, Any]
) -> None:
    """Check that no function of somebody else is there."""
    for each in _items(behaviour, key):
        if each["EventType"] == trigger.event and _without_version(each) != _without_version(wanted):
            raise ConfigError(
                f"{_arn(each)} is at {trigger.event} already; take it out of the file first, if "
                "this function is to replace it"
            )
    for each in _items(behaviour, FUNCTION_LIST if key == LAMBDA_LIST else LAMBDA_LIST):
        if each["EventType"].startswith("viewer-") and trigger.event.startswith("viewer-"):
            raise ConfigError(
                f"{_arn(each)} is at {each['EventType']}, and CloudFront takes only one kind of "
                "function for viewer events; take it out of the file first, or choose an origin "
                "event"
            )


def _arn(item: Mapping[str, Any]) -> str:
    found: str = item.get("LambdaFunctionARN") or item["FunctionARN"]
    return found


def _without_version(item: Mapping[str, Any]) -> str:
    arn = _arn(item)
    return ":".join(arn.split(":")[:7]) if ":lambda:" in arn else arn


def _is_same(item: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return _arn(item) == _arn(wanted) and (
        item.get("IncludeBody", False) == wanted.get("IncludeBody", False)
    )
