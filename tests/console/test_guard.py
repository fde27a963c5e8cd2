"""Who gets into the console: the one browser that had the token, from the console's own pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.datastructures import Headers

from leeward import Client
from leeward.local import Local
from leeward_dev.console.guard import HEADERS, path_of_console
from leeward_dev.console.server import PAGES
from leeward_dev.feed import Feed
from leeward_dev.server import is_foreign, is_own_host, open_in_browser
from leeward_dev.sources import Sources
from tests.console.shop import CONFIG, Shop
from tests.console.visitor import HOME, ORIGIN, PORT, TOKEN, Visitor, mounted, visit

pytestmark = pytest.mark.threat("S27")

PATHS = [*PAGES, "console.css", "console.js", "nothing"]


@pytest.fixture
def stranger(shop: Shop) -> Visitor:
    """Return a visitor who has no cookie yet."""
    return Visitor(mounted(shop.sources()))


def test_the_token_becomes_a_cookie_and_leaves_the_address(stranger: Visitor) -> None:
    """The cookie is for this path alone, no script reads it, and no other site sends it."""
    answer = stranger.get(f"{HOME}/letters?after=7&token={TOKEN}", follow=False)
    # A redirect would be sent without the strict cookie where a file has led here.
    assert (answer.status, answer.headers["refresh"]) == (200, f"0; url={HOME}/letters?after=7")
    assert TOKEN not in answer.text
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("leeward-console=")
    assert {"HttpOnly", "SameSite=strict", f"Path={HOME}"} <= {*cookie.split("; ")}
    assert TOKEN not in cookie
    assert stranger.get(f"{HOME}/").status == 200


def test_nobody_knows_the_path_without_the_token(stranger: Visitor, visitor: Visitor) -> None:
    """It is another one for each token; who guesses a path finds nothing, with cookie or token."""
    places = {path_of_console(token) for token in (TOKEN, f"{TOKEN}x", "")}
    assert len(places) == 3
    assert all(re.fullmatch("/console/[0-9a-f]{32}", each) for each in places)
    for path in ("/", "/console", "/console/", f"{HOME}0/", f"{HOME[:-1]}/"):
        for each in (f"{path}?token={TOKEN}", path):
            assert stranger.get(each).status == 404, each
            assert visitor.get(each).status == 404, each


def test_without_the_token_nothing_is_seen(stranger: Visitor) -> None:
    """Not a page, not a file, with no token, a wrong one, or a wrong cookie."""
    for path in PATHS:
        for given in ("", "?token=", "?token=wrong", f"?token={TOKEN}x", "?token=%ff%00"):
            assert stranger.get(f"{HOME}/{path}{given}").status == 401, (path, given)
    stranger.cookies["leeward-console"] = "wrong"
    assert stranger.get(f"{HOME}/").status == 401
    assert stranger.post(f"{HOME}/letters", [("token", TOKEN)]).status == 401
    assert stranger.send("POST", f"{HOME}/letters?token={TOKEN}", follow=False).status == 401


def test_no_command_line_has_what_opens_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others read those: a file that only its owner reads leads there, and is gone afterwards."""
    given: list[str] = []
    monkeypatch.setattr("webbrowser.open", given.append)
    with open_in_browser(f"http://127.0.0.1:{PORT}{HOME}/?token={TOKEN}"):
        (uri,) = given
        file = Path(urlsplit(uri).path)
        assert uri.startswith("file://")
        assert TOKEN not in uri
        assert HOME not in uri
        assert f"{HOME}/?token={TOKEN}" in file.read_text()
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not file.parent.exists()


def test_the_way_in_leads_to_no_other_host(stranger: Visitor) -> None:
    """Whatever stands behind the console's own path, no mark of it ends the address or the link."""
    way = stranger.get(f'{HOME}//evil.example/;"<é>?token={TOKEN}&x=%22%3b<%0a', follow=False)
    url = way.headers["refresh"].removeprefix("0; url=")
    assert url == f"{HOME}//evil.example/%3B%22%3C%C3%A9%3E?x=%22%3B%3C%0A"
    assert way.page.links == {"The console": url}
    assert "refresh" not in stranger.get(f"/{HOME}/?token={TOKEN}", follow=False).headers


def test_a_name_that_was_rebound_to_this_machine_is_refused(visitor: Visitor) -> None:
    """A page under its own name has its origin; here it has no cookie, and gets nothing."""
    for host in (
        *(f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80", "", f"localhost:{PORT}x"),
        *(f"127.0.0.1.evil.example:{PORT}", f"evil.example:{PORT}#127.0.0.1:{PORT}"),
    ):
        assert visitor.get("", headers={"host": host}).status == 403, host
    for host in (f"localhost:{PORT}", f"[::1]:{PORT}", f"127.0.0.1:{PORT}"):
        assert visitor.get("", headers={"host": host}).status == 200, host


ELSEWHERE: list[dict[str, str]] = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"},
    {"origin": f"https://127.0.0.1:{PORT}"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    {"sec-fetch-site": "same-site"},
]


def test_a_form_of_another_origin_does_nothing(shop: Shop, visitor: Visitor) -> None:
    """With the cookie and even the seal: the browser says where it comes from."""
    shop.fail_letter("1")
    own = visitor.get("letters").page.forms[0]
    for headers in ELSEWHERE:
        done = visitor.post(own.action, [*own.fields, ("redrive", "1")], headers=headers)
        assert done.status == 403, headers
    assert len(shop.local.dead_letters()) == 1
    assert shop.done == []


def test_a_form_without_the_seal_does_nothing(shop: Shop, visitor: Visitor) -> None:
    """Of every action; the seal of another console is none."""
    shop.fail_letter("1")
    for path in PAGES:
        for seal in ([], [("seal", "")], [("seal", "0" * 64)]):
            assert visitor.post(path or "./", [*seal, ("redrive", "1")]).status == 403
    assert len(shop.local.dead_letters()) == 1


def test_a_page_of_another_origin_reads_and_frames_nothing(visitor: Visitor) -> None:
    """It may lead here by a link, as any page may; it may not fetch, embed or frame."""
    top = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    for site in ("cross-site", "same-site"):
        for headers, status in (
            ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}, 403),
            ({"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, 403),
            ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, 403),
            (top, 200),
        ):
            assert visitor.get("", headers={"sec-fetch-site": site, **headers}).status == status


