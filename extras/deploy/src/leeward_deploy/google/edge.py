"""Static rules as data for a module of Google's global load balancer: a URL map, and Cloud Armor.

A URL map cannot deny, and does not know the country of a client. Cloud Armor does both, and looks
at a request before the URL map does.

Sources: "URL maps overview", "Traffic management overview for global external Application Load
Balancers", "Custom headers in URL maps", and the rules language of Cloud Armor; the resources
``google_compute_url_map`` and ``google_compute_security_policy``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from leeward_deploy.edge.exports import Edge, EdgeExport, rule_error
from leeward_deploy.edge.rules import EdgeRule, changes_of, data_of, is_prefix
from leeward_deploy.recipe import Command

FILE: Final = "edge.google.json"

MODULE: Final = "google-edge"

MOST_RULES: Final = 200
"""Of a path matcher, and of a policy."""

LONGEST: Final = 2048
"""Characters of an expression."""

AROUND: Final = 64
"""Characters that the module writes around a path and countries, at most."""

_OWN: Final = re.compile(r"x-(?:google|goog|gfe|amz)-.*|x-user-ip|cdn-loop", re.IGNORECASE)
"""Headers that Google does not let be changed."""

NOTES: Final = (
    "it wants a global external load balancer (EXTERNAL_MANAGED)",
    "SERVICE is the id of your backend service",
    "give url_map of the module to your target proxy, and its policy to the backend service",
)

COMMANDS: Final = (
    Command(
        "Terraform",
        f'module "edge" {{ source = "./modules/{MODULE}", rules = "{FILE}", service = SERVICE }}',
        "in a file of your project, a line for each argument; then terraform plan and apply",
    ),
)


def export(rules: Sequence[EdgeRule]) -> EdgeExport:
    """Return the data of the module.

    Raises:
        ConfigError: a rule is not one that a URL map or Cloud Armor runs.
    """
    if len(rules) > MOST_RULES:
        raise rule_error(
            rules[MOST_RULES],
            f"it is one of {len(rules)}, and a URL map takes {MOST_RULES}",
            "put the rest into a file of its own",
        )
    document = {"format": 1, "rules": [_rule(rule) for rule in rules]}
    return EdgeExport({FILE: json.dumps(document, indent=2) + "\n"}, NOTES, COMMANDS, MODULE)


def _rule(rule: EdgeRule) -> dict[str, Any]:
    """Return a rule as data; raise for what neither the URL map nor Cloud Armor can do."""
    countries = rule.countries or rule.except_countries
    if countries and not rule.deny:
        raise rule_error(
            rule,
            "a URL map does not know the country of a client",
            "deny by country, or let the origin look at it",
        )
    if rule.deny and AROUND + len(rule.path) + 3 * len(countries) > LONGEST:
        raise rule_error(
            rule,
            f"its path and {len(countries)} countries are too long for an expression, of which "
            f"Cloud Armor takes {LONGEST:,} characters",
            "write a shorter path, or fewer countries",
        )
    if rule.rewrite is not None and is_prefix(rule.path) and not is_prefix(rule.rewrite):
        raise rule_error(
            rule,
            "a URL map replaces what a path begins with, and keeps the rest of it",
            "end rewrite with /*, or write a rule for each path",
        )
    for name in (*rule.request.names, *rule.response.names):
        if _OWN.fullmatch(name):
            raise rule_error(
                rule, f"Google does not let {name} be changed", "choose another header"
            )
    headers = {"request": changes_of(rule.request), "response": changes_of(rule.response)}
    return {"name": rule.name, **data_of(rule), **headers}


EDGE: Final = Edge(export)
"""The entry point ``google`` of ``leeward.edges``."""
