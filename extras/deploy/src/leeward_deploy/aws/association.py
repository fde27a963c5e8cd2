"""How a distribution calls a CloudFront Function.

`UpdateDistribution` replaces everything by what it is given, and wants the ETag of what was read,
so that nobody else's change is lost. So the configuration is read whole, changed in one place, and
written whole. There is one configuration for all edge locations.

Source: `UpdateDistribution` in CloudFront's API reference.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from leeward.errors import ConfigError
from leeward_deploy.edge.exports import Association, Trigger
from leeward_deploy.recipe import Command

EVENTS: Final = ("viewer-request", "viewer-response")

CONFIGURATION: Final = "distribution.json"

WHOLE: Final = ("CallerReference", "Origins", "DefaultCacheBehavior", "Comment", "Enabled")
"""What every configuration has."""

LIST: Final = "FunctionAssociations"

LAMBDA_LIST: Final = "LambdaFunctionAssociations"
"""Of functions of Lambda@Edge."""

AGAIN: Final = (
    "after PreconditionFailed, or an answer that did not come: read the configuration again, and "
    "run this again; it says so if the function is there already"
)

_ARN: Final = re.compile(r"arn:aws[a-z-]*:cloudfront::\d{12}:function/[A-Za-z0-9_-]+")


def associate(document: Mapping[str, Any], trigger: Trigger) -> Association:
    """Return a configuration with a function in it.

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
    if trigger.event not in EVENTS:
        raise ConfigError(f"--event is {trigger.event!r}; known: {', '.join(EVENTS)}")
    if not _ARN.fullmatch(trigger.function):
        raise ConfigError("--function must be the ARN of a CloudFront Function")
    made = deepcopy(config)
    behaviour = _behaviour(made, trigger.path)
    items: list[dict[str, Any]] = [*(behaviour.get(LIST, {}).get("Items") or [])]
    wanted = {"FunctionARN": trigger.function, "EventType": trigger.event}
    if wanted in items:
        return Association(
            "", CONFIGURATION, ("it is there already; nothing is to be written",), ()
        )
    for item in items:
        if item["EventType"] == trigger.event:
            raise ConfigError(
                f"{item['FunctionARN']} is at {trigger.event} already; take it out of the file "
                "first, if this function is to replace it"
            )
    for item in behaviour.get(LAMBDA_LIST, {}).get("Items") or ():
        if item["EventType"] in EVENTS:
            raise ConfigError(
                f"{item['LambdaFunctionARN']} is at {item['EventType']}, and CloudFront takes only "
                "one kind of function for viewer events; take it out of the file first"
            )
    items.append(wanted)
    behaviour[LIST] = {"Quantity": len(items), "Items": items}
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