def test_every_answer_has_the_headers_that_keep_others_out(stranger: Visitor) -> None:
    """Pages, files, refusals and redirects: no script but the console's, no frame, no copy."""
    address = f"{HOME}/?token={TOKEN}"
    answers: list[Any] = [stranger.get(f"{HOME}/"), stranger.get(address, follow=False)]
    answers += [stranger.get(f"{HOME}/{path}") for path in PATHS]
    answers += [stranger.post(f"{HOME}/letters", [])]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")


def test_no_page_needs_what_the_policy_forbids(shop: Shop, visitor: Visitor) -> None:
    """No script or style in a page, no handler in an attribute, nothing from another place."""
    shop.fail_letter("1")
    shop.client.start_workflow("order", {"id": "1"}, id="r-1")
    for path in [*PAGES, "runs?workflow=order&run=r-1"]:
        for tag, attributes in visitor.get(path).page.tags:
            assert tag not in ("style", "iframe", "object", "base")
            assert not any(name.startswith("on") or name == "style" for name in attributes)
            for name in ("src", "href", "action"):
                value = attributes.get(name) or "./"
                assert value.startswith(("./", "#")) or ":" not in value.partition("?")[0]
            assert tag != "script" or attributes.get("src") == "console.js"


def test_a_form_that_is_too_large_is_not_read(visitor: Visitor) -> None:
    """Neither many bytes nor many fields."""
    own = visitor.get("send").page.forms[0]
    assert visitor.post("send", [*own.fields, ("payload", "x" * 3_000_000)]).status == 413
    many = [("id", str(number)) for number in range(2_000)]
    assert visitor.post("letters", [*own.fields, *many]).status == 413


NUMBERED = ("letters?after=", "letters?target=local&id=", "runs?page=", "targets?call=")
"""Addresses that end with a number."""


def test_a_request_that_makes_no_sense_has_an_answer(visitor: Visitor) -> None:
    """An address or a form that no page of the console has made is refused in words."""
    seal = visitor.get("send").page.forms[0].fields[0]
    for path in (
        *("runs?page=0", "runs?page=9999999999", "runs?page=x", "runs?workflow=order&run=.."),
        *("runs?run=1", "letters?target=other", "letters?target=local&id=x", "letters?after=x"),
        *("keys?table=x", "keys?table=keys&record=x", "keys?table=keys&cursor=x", "targets?call=x"),
        *("handlers?name=x", "targets?call=999999999999999999999999"),
        *(f"{each}{'9' * digits}" for each in NUMBERED for digits in (19, 24, 5_000)),
        f"runs?page=000000010{'0' * 20}",
    ):
        answer = visitor.get(path)
        assert answer.status in (200, 400, 404, 503), (path, answer.page.text)
    for path in PAGES:
        for fields in ([], [("do", "x")], [("fire", "{}")], [("redrive", "x")], [("kind", "x")]):
            answer = visitor.post(path or "./", [seal, *fields])
            assert answer.status != 500, (path, fields, answer.page.text)


def test_the_usual_port_is_left_out_by_a_browser() -> None:
    """At port 80 alone."""
    usual, other = ({"type": "http", "method": "POST", "server": ("::1", each)} for each in (80, 8))
    for name in ("127.0.0.1", "localhost", "[::1]"):
        headers = Headers({"host": name, "origin": f"http://{name}"})
        assert is_own_host(headers, usual)
        assert not is_own_host(headers, other)
        assert not is_foreign(headers, usual)


def test_who_asks_for_the_head_of_a_page_gets_it(visitor: Visitor) -> None:
    """It is no form."""
    assert visitor.send("HEAD", "letters").status == 200


def test_the_port_has_to_be_the_consoles_own(visitor: Visitor) -> None:
    """A page of another port of this machine is another origin."""
    assert visitor.get("", headers={"origin": ORIGIN}).status == 200
    assert visitor.get("", headers={"origin": f"http://localhost:{PORT + 1}"}).status == 403


def test_a_console_that_only_shows_makes_no_store(tmp_path: Path) -> None:
    """A look at a store that is not there finds nothing, and makes no file."""
    with Client(Local(path=tmp_path / "local.sqlite3"), config=CONFIG) as client:
        visitor = visit(Sources(client, CONFIG, Feed()))
        for page in ("", "queues", "letters", "keys?table=keys", "runs", "schedules", "targets"):
            answer = visitor.get(f"{HOME}/{page}")
            assert (page, answer.status, [*tmp_path.iterdir()]) == (page, 200, [])
