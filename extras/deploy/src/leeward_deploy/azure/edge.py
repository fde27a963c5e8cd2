"""Static rules as data for a module of Azure Front Door: a rule set, and a firewall for denials.

Rule sets cannot deny; the firewall can, and looks at a request before any rule set does.

Sources: "What is a rule set", "Rules engine match conditions" and "Rules engine actions" of Azure
Front Door, "Server variables in the rules engine", "Custom rules for the web application firewall";
the resources ``azurerm_cdn_frontdoor_rule`` and ``azurerm_cdn_frontdoor_firewall_policy``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from leeward_deploy.edge.exports import Edge, EdgeExport, rule_error
from leeward_deploy.edge.rules import EdgeRule, Headers, is_prefix, stem
from leeward_deploy.recipe import Command

Json = dict[str, Any]

FILE: Final = "edge.azure.json"

MODULE: Final = "azure-edge"

MOST_ACTIONS: Final = 5
"""Of a rule."""

MOST_RULES: Final = 100
"""Of a rule set, and of a firewall's own rules."""

_OWN: Final = re.compile(r"x-(?:azure|fd)-.*|x-cache|x-forwarded-(?:for|host|proto)", re.IGNORECASE)
"""Headers that Front Door writes itself."""

_REDIRECTS: Final = {301: "Moved", 302: "Found", 307: "TemporaryRedirect", 308: "PermanentRedirect"}

NOTES: Final = (
    "a rule set finds the country by X-Forwarded-For, which clients may write; denials do not",
    "give rule_sets of the module to your route, and its firewall to a security policy",
)

COMMANDS: Final = (
    Command(
        "Terraform",
        f'module "edge" {{ source = "./modules/{MODULE}", rules = "{FILE}", profile_id = '
        "PROFILE_ID, resource_group = GROUP }",
        "in a file of your project, a line for each argument; then terraform plan and apply",
    ),
)


def export(rules: Sequence[EdgeRule]) -> EdgeExport:
    """Return the data of the module.

    Raises:
        ConfigError: a rule is not one that Front Door runs.
    """
    if len(rules) > MOST_RULES:
        raise rule_error(
            rules[MOST_RULES],
            f"it is one of {len(rules)}, and Front Door takes {MOST_RULES} in a rule set",
            "put the rest into a file of its own",
        )
    denials = [rule for rule in rules if rule.deny]
    others = [rule for rule in rules if not rule.deny]
    document = {
        "format": 1,
        "rules": [_rule(order, rule) for order, rule in enumerate(others, 1)],
        "denials": [_denial(order, rule) for order, rule in enumerate(denials, 1)],
    }
    return EdgeExport({FILE: json.dumps(document, indent=2) + "\n"}, NOTES, COMMANDS, MODULE)


def _rule(order: int, rule: EdgeRule) -> Json:
    """Return a rule of the rule set; what it does not have is left out."""
    found: Json = {"key": rule.name, "name": _name(rule), "order": order}
    if rule.path != "/*":
        # A path is compared without its first slash.
        value = stem(rule.path).removeprefix("/") or "/"
        found["path"] = {"operator": "BeginsWith" if is_prefix(rule.path) else "Equal"}
        found["path"]["value"] = value
    if rule.countries or rule.except_countries:
        found["countries"] = {
            "operator": "NotGeoMatch" if rule.except_countries else "GeoMatch",
            "values": [*(rule.countries or rule.except_countries)],
        }
    if rule.redirect is not None:
        found["redirect"] = _redirect(rule)
    if rule.rewrite is not None:
        found["rewrite"] = {
            "source": stem(rule.path),
            "destination": stem(rule.rewrite),
            "preserve": is_prefix(rule.rewrite),
        }
    found["request"] = [*_changes(rule, rule.request)]
    found["response"] = [*_changes(rule, rule.response)]
    actions = len(found["request"]) + len(found["response"])
    actions += (rule.redirect is not None) + (rule.rewrite is not None)
    if actions > MOST_ACTIONS:
        raise rule_error(
            rule,
            f"it wants {actions} actions, and Front Door takes {MOST_ACTIONS} in a rule",
            "change fewer headers here, and the others at the origin",
        )
    return found


def _name(rule: EdgeRule) -> str:
    """Return a rule's name with letters and digits alone; no two become one."""
    return f"r{rule.name.replace('-', 'X')}"


def _changes(rule: EdgeRule, headers: Headers) -> Iterator[Json]:
    for name in headers.names:
        if _OWN.fullmatch(name):
            raise rule_error(rule, f"Front Door writes {name} itself", "choose another header")
        if name in headers.set:
            yield {"operator": "Overwrite", "name": name, "value": headers.set[name]}
        else:
            yield {"operator": "Delete", "name": name}


def _redirect(rule: EdgeRule) -> Json:
    assert rule.redirect is not None
    path, host, status = rule.redirect
    if is_prefix(path):
        # The variable has no slash at its beginning.
        kept = len(stem(rule.path)) - 1
        path = stem(path) + (f"{{url_path:{kept}}}" if kept else "{url_path}")
    return {
        "type": _REDIRECTS[status],
        "protocol": "Https" if host else "MatchRequest",
        "path": path,
        **({"host": host} if host else {}),
    }


def _denial(order: int, rule: EdgeRule) -> Json:
    """Return a rule of the firewall."""
    # The firewall sees a URL with its host or without; both begin with the path after it.
    end = "" if is_prefix(rule.path) else r"(\?|$)"
    found: Json = {
        "name": _name(rule),
        "priority": order,
        "pattern": rf"^(https?://[^/?#]*)?{re.escape(stem(rule.path))}{end}",
    }
    countries = rule.countries or rule.except_countries
    if countries:
        found["countries"] = {"negated": bool(rule.except_countries), "values": [*countries]}
    return found


EDGE: Final = Edge(export)
"""The entry point ``azure`` of ``leeward.edges``."""
