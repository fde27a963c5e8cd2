"""Static rules as CloudFront Functions: one for requests, and one for answers if that is needed.

Their code is the same for all rules, which stand in it as data.

Sources: "CloudFront Functions event structure", "JavaScript runtime 2.0 features for CloudFront
Functions", "General helper methods", "Restrictions on CloudFront Functions" and "Restrictions on
all edge functions" in CloudFront's developer guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from leeward.errors import ConfigError
from leeward_deploy.edge.exports import Edge, EdgeExport, rule_error
from leeward_deploy.edge.rules import (
    FORBIDDEN,
    LIMIT,
    EdgeRule,
    changes_of,
    data_of,
    matching_of,
    overlaps,
)
from leeward_deploy.recipe import Command

LARGEST: Final = 10 * 1024
"""Bytes of a function."""

RUNTIME: Final = "cloudfront-js-2.0"

VIEWER_REQUEST: Final = "viewer-request"
VIEWER_RESPONSE: Final = "viewer-response"

RESERVED: Final = re.compile(
    r"content-encoding|warning|x-accel-(?:buffering|charset|limit-rate|redirect)|x-amz-cf-.*"
    r"|x-amzn-.*|x-cache|x-edge-.*|x-forwarded-proto|x-real-ip",
    re.IGNORECASE,
)
"""Besides those of one connection. Source: "Restrictions on edge functions"."""

_HEAD: Final = """\
// Made by leeward edge export. Event: EVENT; runtime: RUNTIME.
var rules = RULES;

function found(request) {
  var header = request.headers["cloudfront-viewer-country"];
  var country = header ? header.value : "";
  for (var i = 0; i < rules.length; i++) {
    var rule = rules[i];
    if (rule.prefix ? request.uri.indexOf(rule.path) !== 0 : request.uri !== rule.path) continue;
    if (rule.only && rule.only.indexOf(country) < 0) continue;
    if (rule.except && rule.except.indexOf(country) >= 0) continue;
    return rule;
  }
  return null;
}

function change(headers, set, remove) {
  Object.keys(set || {}).forEach(function (name) { headers[name] = { value: set[name] }; });
  (remove || []).forEach(function (name) { delete headers[name]; });
}
"""

_BODIES: Final = {
    VIEWER_REQUEST: """
function handler(event) {
  var request = event.request;
  var rule = found(request);
  if (!rule) return request;
  if (rule.deny) return { statusCode: FORBIDDEN, statusDescription: "Forbidden" };
  var path = rule.to && (rule.keep ? rule.to + request.uri.slice(rule.path.length) : rule.to);
  if (rule.status) {
    var query = request.rawQueryString();  // as the client sent it
    var location = (rule.host || "") + path + (query ? "?" + query : "");
    return {
      statusCode: rule.status,
      statusDescription: rule.status === 301 || rule.status === 308 ? "Moved" : "Found",
      headers: { location: { value: location } },
    };
  }
  if (path) request.uri = path;
  change(request.headers, rule.set, rule.remove);
  return request;
}
""",
    VIEWER_RESPONSE: """
function handler(event) {
  var rule = found(event.request);
  if (rule) change(event.response.headers, rule.set, rule.remove);
  return event.response;
}
""",
}


def _write(rules: Sequence[EdgeRule]) -> EdgeExport:
    """Return the functions.

    Raises:
        ConfigError: the function for answers would find other rules, or there are too many.
    """
    _check_answers(rules)
    files = {
        f"edge.{VIEWER_REQUEST}.js": _function(
            VIEWER_REQUEST, [data_of(rule) | changes_of(rule.request) for rule in rules]
        )
    }
    notes = []
    if any(rule.response.names for rule in rules):
        # What is redirected or denied has no answer that this function sees.
        others = [rule for rule in rules if rule.redirect is None and not rule.deny]
        files[f"edge.{VIEWER_RESPONSE}.js"] = _function(
            VIEWER_RESPONSE, [matching_of(r) | changes_of(r.response) for r in others]
        )
        notes.append("CloudFront changes no headers of an answer whose status is 400 or more")
    if any(rule.countries or rule.except_countries for rule in rules):
        notes.append(
            "put CloudFront-Viewer-Country into the cache policy or the origin request policy: "
            "without it every client is from an unknown country, and `countries` matches nobody"
        )
    return EdgeExport(files, tuple(notes), tuple(map(_command, files)))


def _command(file: str) -> Command:
    return Command(
        "aws",
        f"aws cloudfront create-function --name {file.removesuffix('.js').replace('.', '-')} "
        f"--function-config Comment=leeward,Runtime={RUNTIME} --function-code fileb://{file}",
        "prints the ETag for `aws cloudfront publish-function --name NAME --if-match ETAG`; then "
        "put its ARN into FunctionAssociations of a cache behaviour of your distribution",
    )


def _function(event: str, rules: Sequence[dict[str, Any]]) -> str:
    rows = "[\n" + "".join(f"  {json.dumps(rule, separators=(',', ':'))},\n" for rule in rules)
    head = _HEAD.replace("EVENT", event).replace("RUNTIME", RUNTIME)
    body = _BODIES[event].replace("FORBIDDEN", str(FORBIDDEN))
    text = head.replace("RULES", f"{rows}]") + body
    if len(text) > LARGEST:
        raise ConfigError(
            f"the function for {event} has {len(text):,} bytes, and CloudFront takes {LARGEST:,}; "
            "write fewer rules, or join them by a prefix"
        )
    return text


def _check_answers(rules: Sequence[EdgeRule]) -> None:
    """Check that the function for answers finds the same rule as the one for requests."""
    for rule in rules:
        if not rule.response.names:
            continue
        for other in rules:
            if other.redirect is not None or other.deny:
                continue
            if other.rewrite is not None and (
                overlaps(other.path, rule.path) or overlaps(other.rewrite, rule.path)
            ):
                raise rule_error(
                    rule,
                    f"rule {other.name!r} rewrites its path, and no document says which path the "
                    "function for answers sees",
                    "set headers of the answer at the origin there",
                )
            if overlaps(other.path, rule.path) and (other.countries or other.except_countries):
                raise rule_error(
                    rule,
                    f"rule {other.name!r} asks for the country, and no document says that the "
                    "function for answers sees it",
                    "set headers of the answer for all countries",
                )


EDGE: Final = Edge("CloudFront", RESERVED, LIMIT, _write)
"""The entry point ``aws`` of ``leeward.edges``."""
