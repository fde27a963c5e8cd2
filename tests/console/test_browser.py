"""The console in a real browser: clicks, the keyboard, a phone, and a page of another origin."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from leeward import FunctionError
from leeward_dev.server import open_in_browser
from tests.console.browser import Browser, browser, served
from tests.console.shop import Shop, opened
from tests.console.visitor import HOME

pytestmark = pytest.mark.threat("S27")


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """Start one browser for all tests."""
    with browser() as started:
        yield started


@pytest.fixture
def console(shop: Shop) -> Iterator[str]:
    """Let the console of the shop listen."""
    with served(shop.sources()) as address:
        yield address


def test_the_token_is_in_no_address_and_no_script_reads_the_cookie(
    window: Browser, console: str
) -> None:
    """A browser that has opened the address once is let in by its cookie."""
    assert window("open", console) == 200
    window.wait_for("Overview")
    assert "token" not in window("url")
    assert window("run", "document.cookie") == ""
    (cookie,) = window("cookies")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", HOME)
    seen = window("seen")
    host = urlsplit(console).netloc
    assert {urlsplit(url).netloc for url in seen["asked"]} == {host}
    assert seen["wrong"] == []


def test_a_file_leads_in(window: Browser, console: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file has begun comes from another site: the strict cookie is sent all the same."""
    window("forget")
    monkeypatch.setattr("webbrowser.open", lambda uri: window("open", uri))
    with open_in_browser(console):
        window.wait_for("Overview")
    assert window("url") == console.partition("?")[0]


def test_no_other_port_gets_the_cookie(window: Browser, console: str) -> None:
    """Not at its root, nor at /console: a browser sends cookies of a host to all of its ports."""
    window("open", console)
    with other_page() as (other, cookies):
        for path in ("", "console", "console/", f"console/{'0' * 32}/letters"):
            window("open", f"{other}{path}")
    assert cookies == [None] * 4


def test_a_run_is_seen_as_it_goes_and_cancelled(shop: Shop, window: Browser, console: str) -> None:
    """Its picture changes without a reload."""
    shop.client.start_workflow("order", {"id": "1"}, id="r-1")
    window("open", console)
    window("click", "link", "Runs")
    window("click", "link", "r-1")
    window("wait", "document.querySelector('svg')?.getBoundingClientRect().width > 100")
    window("click", "button", "Cancel")
    window("click", "button", "Cancel the run")
    window.wait_for("ends before its next step")
    shop.goes_on.set()
    window.wait_for("taken back")
    window("wait", "!document.body.innerText.includes('Abort')")
    assert window("seen")["wrong"] == []


