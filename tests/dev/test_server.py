"""The HTTP side of `leeward dev`: who may call, and where it listens."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from threading import Event

import pytest
from starlette.types import ASGIApp

from leeward import App
from leeward.client import Client
from leeward.config import Config
from leeward.errors import ConfigError
from leeward.local import Local
from leeward_contract_tests.rows import each_row
from leeward_dev import server
from leeward_dev.console.guard import path_of_console
from leeward_dev.feed import Feed
from leeward_dev.server import PageServer, listen, pages_of_app, pages_of_fault
from leeward_dev.sources import Sources

TOKEN = "a-token-of-a-test"
OURS = {"host": "localhost:{port}", "origin": "http://localhost:{port}"}


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    """Close what the tests of this file have opened."""
    with ExitStack() as stack:
        yield stack


def _serve(pages: ASGIApp, stack: ExitStack) -> int:
    sockets = listen(0)
    running = PageServer(pages, sockets, 1)
    running.start()
    stack.callback(running.close, 5.0)
    port: int = sockets[0].getsockname()[1]
    return port


@pytest.fixture(scope="module")
def calls() -> list[str]:
    """What the function of the app was called with."""
    return []


@pytest.fixture(scope="module")
def port(stack: ExitStack, calls: list[str]) -> int:
    """Serve an app, and return the port."""
    app = App("shop")

    @app.function()
    def note(word: str) -> str:
        calls.append(word)
        return word

    client = stack.enter_context(Client(Local(), app=app))
    sources = Sources(client, Config(), Feed(), app=app, can_write=True)
    return _serve(pages_of_app(app, sources, TOKEN, 0), stack)


def _ask(
    port: int,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    method: str | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {name: text.format(port=port) for name, text in (headers or {}).items()}
    connection.putrequest(method or ("GET" if body is None else "POST"), path, skip_host=True)
    if "host" not in sent:
        sent["host"] = f"127.0.0.1:{port}"
    if body is not None:
        sent["content-length"] = str(len(body))
    for name, text in sent.items():
        connection.putheader(name, text)
    connection.endheaders(body)
    answer = connection.getresponse()
    told = answer.status, answer.read(), {name.lower(): text for name, text in answer.getheaders()}
    connection.close()
    return told


@each_row(
    "headers, is_answered",
    {
        "as curl": ({"content-type": "application/x-www-form-urlencoded"}, True),
        "localhost": ({"host": "LOCALHOST:{port}"}, True),
        "IPv6": ({"host": "[::1]:{port}"}, True),
        "a page of ours": ({**OURS, "sec-fetch-site": "same-origin"}, True),
        "an address that was typed": ({"sec-fetch-site": "none"}, True),
        "another origin, a simple request": (
            {"origin": "http://evil.example", "content-type": "text/plain"},
            False,
        ),
        "a sandboxed page": ({"origin": "null"}, False),
        "another port": ({**OURS, "origin": "http://localhost:3000"}, False),
        "another name of this machine": ({**OURS, "origin": "http://127.0.0.1:{port}"}, False),
        "https": ({**OURS, "origin": "https://localhost:{port}"}, False),
        "a name that points here": ({"host": "evil.example:{port}"}, False),
        "that, with its own origin": (
            {"host": "evil.example:{port}", "origin": "http://evil.example:{port}"},
            False,
        ),
        "a name that begins alike": ({"host": "localhost.evil.example:{port}"}, False),
        "no port": ({"host": "localhost"}, False),
        "a form of another site": ({"sec-fetch-site": "cross-site"}, False),
        "a page of another port": ({"sec-fetch-site": "same-site"}, False),
    },
)
def test_no_other_origin_may_call(
    port: int, calls: list[str], headers: dict[str, str], is_answered: bool
) -> None:
    """A page of another origin, or under another name, runs no function and reads no page."""
    calls.clear()
    status, body, answered = _ask(port, "/invoke/note", b'"x"', headers)
    assert (status == 200, bool(calls)) == (is_answered, is_answered)
    assert "access-control-allow-origin" not in answered
    assert answered["x-frame-options"] == "DENY"
    page, body, _ = _ask(port, "/", None, headers)
    assert (page == 200) == is_answered
    assert is_answered or b"shop" not in body


def test_a_link_of_another_site_shows_a_page_and_runs_nothing(port: int, calls: list[str]) -> None:
    """Who clicks on it looks; GET calls no function, and a form that leads here is refused."""
    calls.clear()
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    link["sec-fetch-dest"] = "document"
    asked = (("/", None), ("/invoke/note", None), ("/invoke/note", b'"x"'))
    assert [_ask(port, path, body, link)[0] for path, body in asked] == [200, 405, 403]
    assert calls == []


def test_a_preflight_allows_nothing(port: int) -> None:
    """Of a browser that asks whether a page may send more than a simple request."""
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    status, _, headers = _ask(port, "/invoke/note", None, asked, "OPTIONS")
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]


def test_a_console_wants_its_token(port: int) -> None:
    """Without the token, or with another one, nothing is shown."""
    home = path_of_console(TOKEN)
    assert _ask(port, "/console/")[0] == 404
    assert _ask(port, f"{home}/")[0] == 401
    assert _ask(port, f"{home}/?token={TOKEN[:-1]}x")[0] == 401
    assert _ask(port, f"{home}/?token={TOKEN}", None, {"host": "evil.example"})[0] == 403


def test_what_is_too_large_is_refused(
    port: int, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing runs, and memory is bounded."""
    monkeypatch.setattr(server, "BODY_BYTES", 10)
    calls.clear()
    assert _ask(port, "/invoke/note", b'"0123456789"')[0] == 413
    assert not calls


