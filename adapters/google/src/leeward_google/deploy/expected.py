"""What the files say of subscriptions, by the words in which `leeward doctor` compares them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from leeward.adapter.packages import Expected, Site
from leeward.calls.looks import NONE
from leeward_google.looks import SUBSCRIPTION

REST: Final = "the functions, schedules, accounts and workflows"
"""What nobody looks at: their APIs are not among those that a target is configured with."""


def resources_in(resources: dict[str, Any], sites: tuple[Site, ...]) -> Iterator[Expected]:
    """Yield what targets have once the files were applied, and what of it nobody looks at.

    Args:
        resources: of the configuration.
        sites: the first one has the subscriptions, which are of the whole project.
    """
    for each in resources.get("google_pubsub_subscription", {}).values():
        policy = each.get("dead_letter_policy") or {}
        dead = policy.get("dead_letter_topic")
        has = {
            "topic": _name(each["topic"], resources),
            "seconds": each.get("ack_deadline_seconds", 10),
            "filter": each.get("filter", NONE).replace("$${", "${").replace("%%{", "%{"),
            "pushes": "push_config" in each,
            "dead letters": NONE if dead is None else _name(dead, resources),
            "deliveries": policy.get("max_delivery_attempts", NONE),
        }
        yield Expected("resource", each["name"], sites[0].target, SUBSCRIPTION, has)
    for site in sites:
        yield Expected("resource", REST, site.target, "settings of")


def _name(value: str, resources: dict[str, Any]) -> str:
    """Return the name of a topic that is referred to, or the end of its own id."""
    found = re.fullmatch(r"\$\{(\w+)\.([\w-]+)\.\w+\}", value)
    return resources[found[1]][found[2]]["name"] if found else value.rpartition("/")[2]
