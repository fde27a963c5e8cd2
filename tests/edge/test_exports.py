"""Rules mean one thing: by the table, by our own function, and by what each edge is given."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest

from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_deploy.edge.exports import Edge, EdgeExport
from leeward_deploy.edge.rules import EdgeRule, Request, answer_of, rules_of
from leeward_deploy.google.edge import AROUND, LONGEST
from leeward_deploy.infrastructure import module_texts
from leeward_deploy.recipe import EDGES, offer_of
from tests.edge.examples import (
    ANSWERED,
    EXPECTED,
    REQUESTS,
    RULES,
    SENT,
    Seen,
    of_answer,
    random_requests,
    seen,
    with_country,
)
from tests.edge.vendors import front_door, load_balancer
from tests.packages.roots import NEEDS_CORE, Root
from tests.servers.installed import executable

RUN = """
const told = JSON.parse(require("fs").readFileSync(0, "utf8"));
const [request, response] = told.codes.map((code) => new Function(code + "; return handler;")());
const copy = (value) => {
  const made = JSON.parse(JSON.stringify(value));
  made.request.rawQueryString = () => made.query === null ? undefined : made.query;
  return made;
};
console.log(JSON.stringify(told.events.map((event) => {
  const first = request(copy(event));
  if (first.statusCode) return { answer: first };
  return { request: first, response: response(copy(event)) };
})));
"""
"""Runs the function for requests, and that for answers with the request as the viewer sent it."""


RANDOM: Final = random_requests(1200)


def exported(to: str, rules: Sequence[EdgeRule] = RULES) -> EdgeExport:
    """Return rules as an edge takes them."""
    edge: Any = offer_of(EDGES, to)
    assert isinstance(edge, Edge)
    return edge.export(rules)


def by_cloudfront(rules: Sequence[EdgeRule], requests: Sequence[Request]) -> list[Seen]:
    """Return what the exported functions make of requests, in Node."""
    files = exported("aws", rules).files
    codes = [files[f"edge.viewer-{each}.js"] for each in ("request", "response")]
    told = json.dumps({"codes": codes, "events": [_event(each) for each in requests]})
    node = executable("nodejs", "node")
    done = subprocess.run(
        [node, "-e", RUN], input=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [_of_functions(*each) for each in zip(requests, json.loads(done.stdout), strict=True)]


def _values(headers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"value": value} for name, value in headers.items()}


def _event(request: Request) -> dict[str, Any]:
    country = {"cloudfront-viewer-country": request.country} if request.country else {}
    return {
        "query": request.query or None,
        "request": {
            "uri": request.path,
            "querystring": _values(dict(parse_qsl(request.query, keep_blank_values=True))),
            "headers": _values({**SENT, **country}),
        },
        "response": {"statusCode": 200, "headers": _values(ANSWERED)},
    }


def _of_functions(request: Request, made: Mapping[str, Any]) -> Seen:
    if "answer" in made:
        location = made["answer"].get("headers", {}).get("location", {}).get("value", "")
        return seen(request, status=made["answer"]["statusCode"], location=location)
    headers = {name: each["value"] for name, each in made["request"]["headers"].items()}
    headers.pop("cloudfront-viewer-country", None)
    answered = {name: each["value"] for name, each in made["response"]["headers"].items()}
    return seen(request, path=made["request"]["uri"], sent=headers, answered=answered)


def test_rules_mean_what_the_table_says() -> None:
    """The first rule that matches counts; the path by its capitals; an unknown country is none."""
    for request, answer in EXPECTED:
        assert answer_of(RULES, request) == answer, request


def test_cloudfront_functions_do_what_the_rules_mean() -> None:
    """In Node, for all paths from everywhere; a query is passed on as the client sent it."""
    rules = with_country()
    kept = [Request("/sale", query) for query in ("b=&a=%20", "a=1&b=2&a=3", "a=b=c&&", "%2f=+&a")]
    requests = [*REQUESTS, *kept, *RANDOM]
    found = by_cloudfront(rules, requests)
    assert found == [of_answer(each, answer_of(rules, each)) for each in requests]


Planned = Mapping[str, Mapping[str, Any]]


def planned(folder: Path, to: str, *each_rules: Sequence[EdgeRule]) -> list[Planned]:
    """Return what Terraform's core makes of rules and the module of an edge, by addresses."""
    root, main = Root(to, folder), ""
    root.place.mkdir(parents=True)
    for number, rules in enumerate(each_rules):
        made = exported(to, rules)
        (text,) = made.files.values()
        (root.place / f"{number}.json").write_text(text, "utf-8")
        call = f'source = "./edge"\nrules = "${{path.root}}/{number}.json"\n{CALLS[to]}'
        main += f'module "edge{number}" {{\n{call}}}\n'
    (root.place / "main.tf").write_text(main, "utf-8")
    (root.place / "edge").mkdir()
    for name, text in module_texts(made.module).items():
        (root.place / "edge" / name).write_text(text, "utf-8")
    root.validate()
    plan = root.plan()
    assert plan.refusal == ""
    found: list[Planned] = []
    for number, _ in enumerate(each_rules):
        start = f"module.edge{number}."
        values = plan.values.items()
        found.append({at: has for at, has in values if at.startswith(start)})
    return found


