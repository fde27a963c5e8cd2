"""Static rules as a URL map of Google's global load balancer, and a policy of Cloud Armor.

A URL map cannot deny, and does not know the country of a client. Cloud Armor does both, and looks
at a request before the URL map does.

Sources: "URL maps overview", "Traffic management overview for global external Application Load
Balancers", "Custom headers in URL maps", and the rules language of Cloud Armor; the types of
google-cloud-compute.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from leeward_deploy.edge.exports import Edge, EdgeExport, rule_error
from leeward_deploy.edge.rules import FORBIDDEN, EdgeRule, Headers, is_prefix, stem
from leeward_deploy.recipe import Command

Json = dict[str, Any]

MAP: Final = "edge.google.url-map.json"
POLICY: Final = "edge.google.policy.json"

SERVICE: Final = "projects/PROJECT/global/backendServices/SERVICE"
"""What the user fills in."""

MOST_RULES: Final = 200
"""Of a path matcher, and of a policy."""

LONGEST: Final = 2048
"""Characters of an expression."""

_OWN: Final = re.compile(r"x-(?:google|goog|gfe|amz)-.*|x-user-ip|cdn-loop", re.IGNORECASE)
"""Headers that Google does not let be changed."""

_CODES: Final = {
    301: "MOVED_PERMANENTLY_DEFAULT",
    302: "FOUND",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


def export(rules: Sequence[EdgeRule]) -> EdgeExport:
    """Return the URL map and the policy, as far as the rules want them.

    Raises:
        ConfigError: a rule is not one that a URL map or Cloud Armor runs.
    """
    if len(rules) > MOST_RULES:
        raise rule_error(
            rules[MOST_RULES],
            f"it is one of {len(rules)}, and a URL map takes {MOST_RULES}",
            "put the rest into a file of its own",
        )
    denials = [rule for rule in rules if rule.deny]
    others = [rule for rule in rules if not rule.deny]
    files, commands = {}, []
    if others:
        files[MAP] = (
            json.dumps(
                {
                    "name": "leeward-edge",
                    "defaultService": SERVICE,
                    "hostRules": [{"hosts": ["*"], "pathMatcher": "edge"}],
                    "pathMatchers": [
                        {
                            "name": "edge",
                            "defaultService": SERVICE,
                            "routeRules": [
                                _route(order, rule) for order, rule in enumerate(others, 1)
                            ],
                        }
                    ],
                },
                indent=2,
            )
            + "\n"
        )
        commands.append(
            Command(
                "gcloud",
                f"gcloud compute url-maps import NAME --global --source {MAP}",
                "replaces the whole map: put PROJECT and SERVICE in, and hosts that the map has "
                "already; `gcloud compute url-maps validate --source` looks at it first",
            )
        )
    if denials:
        files[POLICY] = json.dumps(_policy(denials), indent=2) + "\n"
        commands += (
            Command(
                "gcloud",
                f"gcloud compute security-policies create NAME --file-name {POLICY} "
                "--file-format json",
                "for a policy that is there, `import` replaces its rules",
            ),
            Command(
                "gcloud",
                "gcloud compute backend-services update SERVICE --global --security-policy NAME",
                "until then nothing is denied",
            ),
        )
    notes = ("it wants a global external load balancer (EXTERNAL_MANAGED)",)
    return EdgeExport(files, notes, tuple(commands))


def _route(order: int, rule: EdgeRule) -> Json:
    if rule.countries or rule.except_countries:
        raise rule_error(
            rule,
            "a URL map does not know the country of a client",
            "deny by country, or let the origin look at it",
        )
    match = "prefixMatch" if is_prefix(rule.path) else "fullPathMatch"
    found: Json = {
        "priority": order,
        "description": rule.name,
        "matchRules": [{match: stem(rule.path)}],
    }
    if rule.redirect is not None:
        path, host, status = rule.redirect
        found["urlRedirect"] = {
            "prefixRedirect" if is_prefix(path) else "pathRedirect": stem(path),
            "redirectResponseCode": _CODES[status],
            "stripQuery": False,
            **({"hostRedirect": host, "httpsRedirect": True} if host else {}),
        }
        return found
    found["service"] = SERVICE
    if rule.rewrite is not None:
        if is_prefix(rule.path) and not is_prefix(rule.rewrite):
            raise rule_error(
                rule,
                "a URL map replaces what a path begins with, and keeps the rest of it",
                "end rewrite with /*, or write a rule for each path",
            )
        found["routeAction"] = {"urlRewrite": {"pathPrefixRewrite": stem(rule.rewrite)}}
    header = {
        **_headers(rule, "request", rule.request),
        **_headers(rule, "response", rule.response),
    }
    if header:
        found["headerAction"] = header
    return found


def _headers(rule: EdgeRule, of: str, headers: Headers) -> Json:
    for each in headers.names:
        if _OWN.fullmatch(each):
            raise rule_error(
                rule, f"Google does not let {each} be changed", "choose another header"
            )
    found: Json = {}
    if headers.set:
        found[f"{of}HeadersToAdd"] = [
            {"headerName": name, "headerValue": value, "replace": True}
            for name, value in headers.set.items()
        ]
    if headers.remove:
        found[f"{of}HeadersToRemove"] = [*headers.remove]
    return found


def _policy(rules: Sequence[EdgeRule]) -> Json:
    found: list[Json] = [
        {
            "priority": order,
            "description": rule.name,
            "action": f"deny({FORBIDDEN})",
            "match": {"expr": {"expression": _expression(rule)}},
        }
        for order, rule in enumerate(rules, 1)
    ]
    found.append(
        {
            "priority": 2**31 - 1,
            "description": "all others",
            "action": "allow",
            "match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["*"]}},
        }
    )
    return {"name": "leeward-edge", "type": "CLOUD_ARMOR", "rules": found}


def _expression(rule: EdgeRule) -> str:
    text = json.dumps(stem(rule.path))
    found = (
        f"request.path.startsWith({text})" if is_prefix(rule.path) else f"request.path == {text}"
    )
    countries = rule.countries or rule.except_countries
    if countries:
        # Whole: a code that is not known is an empty text, which every text contains.
        place = f"origin.region_code.matches('^({'|'.join(countries)})$')"
        found += f" && {'!' if rule.except_countries else ''}{place}"
    if len(found) > LONGEST:
        raise rule_error(
            rule,
            f"it makes an expression of {len(found):,} characters, and Cloud Armor takes "
            f"{LONGEST:,}",
            "write a shorter path, or fewer countries",
        )
    return found


EDGE: Final = Edge(export)
"""The entry point ``google`` of ``leeward.edges``."""
