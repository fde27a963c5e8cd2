"""Static rules as data for a module of Azure Front Door: a rule set, and a firewall for denials.

Rule sets cannot deny; the firewall can, and looks at a request before any rule set does.

Sources: "What is a rule set", "Rules engine match conditions" and "Rules engine actions" of Azure
Front Door, "Server variables in the rules engine", "Custom rules for the web application firewall";
the resources ``azurerm_cdn_frontdoor_rule`` and ``azurerm_cdn_frontdoor_firewall_policy``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from leeward_deploy.edge.exports import Edge, EdgeExport, export_data, rule_error
from leeward_deploy.edge.rules import EdgeRule

MOST_ACTIONS: Final = 5
"""Of a rule."""

MOST_RULES: Final = 100
"""Of a rule set, and of a firewall's own rules."""

_OWN: Final = re.compile(r"x-(?:azure|fd)-.*|x-cache|x-forwarded-(?:for|host|proto)", re.IGNORECASE)
"""Headers that Front Door writes itself."""

NOTES: Final = (
    "a rule set finds the country by X-Forwarded-For, which clients may write; denials do not",
    "give rule_sets of the module to your route, and its firewall to a security policy",
)


def export(rules: Sequence[EdgeRule]) -> EdgeExport:
    """Return the data of the module.

    Raises:
        ConfigError: a rule is not one that Front Door runs.
    """
    for rule in rules:
        actions = [rule.redirect, rule.rewrite, *rule.request.names, *rule.response.names]
        count = sum(each is not None for each in actions)
        if count > MOST_ACTIONS:
            raise rule_error(
                rule,
                f"it wants {count} actions, and Front Door takes {MOST_ACTIONS} in a rule",
                "change fewer headers here, and the others at the origin",
            )
    given = "profile_id = PROFILE_ID, resource_group = GROUP"
    found = export_data("azure", "Front Door", rules, most=MOST_RULES, own=_OWN, given=given)
    return found._replace(notes=NOTES)


EDGE: Final = Edge(export)
"""The entry point ``azure`` of ``leeward.edges``."""
