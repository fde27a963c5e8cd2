"""Names, payloads and errors of somebody who means harm: text, on every page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.leases.rules import Room
from leeward.stores import AttemptFailure, LeaseEnd, NewRow, Recipient
from leeward.values import RoutingEvent
from leeward.values.runs import Run, RunEvent, RunState
from leeward.workflow import Flow, Ref, workflow
from leeward_dev.console import runs, targets
from leeward_dev.console.html import element, text, verbatim
from leeward_dev.console.layout import PAYLOAD, Decision, Page, Visit, address, frame
from tests.console.shop import Shop, opened
from tests.console.visitor import Reader, visit

pytestmark = pytest.mark.threat("S27")

PIECES = [
    *("<script>canary()</script>", "<img src=x onerror=canary()>", "</title><script>", "</pre>"),
    *("' onfocus='canary()", '" onfocus="canary()" autofocus="', "`onload=canary`", "--><b>"),
    *("</textarea><script>", "</td></tr></table>", "]]><svg/onload=canary()>"),
    *("javascript:canary()", "data:text/html,canary", "//evil.example"),
    *("&lt;script&gt;", "&#60;b&#62;", "\u202egnp.exe", "\u2066a\u2069", "\x00\x1b[31m\x07\x7f"),
    *("\ud800", "\r\nset-cookie: canary=1\r\n", "\u2028", "é" * 10, "\U0001f980", "%3Cscript%3E"),
]

HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=20), min_size=1, max_size=4).map(
    "".join
)

TAGS = {
    *("html", "head", "meta", "title", "link", "script", "body", "a", "header", "p", "strong"),
    *("span", "nav", "ul", "li", "main", "h1", "h2", "div", "table", "caption", "thead", "tbody"),
    *("tr", "th", "td", "dl", "dt", "dd", "form", "input", "button", "label", "small", "pre"),
    *("textarea", "datalist", "option", "fieldset", "legend", "time", "section", "code", "br"),
    *("svg", "rect", "text", "g", "path", "details", "summary", "h3", "ol"),
}
"""Elements that the console makes."""

ATTRIBUTES = {
    *("lang", "charset", "name", "content", "rel", "href", "src", "defer", "class", "id", "for"),
    *("tabindex", "type", "value", "method", "action", "scope", "role", "datetime", "rows", "list"),
    *("required", "spellcheck", "autocomplete", "checked", "xmlns", "viewbox", "width", "height"),
    *("font-family", "font-size", "fill", "stroke", "rx", "x", "y", "text-anchor", "font-weight"),
    *("transform", "d", "stroke-dasharray", "title", "preserveaspectratio"),
}


NAMED = {
    "letters": ("target", "id", "after"),
    "keys": ("table", "record", "state", "cursor"),
    "runs": ("workflow", "run", "page"),
    "handlers": ("name",),
    "events": ("kind",),
    "targets": ("call",),
}
"""What an address may name, by its page."""


def check_page(page: str) -> Reader:
    """Check that a page has the console's own elements alone, and nothing that is hidden."""
    read = Reader(page)
    for tag, attributes in read.tags:
        assert tag in TAGS, tag
        for name, value in attributes.items():
            assert name in ATTRIBUTES or name.startswith(("aria-", "data-")), name
            if name in ("href", "src", "action"):
                where = (value or "").partition("?")[0]
                assert ":" not in where, value
                assert not where.startswith("/"), value
        assert tag != "script" or attributes == {"src": "console.js", "defer": None}
    assert all(each.isprintable() or each in "\n\t" for each in read.text)
    return read


@given(HOSTILE)
def test_whatever_a_text_holds_it_stays_a_text(hostile: str) -> None:
    """In an element, in an attribute, in a form and in an address."""
    made = element(
        "form",
        element("p", hostile, title=hostile),
        element("input", value=hostile, type="hidden", name="x"),
        element("textarea", verbatim(f"\n{hostile}")),
        element("pre", text(hostile, PAYLOAD)),
        element("a", "x", href=address("letters", id=hostile)),
    )
    sent = made.encode(errors="xmlcharrefreplace").decode()
    read = Reader(f"<main>{sent}</main>")
    assert [tag for tag, _ in read.tags] == "main form p input textarea pre a".split()
    assert dict(read.tags[2][1]).keys() == {"title"}
    assert dict(read.tags[3][1]).keys() == {"value", "type", "name"}