def test_the_keyboard_is_enough(shop: Shop, window: Browser, console: str) -> None:
    """The first stop leads past the menu; each button has a name; a choice survives a new look."""
    shop.fail_letter("1", "2")
    shop.is_well = True
    window("open", console)
    window("press", "Tab")
    assert window("run", "document.activeElement.innerText") == "Skip to the content"
    window("press", "Enter")
    window("wait", "document.activeElement.id === 'main'")
    window("open", console.replace("/?", "/letters?"))
    window.tab_to("Choose 2")
    window("press", "Space")
    window("pause", 2500)
    assert window("run", "document.querySelector('input[value=\"2\"]').checked") is True
    assert window("run", "document.activeElement.value") == "2"
    window("press", "Tab")
    assert window("run", "document.activeElement.getAttribute('aria-label')") == "Redrive letter 2"
    outline = window("run", "getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    window("press", "Enter")
    window.wait_for("1 letter moved back.")
    shop.local.wait_idle(30)
    assert shop.done == ["take-order 2"]


def test_a_double_click_calls_once(shop: Shop, window: Browser, console: str) -> None:
    """A form is sent once; the page that comes back may send again."""
    window("open", console.replace("/?", "/send?"))
    for _ in range(2):
        window("fill", "Function", "echo")
        twice = """(() => {
          const form = document.querySelector("#invoke form"), refused = [];
          addEventListener("submit", (event) => refused.push(event.defaultPrevented));
          form.requestSubmit();
          form.requestSubmit();
          return refused; })()"""
        assert window("run", twice) == [False, True]
        window.wait_for("echo has answered")
        window("wait", "!document.querySelector('#notice')?.dataset.seen")
        window("run", "document.querySelector('#notice').dataset.seen = 'yes'")
    assert shop.done == ["echo", "echo"]


NAMELESS = """[...document.querySelectorAll('a,button,input:not([type=hidden]),textarea,select')]
  .filter(e => !(e.getAttribute('aria-label') || e.textContent || (e.labels && e.labels.length)))
  .map(e => e.outerHTML)"""


def test_a_phone_shows_every_page_without_scrolling_sideways(
    shop: Shop, window: Browser, console: str
) -> None:
    """At 360 pixels, dark and light: nothing is cut off, everything has a name and contrast."""
    shop.fail_letter("1")
    shop.fail_event("e" * 200)
    shop.leave_unknown("7")
    shop.client.start_workflow("order", {"id": "1"}, id="r-1")
    window("size", 360, 740)
    try:
        for scheme in ("light", "dark"):
            window("scheme", scheme)
            paths = (
                *("", "handlers", "handlers?name=remember", "queues", "letters", "events"),
                *("letters?target=local&id=1&payload=yes", "keys?table=keys", "schedules"),
                *("keys?table=keys&record=charge:7", "runs", "runs?workflow=order&run=r-1"),
                *("targets", "send"),
            )
            # What is dark has the same layout: a page with each colour is enough.
            for path in paths if scheme == "light" else ("", "letters", "runs", "send"):
                base, _, token = console.partition("?")
                window("open", f"{base}{path}{'&' if '?' in path else '?'}{token}")
                width = window("run", "document.documentElement.scrollWidth")
                assert width <= 360, (path, scheme, width)
                assert window("run", NAMELESS) == [], path
                assert window("run", LOW_CONTRAST) == [], (path, scheme)
    finally:
        window("size", 1000, 900)
        window("scheme", "light")


BROKEN = """(() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walk.nextNode()) {
    const node = walk.currentNode, parent = node.parentElement;
    if (parent.closest('pre, code, svg, script, .long, .skip')) continue;
    for (const word of node.data.matchAll(/[^\\s\\-\\/]+/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((each) => Math.round(each.top)));
      if (lines.size > 1) found.push(word[0]);
    }
  }
  return found; })()"""
"""Words of which a part stands on another line."""


def test_no_word_is_broken_in_its_middle(shop: Shop, window: Browser, console: str) -> None:
    """At two widths; only what nobody reads as a word may be, such as a long id."""
    shop.fail_letter("1")
    shop.fail_event("e" * 200)
    shop.leave_unknown("7")
    with suppress(FunctionError):
        shop.client.invoke("refund", {"id": "8"})
    base, _, token = console.partition("?")
    try:
        for width in (360, 1280):
            window("size", width, 900)
            for path in ("", "events", "handlers", "queues", "letters", "keys", "unknown", "runs"):
                window("open", f"{base}{path}?{token}")
                assert window("run", BROKEN) == [], (path, width)
                assert window("run", "document.documentElement.scrollWidth") <= width, path
    finally:
        window("size", 1000, 900)


def test_the_first_page_changes_without_a_reload(shop: Shop, window: Browser, console: str) -> None:
    """A card, a chart and the timeline; what a person has opened stays open."""
    window("open", console)
    window("run", "document.querySelector('summary').click()")
    shop.fail_letter("1")
    window("wait", "document.querySelector('.card.wrong')?.innerText.startsWith('1')")
    window("wait", "document.querySelector('#rates svg')?.ariaLabel.includes('take-order')")
    window("wait", "document.querySelector('#timeline .wrong')?.innerText.includes('no such')")
    assert window("run", "document.querySelector('details').open") is True
    assert window("seen")["wrong"] == []


LOW_CONTRAST = """(() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('main *, header *')]
    .filter((e) => !e.closest('svg') && e.offsetParent)
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .filter((e) => {
      const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort();
      return (b + 0.05) / (a + 0.05) < 4.5;
    })
    .map((e) => e.outerHTML.slice(0, 120));
})()"""
"""Elements with a text that has less contrast than 4.5 (WCAG 2.2, 1.4.3)."""


@contextmanager
def other_page() -> Iterator[tuple[str, list[str | None]]]:
    """Serve an empty page at another port of this machine: the nearest other origin there is.

    Yields:
        Its address, and the cookies of each request for a page.
    """
    cookies: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer with a page."""
            if self.path != "/favicon.ico":
                cookies.append(self.headers["cookie"])
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>other</title><body>other</body>")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", cookies
    finally:
        server.shutdown()
        server.server_close()


ATTACK = """(async () => {
  const target = %s, got = [];
  const tries = {
    read: () => fetch(target, { credentials: 'include' }).then((r) => r.text()),
    blind: () => fetch(target, { credentials: 'include', mode: 'no-cors' }).then((r) => r.type),
    post: () => fetch(target + 'letters?target=local', { method: 'POST', mode: 'no-cors',
      credentials: 'include', headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'redrive=1&sure=yes' }).then((r) => r.type),
    script: () => new Promise((done, fail) => { const s = document.createElement('script');
      s.src = target + 'console.js'; s.onload = () => done('ran'); s.onerror = fail;
      document.body.append(s); }),
    image: () => new Promise((done, fail) => { const i = new Image();
      i.src = target + 'console.css'; i.onload = () => done('seen'); i.onerror = fail; }),
    frame: () => new Promise((done) => { const f = document.createElement('iframe');
      const text = () => { try { return f.contentDocument.body.innerText } catch { return '' } };
      f.src = target; f.onload = () => done(text()); document.body.append(f); }),
  };
  for (const [name, attempt] of Object.entries(tries)) {
    try { got.push([name, await attempt()]) } catch (error) { got.push([name, 'refused']) }
  }
  return got;
})()"""


def test_a_page_of_another_origin_can_do_nothing(shop: Shop, window: Browser, console: str) -> None:
    """Even of the same machine, in the browser that has the cookie: not read, not do, not frame."""
    shop.fail_letter("1")
    window("open", console)
    assert "wrong" in window("text")
    with other_page() as (other, _):
        window("open", other)
        got = dict(window("run", ATTACK % json.dumps(console.partition("?")[0])))
        assert got["read"] == "refused"
        assert got["blind"] in ("opaque", "refused")
        assert got["post"] in ("opaque", "refused")
        assert got["script"] == "refused"
        assert got["image"] == "refused"
        assert "Overview" not in got["frame"]
        submit = f"""(() => {{ const f = document.createElement('form'); f.method = 'post';
          f.action = {json.dumps(console.partition("?")[0] + "letters?target=local")};
          f.innerHTML = '<input name=redrive value=1><input name=sure value=yes>';
          document.body.append(f); f.submit(); }})()"""
        window("run", submit)
        window.wait_for("nothing ran")
    window("seen")
    assert [letter.id for letter in shop.local.dead_letters()] == [1]
    assert shop.done == []


def test_hostile_names_run_nothing_in_a_browser(window: Browser) -> None:
    """A letter, an event and a run of somebody who means harm are read as text."""
    harm = "<img src=x onerror='window.harmed=1'><script>window.harmed=1</script>"
    with opened() as shop, served(shop.sources()) as address:
        shop.client.publish_event("orders", "order.created", {"id": harm}, id=harm)
        shop.local.wait_idle(30)
        shop.feed.add("log", harm, harm, text=harm, frames=(harm,))
        base, _, token = address.partition("?")
        for path in ("letters", "events", "letters?target=local&id=1&payload=yes", "queues"):
            window("open", f"{base}{path}{'&' if '?' in path else '?'}{token}")
            assert window("run", "window.harmed ?? null") is None
            assert window("seen")["wrong"] == []
        assert "window.harmed" in window("text") or path == "queues"


def test_an_address_that_nobody_listens_at_is_no_error_of_the_page(
    shop: Shop, window: Browser
) -> None:
    """While the process is gone, a page stays as it is, and goes on when it is back."""
    with served(shop.sources()) as address:
        window("open", address)
    with socket.socket() as gone:
        gone.settimeout(1)
        assert gone.connect_ex(("127.0.0.1", urlsplit(address).port or 0)) != 0
    window("pause", 2500)
    assert "shop" in window("text")