CALLS: Final = {
    "azure": 'profile_id = "profile"\nresource_group = "ours"\n',
    "google": 'service = "service"\n',
}
"""What a person gives to a module besides."""


@NEEDS_CORE
def test_front_door_is_given_what_the_rules_mean(tmp_path: Path) -> None:
    """By what its documents say of rule sets and of the firewall, as the module makes them."""
    rules = with_country()
    (values,) = planned(tmp_path, "azure", rules)
    assert len(values) == len([each for each in rules if not each.deny]) + 2
    for request in (*REQUESTS, *RANDOM):
        assert front_door(values, request) == of_answer(request, answer_of(rules, request))


@NEEDS_CORE
def test_no_two_rules_of_front_door_have_one_name(tmp_path: Path) -> None:
    """Which are letters and digits alone."""
    written = [rule(name=name, redirect="/x") for name in ("a-b", "ab", "a-b-")]
    (values,) = planned(tmp_path, "azure", rules_of({"rules": written}))
    names = {has["name"] for at, has in values.items() if ".azurerm_cdn_frontdoor_rule." in at}
    assert len(names) == 3
    assert all(each.isalnum() for each in names)


@NEEDS_CORE
def test_a_url_map_and_cloud_armor_are_given_what_the_rules_mean(tmp_path: Path) -> None:
    """By what their documents say, as the module makes them; the country is Cloud Armor's alone."""
    (values,) = planned(tmp_path, "google", RULES)
    assert len(values) == 2
    for request in (*REQUESTS, *RANDOM):
        assert load_balancer(values, request) == of_answer(request, answer_of(RULES, request))


@NEEDS_CORE
def test_google_gets_no_map_without_routes_and_no_longer_expression(tmp_path: Path) -> None:
    """The longest denial has as many characters as Cloud Armor takes; one more is refused."""
    codes = [f"{a}{b}" for a in "ABCDEFGHIJKLMN" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    most = "a" * (LONGEST - AROUND - 3 * len(codes) - len("//*"))
    longest, longer = (
        rules_of({"rules": [rule(path=f"/{each}/*", except_countries=codes, deny=True)]})
        for each in (most, f"{most}a")
    )
    with pytest.raises(ConfigError, match="Cloud Armor takes 2,048"):
        exported("google", longer)
    routes = [each for each in RULES if not each.deny]
    (policy,), (url_map,) = (each.items() for each in planned(tmp_path, "google", longest, routes))
    assert ".google_compute_security_policy." in policy[0]
    assert ".google_compute_url_map." in url_map[0]
    found = [each["match"][0]["expr"] for each in policy[1]["rule"]]
    assert [len(expr[0]["expression"]) for expr in found if expr] == [LONGEST]


def rule(**more: Any) -> dict[str, Any]:
    """Return a rule as it is written."""
    return {"name": "r", "path": "/a/*", **more}


MANY = {f"X-{number}": "v" for number in range(6)}


@each_row(
    "to, written, message",
    [
        ("aws", [rule(set_request_headers={"X-Edge-Y": "1"})], "CloudFront writes X-Edge-Y itself"),
        ("aws", [rule(remove_response_headers=["Warning"])], "CloudFront writes Warning itself"),
        (
            "aws",
            [rule(rewrite="/b/*", set_response_headers={"A": "1"})],
            "headers of the answer at the origin",
        ),
        (
            "aws",
            [
                rule(name="q", path="/z/*", rewrite="/a/*"),
                rule(set_response_headers={"A": "1"}),
            ],
            "rule 'q' rewrites its path",
        ),
        (
            "aws",
            [rule(countries=["DE"], set_response_headers={"A": "1"})],
            "for all countries",
        ),
        (
            "aws",
            [rule(name=f"r{n}", path=f"/{n:0>200}", redirect="/x") for n in range(40)],
            "CloudFront takes 10,240",
        ),
        ("azure", [rule(set_request_headers={"X-Azure-Ref": "1"})], "Front Door writes X-Azure"),
        ("azure", [rule(set_request_headers=MANY)], "Front Door takes 5 in a rule"),
        ("azure", [rule(name=f"r{n}", redirect="/x") for n in range(101)], "takes 100"),
        ("google", [rule(set_request_headers={"X-Goog-A": "1"})], "Google writes X-Goog-A itself"),
        ("google", [rule(countries=["DE"], rewrite="/b/*")], "does not know the country"),
        ("google", [rule(rewrite="/index.html")], "end rewrite with /\\*"),
        ("google", [rule(name=f"r{n}", redirect="/x") for n in range(201)], "takes 200"),
        (
            "google",
            [
                rule(path=f"/{'a' * 1000}", countries=_codes, deny=True)
                for _codes in [
                    [f"{a}{b}" for a in "ABCDEFGHIJKLMNOPQ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
                ]
            ],
            "Cloud Armor takes 2,048",
        ),
    ],
)
def test_what_an_edge_cannot_do_is_refused_by_name(
    to: str, written: list[dict[str, Any]], message: str
) -> None:
    """With the rule, what is wrong with it, and a remedy."""
    with pytest.raises(ConfigError, match=message):
        exported(to, rules_of({"rules": written}))
