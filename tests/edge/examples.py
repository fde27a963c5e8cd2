"""Rules, requests, and what becomes of them: the table that every export is held to."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from random import Random
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin

from leeward_deploy.edge.rules import Answer, EdgeRule, Headers, Request, rules_of

HOST: Final = "https://example.org"

SENT: Final = {"x-debug": "1", "accept": "text/html"}
"""Headers of each request."""

ANSWERED: Final = {"x-powered-by": "php", "cache-control": "no-store"}
"""Headers of each answer."""

DOCUMENT: Final[Mapping[str, Any]] = {
    "rules": [
        {"name": "no-admin", "path": "/admin/*", "except_countries": ["DE", "FR"], "deny": True},
        {"name": "no-dump", "path": "/a.sql", "deny": True},
        {"name": "not-here", "path": "/us/*", "countries": ["FR", "US"], "deny": True},
        {"name": "moved", "path": "/shop/*", "redirect": "https://shop.example/*", "status": 308},
        {"name": "kept-host", "path": "/old/*", "redirect": "/new/*"},
        {"name": "one-there", "path": "/there", "redirect": "https://shop.example/here"},
        {"name": "one-page", "path": "/sale", "redirect": "/offers", "status": 302},
        {"name": "all-to-one", "path": "/gone/*", "redirect": "/offers/gone", "status": 307},
        {"name": "first", "path": "/v1/ping", "rewrite": "/health"},
        {
            "name": "api",
            "path": "/v1/*",
            "rewrite": "/api/*",
            "set_request_headers": {"X-Version": "[1]", "X-Debug": 'a"b\\c'},
        },
        {
            "name": "assets",
            "path": "/static/*",
            "remove_request_headers": ["X-Debug"],
            "set_response_headers": {"Cache-Control": "max-age=60"},
            "remove_response_headers": ["X-Powered-By"],
        },
    ]
}
RULES: Final = rules_of(DOCUMENT)

BY_COUNTRY: Final[Mapping[str, Any]] = {
    "name": "german",
    "path": "/hello",
    "countries": ["DE", "AT"],
    "redirect": "/hallo",
    "status": 302,
}
"""Two edges take it, and the third does not."""

EXPECTED: Final = (
    (Request("/admin/x", country="US"), Answer("no-admin", 403)),
    (Request("/admin/", country=""), Answer("no-admin", 403)),
    (Request("/admin/x", country="DE"), Answer(path="/admin/x")),
    (Request("/admin", country="US"), Answer(path="/admin")),
    (Request("/Admin/x", country="US"), Answer(path="/Admin/x")),
    (Request("/a.sql"), Answer("no-dump", 403)),
    (Request("/us/x", country="US"), Answer("not-here", 403)),
    (Request("/us/x", country=""), Answer(path="/us/x")),
    (Request("/axsql"), Answer(path="/axsql")),
    (Request("/shop/7", "a=1&b="), Answer("moved", 308, "https://shop.example/7?a=1&b=")),
    (Request("/shop/"), Answer("moved", 308, "https://shop.example/")),
    (Request("/shop"), Answer(path="/shop")),
    (Request("/old//evil.example"), Answer("kept-host", 301, "/new//evil.example")),
    (Request("/old/a%2Fb"), Answer("kept-host", 301, "/new/a%2Fb")),
    (Request("/there", "x=1"), Answer("one-there", 301, "https://shop.example/here?x=1")),
    (Request("/sale", "x=1"), Answer("one-page", 302, "/offers?x=1")),
    (Request("/sale/"), Answer(path="/sale/")),
    (Request("/gone/a/b"), Answer("all-to-one", 307, "/offers/gone")),
    (Request("/v1/ping"), Answer("first", path="/health")),
    (
        Request("/v1/ping/2"),
        Answer("api", path="/api/ping/2", request=RULES[9].request),
    ),
    (
        Request("/static/a.js"),
        Answer(
            "assets", path="/static/a.js", request=RULES[10].request, response=RULES[10].response
        ),
    ),
    (Request("/"), Answer(path="/")),
)

REQUESTS: Final = [
    Request(path, "a=1", country)
    for path, country in product(
        sorted({request.path for request, _ in EXPECTED} | {"/hello", "/hallo", "/v1/", "/gone/"}),
        ("", "DE", "US"),
    )
]
"""All paths from everywhere."""


def random_requests(count: int, seed: int = 1) -> list[Request]:
    """Return requests of any path below those of the rules, with any query, from anywhere."""
    chance = Random(seed)
    begins = sorted({each.path.partition("*")[0] for each in RULES} | {"/", "/hello", "/x/"})
    parts = ("a", "b=", "=", "&", "%20", "+", "/", ";", "7", "a=1", "%2F", "~", ":", "?", "é", "&&")

    def text(most: int) -> str:
        return "".join(chance.choices(parts, k=chance.randint(0, most)))

    return [
        Request(
            chance.choice(begins) + text(3).replace("?", ""),
            text(6),
            chance.choice(("", "DE", "AT", "US")),
        )
        for _ in range(count)
    ]


class Seen(NamedTuple):
    """What a client and an origin see of an answer, whatever it was told as."""

    status: int
    location: str
    path: str
    sent: Mapping[str, str]
    answered: Mapping[str, str]


def seen(
    request: Request,
    *,
    status: int = 0,
    location: str = "",
    path: str = "",
    sent: Mapping[str, str] = SENT,
    answered: Mapping[str, str] = ANSWERED,
) -> Seen:
    """Return what is seen; a location is resolved as a client does."""
    if status:
        where = urljoin(HOST + request.path, location) if location else ""
        return Seen(status, where, "", {}, {})
    return Seen(0, "", path, dict(sent), dict(answered))


def of_answer(request: Request, answer: Answer) -> Seen:
    """Return what is seen of what the rules mean."""
    return seen(
        request,
        status=answer.status,
        location=answer.location,
        path=answer.path,
        sent=changed(SENT, answer.request),
        answered=changed(ANSWERED, answer.response),
    )


def changed(before: Mapping[str, str], headers: Headers) -> dict[str, str]:
    """Return headers after a change; capitals of names do not count."""
    after = {**before, **{name.lower(): value for name, value in headers.set.items()}}
    removed = {name.lower() for name in headers.remove}
    return {name: value for name, value in after.items() if name not in removed}


def with_country() -> tuple[EdgeRule, ...]:
    """Return the rules, and one that asks for the country."""
    return rules_of({"rules": [*DOCUMENT["rules"], BY_COUNTRY]})
