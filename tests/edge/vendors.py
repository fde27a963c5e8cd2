"""Front Door and Google's load balancer, as far as exports use them, and by their documents.

Neither runs here. This is what their documents say of the parts that are used; what they do is
proved in the cloud alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leeward_deploy.edge.rules import Headers, Request
from tests.edge.examples import ANSWERED, HOST, SENT, Seen, changed, seen

CODES = {
    "Moved": 301,
    "Found": 302,
    "TemporaryRedirect": 307,
    "PermanentRedirect": 308,
    "MOVED_PERMANENTLY_DEFAULT": 301,
    "FOUND": 302,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}


def _joined(host: str, path: str, query: str) -> str:
    return f"https://{host}{path}?{query}" if query else f"https://{host}{path}"


def front_door(planned: Mapping[str, Mapping[str, Any]], request: Request) -> Seen:
    """Return what Front Door makes of a request: first the firewall, then the rules in order.

    Args:
        planned: what the module makes, by addresses.
        request: of a client.
    """
    rules = []
    for address, has in planned.items():
        if "azurerm_cdn_frontdoor_firewall_policy" in address:
            assert (has["mode"], has["enabled"]) == ("Prevention", True)
            for rule in sorted(has["custom_rule"], key=lambda each: each["priority"]):
                assert (rule["type"], rule["action"]) == ("MatchRule", "Block")
                if all(_is_blocked(each, request) for each in rule["match_condition"]):
                    return seen(request, status=has["custom_block_response_status_code"])
        elif "azurerm_cdn_frontdoor_rule." in address:
            rules.append(has)
    for rule in sorted(rules, key=lambda each: each["order"]):
        (conditions,) = rule["conditions"] or ({"request_path": (), "remote_address": ()},)
        told = (*conditions["request_path"], *conditions["remote_address"])
        if all(_holds(each, request) for each in told):
            assert rule["behaviour_on_match"] == "Stop"
            (actions,) = rule["actions"]
            return _front_door_actions(actions, request)
    return seen(request, path=request.path)


def _is_blocked(condition: Mapping[str, Any], request: Request) -> bool:
    values = condition["match_values"]
    if condition["match_variable"] == "SocketAddr":
        assert condition["operator"] == "GeoMatch"
        found = request.country in values
    else:
        # Both ways in which documents and examples show a URL.
        urls = [f"{start}{request.path}?{request.query}" for start in ("", f"{HOST}:443")]
        both = [any(re.search(each, url) for each in values) for url in urls]
        assert both[0] == both[1]
        found = both[0]
    return found is not bool(condition["negation_condition"])


def _holds(condition: Mapping[str, Any], request: Request) -> bool:
    values, operator = condition["values"], condition["operator"]
    if operator.endswith("GeoMatch"):
        return (request.country in values) is not operator.startswith("Not")
    # A path is compared without its first slash.
    path = request.path[1:]
    assert not [each for each in values if each.startswith("/") and each != "/"]
    if operator == "BeginsWith":
        return any(path.startswith(each) for each in values)
    assert operator == "Equal"
    return (path or "/") in values


def _front_door_actions(actions: Mapping[str, Any], request: Request) -> Seen:
    path, sent, answered = request.path, SENT, ANSWERED
    for told in actions["url_redirect"]:
        target = re.sub(
            r"\{url_path(?::(\d+))?\}",
            lambda match: request.path[1:][int(match[1] or 0) :],
            told["destination_path"],
        )
        host = told["destination_host_name"] or HOST.removeprefix("https://")
        return seen(
            request,
            status=CODES[told["redirect_type"]],
            location=_joined(host, target, request.query),
        )
    for told in actions["url_rewrite"]:
        assert path.startswith(told["source_pattern"])
        is_kept = told["preserve_unmatched_path_enabled"]
        kept = path[len(told["source_pattern"]) :] if is_kept else ""
        path = told["destination_path"] + kept
    for told in actions["modify_request_header"]:
        sent = changed(sent, _change(told))
    for told in actions["modify_response_header"]:
        answered = changed(answered, _change(told))
    return seen(request, path=path, sent=sent, answered=answered)


def _change(told: Mapping[str, Any]) -> Headers:
    if told["operator"] == "Overwrite":
        return Headers({told["header_name"]: told["header_value"]})
    assert told["operator"] == "Delete"
    return Headers(remove=(told["header_name"],))


def load_balancer(planned: Mapping[str, Mapping[str, Any]], request: Request) -> Seen:
    """Return what Google makes of a request: first Cloud Armor, then the routes in order.

    Args:
        planned: what the module makes, by addresses.
        request: of a client.
    """
    by_type = {address.split(".")[2]: has for address, has in planned.items()}
    policy = by_type.get("google_compute_security_policy", {"rule": ()})
    for rule in sorted(policy["rule"], key=lambda each: each["priority"]):
        (match,) = rule["match"]
        if not match["expr"]:
            assert match["config"] == [{"src_ip_ranges": ["*"]}]
        if not match["expr"] or _expression(match["expr"][0]["expression"], request):
            if rule["action"] == "deny(403)":
                return seen(request, status=403)
            assert rule["action"] == "allow"
            break
    if "google_compute_url_map" not in by_type:
        return seen(request, path=request.path)
    url_map = by_type["google_compute_url_map"]
    assert [each["hosts"] for each in url_map["host_rule"]] == [["*"]]
    (matcher,) = url_map["path_matcher"]
    routes = matcher["route_rules"]
    assert [each["priority"] for each in routes] == [*range(1, len(routes) + 1)]
    for route in routes:
        (match,) = route["match_rules"]
        prefix, whole = match["prefix_match"], match["full_path_match"]
        assert (prefix is None) is not (whole is None)
        if request.path.startswith(prefix) if prefix else request.path == whole:
            return _route(route, prefix or whole, request)
    return seen(request, path=request.path)


def _expression(text: str, request: Request) -> bool:
    for told in text.split(" && "):
        negated, part = told.startswith("!"), told.removeprefix("!")
        if found := re.fullmatch(r'request\.path\.startsWith\("(.+)"\)', part):
            holds = request.path.startswith(found[1])
        elif found := re.fullmatch(r'request\.path == "(.+)"', part):
            holds = request.path == found[1]
        else:
            found = re.fullmatch(r"origin\.region_code\.matches\('(.+)'\)", part)
            assert found
            holds = re.search(found[1], request.country) is not None
        if holds is negated:
            return False
    return True


def _route(route: Mapping[str, Any], matched: str, request: Request) -> Seen:
    rest = request.path[len(matched) :]
    assert bool(route["url_redirect"]) is not bool(route["service"])
    for told in route["url_redirect"]:
        assert not route["route_action"]
        assert (told["path_redirect"] is None) is not (told["prefix_redirect"] is None)
        assert told["https_redirect"] is bool(told["host_redirect"])
        path = told["path_redirect"] or told["prefix_redirect"] + rest
        host = told["host_redirect"] or HOST.removeprefix("https://")
        query = "" if told["strip_query"] else request.query
        code = CODES[told["redirect_response_code"]]
        return seen(request, status=code, location=_joined(host, path, query))
    path, sent, answered = request.path, SENT, ANSWERED
    for told in route["route_action"]:
        (rewrite,) = told["url_rewrite"]
        path = rewrite["path_prefix_rewrite"] + rest
    for told in route["header_action"]:
        sent = changed(sent, _header_action(told, "request"))
        answered = changed(answered, _header_action(told, "response"))
    return seen(request, path=path, sent=sent, answered=answered)


def _header_action(told: Mapping[str, Any], of: str) -> Headers:
    added = told[f"{of}_headers_to_add"]
    assert all(each["replace"] for each in added)
    values = {each["header_name"]: each["header_value"] for each in added}
    return Headers(values, tuple(told[f"{of}_headers_to_remove"] or ()))