@given(HOSTILE)
@settings(max_examples=15)
def test_no_page_is_broken_by_what_others_have_written(hostile: str) -> None:
    """Letters, records of keys, runs, what passes, decisions, notices and errors."""
    with opened() as shop:
        _fill(shop, hostile)
        visitor = visit(shop.sources())
        pages = ["", "queues", "letters", "letters?target=local&id=1&payload=yes", "events"]
        pages += ["keys?table=keys", "handlers?name=echo", "targets", "send", "schedules"]
        for path in pages:
            answer = visitor.get(path)
            assert answer.status == 200, answer.page.text
            check_page(answer.text)
        for page, names in NAMED.items():
            for name in names:
                check_page(visitor.get(address(page, **{name: hostile})).text)
        form = visitor.get("send").page.forms[1]
        given = [("function", hostile), ("payload", hostile), ("kind", "invoke")]
        seal = [field for field in form.fields if field[0] == "seal"]
        clean = [(name, value.encode(errors="replace").decode()) for name, value in given]
        check_page(visitor.post("send", [*seal, *clean]).text)


def _fill(shop: Shop, hostile: str) -> None:
    """Leave rows, records and entries as another program may write them."""
    safe = hostile.encode(errors="replace").decode()
    store = shop.local.stores().deliveries
    recipient = Recipient(safe, safe)
    store.add([NewRow(recipient, None, safe, safe)], 5)
    (row,) = store.take([recipient], lambda: 1.0, Room(1, 1, 1)).rows
    failure = AttemptFailure(safe or "x", safe, again=False, reason=safe, ran="maybe")
    store.finish([LeaseEnd(row, failure)], 2.0, [row])
    store.add([NewRow(recipient, None, safe, safe)], 5)
    item: dict[str, Any] = {"id": safe or "x", "state": safe, "notes": [safe]}
    if len(item["id"].encode()) < 1000:
        shop.client.store_data("keys", item)
    for kind in ("run", "call", "log"):
        shop.feed.add(
            kind,
            "echo" if kind == "run" else hostile,
            hostile,
            outcome=hostile,
            text=hostile,
            frames=(hostile,),
            facts={"fact": hostile, "attempt": hostile},
        )


@given(HOSTILE)
@settings(max_examples=15)
def test_runs_and_decisions_are_text_too(hostile: str) -> None:
    """The parts of a page that no store of the tests lets somebody write."""

    @workflow("order")
    def order(w: Flow, given: Ref) -> None:
        w.step("work", given)

    run = Run(
        hostile,
        hostile,
        hostile,
        RunState.FAILED,
        None,
        1.0,
        2.0,
        None,
        hostile,
        (hostile,),
        (RunEvent(hostile, 1, 1.0, 2.0, hostile, ambiguous=True),),
    )
    event = RoutingEvent(hostile, hostile, hostile, hostile, hostile, 1, {hostile: 1.0})
    with opened() as shop:
        client = shop.client
        with patch.multiple(client, get_run=lambda *_: run, list_runs=lambda *_, **__: [run]):
            sources = replace(shop.sources(), definitions=(order,))
            for query in ({"workflow": "order", "run": hostile}, {}):
                visited = Visit(sources, "runs", query, {}, "seal")
                check_page(_sent(visited, runs.show(visited)))
        visited = Visit(shop.sources(), "targets", {}, {}, "seal", (Decision(1.0, event),))
        check_page(_sent(visited, targets.show(visited)))


def _sent(visited: Visit, page: Page) -> str:
    return frame(visited, page).encode(errors="xmlcharrefreplace").decode()


def test_a_huge_text_is_cut(shop: Shop) -> None:
    """A page stays small, whatever a letter holds; the payload is cut, too."""
    shop.client.enqueue("orders", {"id": "x" * 150_000})
    shop.local.wait_idle(30)
    visitor = visit(shop.sources())
    assert len(visitor.get("letters").text) < 20_000
    assert len(visitor.get("letters?target=local&id=1").text) < 20_000
    shown = visitor.get("letters?target=local&id=1&payload=yes")
    assert PAYLOAD < len(shown.text) < PAYLOAD + 20_000
    assert "characters)" in shown.page.text
