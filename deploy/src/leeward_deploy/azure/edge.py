"""Static rules as an ARM template for Azure Front Door: a rule set, and a firewall for denials.

Rule sets cannot deny; the firewall can, and looks at a request before any rule set does.

Sources: "What is a rule set", "Rules engine match conditions" and "Rules engine actions" of Azure
Front Door, "Server variables in the rules engine", "Custom rules for the web application firewall";
the models of azure-mgmt-cdn and azure-mgmt-frontdoor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from leeward_deploy.edge.exports import Edge, EdgeExport, rule_error
from leeward_deploy.edge.rules import FORBIDDEN, EdgeRule, is_prefix, stem
from leeward_deploy.recipe import Command

Json = dict[str, Any]

FILE: Final = "edge.azure.json"
RULE_SET: Final = "leewardEdge"
FIREWALL: Final = "leewardEdgeFirewall"

MOST_ACTIONS: Final = 5
"""Of a rule."""

MOST_RULES: Final = 100
"""Of a rule set, and of a firewall's own rules."""

_OWN: Final = re.compile(r"x-(?:azure|fd)-.*|x-cache|x-forwarded-(?:for|host|proto)", re.IGNORECASE)
"""Headers that Front Door writes itself."""

_REDIRECTS: Final = {301: "Moved", 302: "Found", 307: "TemporaryRedirect", 308: "PermanentRedirect"}

NOTES: Final = (
    "a rule set finds the country by X-Forwarded-For, which clients may write; denials do not",
)