def test_a_fault_is_shown_as_text(stack: ExitStack) -> None:
    """What it says is no markup, on a page that may run nothing."""
    port = _serve(pages_of_fault("<script>alert(1)</script> at shop.py:3"), stack)
    status, body, headers = _ask(port, "/console/runs")
    assert status == 503
    assert b"&lt;script&gt;alert(1)" in body
    assert b"<script>" not in body
    assert "default-src 'none'" in headers["content-security-policy"]
    assert _ask(port, "/invoke/note", b"1")[0] == 503
    assert _ask(port, "/console/", None, {"host": "evil.example"})[0] == 403


def test_who_goes_amid_a_payload_is_no_error(
    port: int, calls: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing runs, and nothing is logged."""
    before = [*calls]
    head = f"POST /invoke/note HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + b'"x')
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1_000):
            pass
    assert _ask(port, "/health")[0] == 200
    assert calls == before
    ours = ("leeward", "uvicorn", "asyncio")
    assert [each for each in caplog.records if each.name.startswith(ours)] == []


def test_a_port_that_is_taken_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless one was asked for, the next free one is taken; both families have the same."""
    with socket.create_server(("127.0.0.1", 0)) as taken, ExitStack() as stack:
        number = taken.getsockname()[1]
        monkeypatch.setattr(server, "PORT", number)
        sockets = [stack.enter_context(each) for each in listen(None)]
        assert len({each.getsockname()[1] for each in sockets} - {number}) == 1
        assert {each.getsockname()[0] for each in sockets} <= {"127.0.0.1", "::1"}
        with pytest.raises(ConfigError, match=r"in use; name another --port"):
            listen(number)


def test_a_request_under_way_is_answered_before_the_end(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is closed waits for a function that runs."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.01)
    began, may_end = Event(), Event()
    app = App("slow")

    @app.function()
    def wait(_: object) -> str:
        began.set()
        may_end.wait(30)
        return "done"

    client = stack.enter_context(Client(Local(), app=app))
    sockets = listen(0)
    pages = pages_of_app(app, Sources(client, Config(), Feed(), app=app), TOKEN, 0)
    running = PageServer(pages, sockets, 30)
    running.start()
    port = sockets[0].getsockname()[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/invoke/wait", b"1")
    began.wait(30)
    assert not running.close(1.0)
    may_end.set()
    assert connection.getresponse().read() == b'"done"\n'
    connection.close()
    assert running.close(30.0)


@pytest.mark.parametrize("turns", range(6))
def test_a_request_is_answered_or_left_to_the_next_server(
    monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    """A connection that is accepted as the server ends is known to it in turns of its loop."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 30)  # the request itself may come late
    sockets = listen(0)
    port = sockets[0].getsockname()[1]
    own = PageServer(pages_of_fault("a fault"), sockets, 1)._server

    async def end_amid(listener: socket.socket) -> bytes:
        own.config.load()
        own.lifespan = own.config.lifespan_class(own.config)
        await own.startup(sockets)
        request = f"GET /health HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            for _ in range(turns):
                await asyncio.sleep(0)
            await own.shutdown(sockets)
            with suppress(BlockingIOError):
                listener.accept()[0].close()
                return b"left"
            return connection.recv(100)

    with sockets[0].dup() as listener:
        listener.setblocking(False)
        assert asyncio.run(end_amid(listener)).startswith((b"left", b"HTTP/1.1 503"))
