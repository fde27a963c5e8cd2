"""Static rules as data for a module of Google's global load balancer: a URL map, and Cloud Armor.

A URL map cannot deny, and does not know the country of a client. Cloud Armor does both, and looks
at a request before the URL map does.

Sources: "URL maps overview", "Traffic management overview for global external Application Load
Balancers", "Custom headers in URL maps", and the rules language of Cloud Armor; the resources
``google_compute_url_map`` and ``google_compute_security_policy``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from leeward_deploy.edge.exports import Edge, rule_error, write_data
from leeward_deploy.edge.rules import EdgeRule, is_prefix

RULES: Final = 200
"""Of a path matcher, and of a policy, at most."""

LONGEST: Final = 2048
"""Characters of an expression."""

AROUND: Final = 64
"""Characters that the module writes around a path and countries, at most."""

RESERVED: Final = re.compile(r"x-(?:google|goog|gfe|amz)-.*|x-user-ip|cdn-loop", re.IGNORECASE)

NOTES: Final = (
    "it wants a global external load balancer (EXTERNAL_MANAGED)",
    "SERVICE is the id of your backend service",
    "give url_map of the module to your target proxy, and its policy to the backend service",
)


def _check(rule: EdgeRule) -> None:
    """Check that the URL map or Cloud Armor can do what a rule says."""
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


_write = partial(write_data, provider="google", arguments="service = SERVICE", notes=NOTES)

EDGE: Final = Edge("Google", RESERVED, RULES, _write, _check)
"""The entry point ``google`` of ``leeward.edges``."""
