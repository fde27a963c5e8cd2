"""Static rules as data for a module of Azure Front Door: a rule set, and a firewall for denials.

Rule sets cannot deny; the firewall can, and looks at a request before any rule set does.

Sources: "What is a rule set", "Rules engine match conditions" and "Rules engine actions" of Azure
Front Door, "Server variables in the rules engine", "Custom rules for the web application firewall";
the resources ``azurerm_cdn_frontdoor_rule`` and ``azurerm_cdn_frontdoor_firewall_policy``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from leeward_deploy.edge.exports import Edge, rule_error, write_data
from leeward_deploy.edge.rules import EdgeRule

ACTIONS: Final = 5
"""Of a rule, at most."""

RULES: Final = 100
"""Of a rule set, and of a firewall, at most."""

RESERVED: Final = re.compile(
    r"x-(?:azure|fd)-.*|x-cache|x-forwarded-(?:for|host|proto)", re.IGNORECASE
)

NOTES: Final = (
    "a rule set finds the country by X-Forwarded-For, which clients may write; denials do not",
    "give rule_sets of the module to your route, and its firewall to a security policy",
)


def _check(rule: EdgeRule) -> None:
    actions = [rule.redirect, rule.rewrite, *rule.request.names, *rule.response.names]
    count = sum(action is not None for action in actions)
    if count > ACTIONS:
        raise rule_error(
            rule,
            f"it wants {count} actions, and Front Door takes {ACTIONS} in a rule",
            "change fewer headers here, and the others at the origin",
        )


_write = partial(
    write_data,
    provider="azure",
    arguments="profile_id = PROFILE_ID, resource_group = GROUP",
    notes=NOTES,
)

EDGE: Final = Edge("Front Door", RESERVED, RULES, _write, _check)
"""The entry point ``azure`` of ``leeward.edges``."""