def export(rules: Sequence[EdgeRule]) -> EdgeExport:
    """Return the template.

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
    resources = _rule_set(others) if others else []
    if denials:
        resources.append(_firewall(denials))
    document = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"profile": {"type": "string"}} if others else {},
        "resources": resources,
    }
    files = {FILE: json.dumps(document, indent=2) + "\n"}
    return EdgeExport(files, NOTES, _commands(bool(others), bool(denials)))


def _commands(has_rules: bool, has_denials: bool) -> tuple[Command, ...]:
    profile = " --parameters profile=PROFILE" if has_rules else ""
    found = [
        Command(
            "az",
            f"az deployment group create --resource-group GROUP --template-file {FILE}{profile}",
            "PROFILE is that of Front Door, Standard or Premium; `what-if` in the place of "
            "`create` shows what would change",
        )
    ]
    if has_rules:
        found.append(
            Command(
                "az",
                "az afd route update --resource-group GROUP --profile-name PROFILE "
                f"--endpoint-name ENDPOINT --route-name ROUTE --rule-sets {RULE_SET}",
                "--rule-sets takes the place of those that the route has; name these, too",
            )
        )
    if has_denials:
        found.append(
            Command(
                "az",
                "az afd security-policy create --resource-group GROUP --profile-name PROFILE "
                "--security-policy-name edge --domains ENDPOINT_ID --waf-policy FIREWALL_ID",
                f"until then nothing is denied; FIREWALL_ID is that of {FIREWALL}",
            )
        )
    return tuple(found)


def _rule_set(rules: Sequence[EdgeRule]) -> list[Json]:
    own = f"[concat(parameters('profile'), '/{RULE_SET}')]"
    kind = "Microsoft.Cdn/profiles/ruleSets"
    found: list[Json] = [{"type": kind, "apiVersion": "2024-02-01", "name": own}]
    for order, rule in enumerate(rules, 1):
        name = f"r{order}{rule.name.replace('-', '')}"
        conditions = []
        if rule.path != "/*":
            operator = "BeginsWith" if is_prefix(rule.path) else "Equal"
            conditions.append(
                _condition("UrlPath", "UrlPathMatch", operator, [stem(rule.path)], False)
            )
        countries = rule.countries or rule.except_countries
        if countries:
            negated = bool(rule.except_countries)
            conditions.append(
                _condition("RemoteAddress", "RemoteAddress", "GeoMatch", [*countries], negated)
            )
        found.append(
            {
                "type": f"{kind}/rules",
                "apiVersion": "2024-02-01",
                "name": f"[concat(parameters('profile'), '/{RULE_SET}/{name}')]",
                "dependsOn": [f"[resourceId('{kind}', parameters('profile'), '{RULE_SET}')]"],
                "properties": {
                    "order": order,
                    "conditions": conditions,
                    "actions": _actions(rule),
                    # Without this, later rules would change what this one has left.
                    "matchProcessingBehavior": "Stop",
                },
            }
        )
    return found


def _condition(name: str, kind: str, operator: str, values: list[str], negated: bool) -> Json:
    return {
        "name": name,
        "parameters": {
            "typeName": f"DeliveryRule{kind}ConditionParameters",
            "operator": operator,
            "negateCondition": negated,
            "matchValues": values,
            "transforms": [],
        },
    }


def _actions(rule: EdgeRule) -> list[Json]:
    found = [_redirect(rule)] if rule.redirect is not None else []
    if rule.rewrite is not None:
        found.append(
            _action(
                "UrlRewrite",
                "UrlRewrite",
                sourcePattern=stem(rule.path),
                destination=stem(rule.rewrite),
                preserveUnmatchedPath=is_prefix(rule.rewrite),
            )
        )
    for name, headers in (("Request", rule.request), ("Response", rule.response)):
        for each in headers.names:
            if _OWN.fullmatch(each):
                raise rule_error(rule, f"Front Door writes {each} itself", "choose another header")
            action: Json = {"headerAction": "Delete", "headerName": each}
            if each in headers.set:
                # ARM takes what is in brackets for an expression; two of them stand for one.
                value = re.sub(r"^\[", "[[", headers.set[each])
                action = {"headerAction": "Overwrite", "headerName": each, "value": value}
            found.append(_action(f"Modify{name}Header", "Header", **action))
    if len(found) > MOST_ACTIONS:
        raise rule_error(
            rule,
            f"it wants {len(found)} actions, and Front Door takes {MOST_ACTIONS} in a rule",
            "change fewer headers here, and the others at the origin",
        )
    return found


def _redirect(rule: EdgeRule) -> Json:
    assert rule.redirect is not None
    path, host, status = rule.redirect
    if is_prefix(path):
        # The variable has no slash at its beginning.
        kept = len(stem(rule.path)) - 1
        path = stem(path) + (f"{{url_path:{kept}}}" if kept else "{url_path}")
    return _action(
        "UrlRedirect",
        "UrlRedirect",
        redirectType=_REDIRECTS[status],
        destinationProtocol="Https" if host else "MatchRequest",
        customPath=path,
        **({"customHostname": host} if host else {}),
    )


def _action(name: str, kind: str, **parameters: Any) -> Json:
    type_name = f"DeliveryRule{kind}ActionParameters"
    return {"name": name, "parameters": {"typeName": type_name, **parameters}}


def _firewall(rules: Sequence[EdgeRule]) -> Json:
    return {
        "type": "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies",
        "apiVersion": "2024-02-01",
        "name": FIREWALL,
        "location": "Global",
        "sku": {"name": "Standard_AzureFrontDoor"},
        "properties": {
            "policySettings": {
                "enabledState": "Enabled",
                "mode": "Prevention",
                "customBlockResponseStatusCode": FORBIDDEN,
            },
            "customRules": {
                "rules": [
                    {
                        "name": f"r{order}{rule.name.replace('-', '')}",
                        "priority": order,
                        "enabledState": "Enabled",
                        "ruleType": "MatchRule",
                        "matchConditions": _matches(rule),
                        "action": "Block",
                    }
                    for order, rule in enumerate(rules, 1)
                ]
            },
        },
    }


def _matches(rule: EdgeRule) -> list[Json]:
    # The firewall sees a URL with its host or without; both begin with the path after it.
    end = "" if is_prefix(rule.path) else r"(\?|$)"
    pattern = rf"^(https?://[^/?#]*)?{re.escape(stem(rule.path))}{end}"
    found = [_match("RequestUri", "RegEx", [pattern], False)]
    countries = rule.countries or rule.except_countries
    if countries:
        found.append(_match("SocketAddr", "GeoMatch", [*countries], bool(rule.except_countries)))
    return found


def _match(variable: str, operator: str, values: list[str], negated: bool) -> Json:
    return {
        "matchVariable": variable,
        "operator": operator,
        "negateCondition": negated,
        "matchValue": values,
        "transforms": [],
    }


EDGE: Final = Edge(export)
"""The entry point ``azure`` of ``leeward.edges``."""
