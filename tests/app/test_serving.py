"""Functions served over HTTP by leeward itself: requests, refusals, limits, and the end."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import pytest

from leeward import App, Context, Outcome
from leeward.app import connection as connection_module
from leeward.app import http_server, serving
from leeward.app.host import Host, HttpRequest
from leeward.app.host import serve as serve_request
from leeward.app.serving import FunctionServer, serve_functions
from leeward.app.triggers import Platform
from leeward.errors import ConfigError
from leeward.testing import FakeClock
from leeward_contract_tests.contracts.calls import SECONDS, invoke
from leeward_contract_tests.rows import each_row
from tests.urls.served import ANYWHERE, client_of, target

PATIENCE = 10.0


class Gate:
    """A function that says when it has begun, and ends when it may."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Semaphore(0), threading.Event()
        self.remaining: list[float] = []

    def pass_through(self, context: Context) -> str:
        """Wait until it may end."""
        self.remaining.append(context.remaining())
        self.begun.release()
        assert self.may_end.wait(PATIENCE)
        return "done"


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Return a gate, which is open at the end."""
    gate = Gate()
    yield gate
    gate.may_end.set()


@pytest.fixture
def app(gate: Gate) -> App:
    """Return an app with an echo and a gate."""
    app = App("shop")
    app.function(name="echo")(lambda payload: payload)
    app.function(name="gate")(lambda _, context: gate.pass_through(context))
    return app


@pytest.fixture
def serve(app: App) -> Iterator[Callable[..., FunctionServer]]:
    """Return what serves the app; nothing is left at the end."""
    with ExitStack() as stack:

        def start(**options: Any) -> FunctionServer:
            server = serve_functions(app, ANYWHERE, **options).start()
            stack.callback(server.close)
            return server

        yield start


@contextmanager
def connected(server: FunctionServer) -> Iterator[http.client.HTTPConnection]:
    """Open a connection."""
    with closing(http.client.HTTPConnection(server.address, timeout=PATIENCE)) as connection:
        yield connection


def ask(
    connection: http.client.HTTPConnection,
    method: str = "POST",
    path: str = "/echo",
    body: Any = b"1",
    **headers: str,
) -> tuple[int, bytes]:
    """Send a request; return status and body of the answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    return answer.status, answer.read()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, which another thread brings about."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def exchanged(server: FunctionServer, *pieces: bytes) -> bytes:
    """Send bytes in these pieces; return everything that comes back."""
    host, _, port = server.address.partition(":")
    with closing(socket.create_connection((host, int(port)), PATIENCE)) as sock:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(0.002 if len(pieces) > 1 else 0)
        sock.shutdown(socket.SHUT_WR)
        came = b""
        while data := sock.recv(65536):
            came += data
        return came


def test_a_connection_serves_one_call_after_the_other(serve: Callable[..., FunctionServer]) -> None:
    """Whatever they ask for; the last part of a path names the function."""
    with connected(serve()) as connection:
        assert ask(connection) == (200, b"1")
        sock = connection.sock
        assert ask(connection, path="/api/v1/echo?x=1", body=b'{"a":1}') == (200, b'{"a":1}')
        assert ask(connection, path="/none")[0] == 404
        assert ask(connection, "GET")[0] == 405
        assert ask(connection, body=b"not json")[0] == 400
        assert ask(connection, body=iter([b"[1", b",2]"]))[1] == b"[1,2]"
        assert ask(connection, "GET", "/health", None) == (200, b'{"status":"ok"}')
        assert ask(connection, "GET", "/_leeward/warm", None) == (204, b"")
        assert connection.sock is sock


def test_an_answer_has_the_mark_of_its_request(serve: Callable[..., FunctionServer]) -> None:
    """Also where the host itself refuses the call."""
    server = serve(body_bytes=100, token="t")
    for body, headers, status in (
        (b"1", {"authorization": "Bearer t"}, 200),
        (b"1", {}, 401),
        (b"1" * 101, {"authorization": "bearer t"}, 413),
    ):
        with connected(server) as connection:
            connection.request("POST", "/echo", body, {"x-leeward-call": "abc", **headers})
            answer = connection.getresponse()
            assert (answer.status, answer.headers["x-leeward"]) == (status, "abc;handler")
            assert answer.headers["date"].endswith(" GMT")


@pytest.mark.threat("S26")
@each_row(
    "request_bytes, status",
    [
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\nhost: a\n\n\r\n\r\n", 400),
        (b"POST echo HTTP/1.1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n1", 400),
        (b"POST /echo HTTP/1.1\r\ncontent-length: +1\r\n\r\n1", 400),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\n1", 400),
        (
            b"POST /echo HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0",
            400,
        ),
        (b"POST /echo HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", 400),
        (b"POST /echo HTTP/1.1\r\na b: c\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\n a: folded\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\na: b\x00\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\n" + b"a: b\r\n" * 8000, 400),
        (b"GET /health HTTP/1.1\r\na: " + b"b" * 40000 + b"\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\ncontent-length: 00\r\n\r\n", 405),
        (b"POST /echo HTTP/1.1\r\norigin: https://evil.example\r\ncontent-length: 1\r\n\r\n1", 403),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 9999999999\r\n\r\n", 413),
        (b"\r\nPOST /echo HTTP/1.0\r\ncontent-length: 1\r\n\r\n1", 200),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n", 100),
        (b"HEAD /echo HTTP/1.1\r\n\r\n", 405),
    ],
)
def test_a_request_that_two_readers_could_read_in_two_ways_is_refused(
    request_bytes: bytes, status: int
) -> None:
    """Nothing runs for it, and the connection ends."""
    app = App("shop")
    runs: list[Any] = []
    app.function(name="echo")(runs.append)
    with serve_functions(app, ANYWHERE) as server:
        came = exchanged(server, request_bytes)
        assert came.startswith(b"HTTP/1.1 %d " % status), came
        assert len(runs) == (status == 200)


def test_it_does_not_matter_how_the_bytes_of_a_request_are_split(
    serve: Callable[..., FunctionServer],
) -> None:
    """In its head, in a chunk, or between two of them."""
    server = serve()
    whole = (
        b"POST /echo HTTP/1.1\r\nhost: localhost\r\n"
        b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        b"3;x=y\r\n[1,\r\n2\r\n2]\r\n0\r\nt: v\r\n\r\n"
    )
    answers = {
        exchanged(server, whole[:at], whole[at:]).partition(b"\r\n\r\n")[2]
        for at in range(1, len(whole), 5)
    }
    assert answers == {b"[1,2]"}


@pytest.mark.threat("S26")
def test_a_second_request_in_one_piece_is_not_run(serve: Callable[..., FunctionServer]) -> None:
    """What comes behind a request ends the connection, for nobody says whose it is."""
    one = b"POST /echo HTTP/1.1\r\ncontent-length: 1\r\n\r\n1"
    came = exchanged(serve(), one + one)
    assert came.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in came


@pytest.mark.threat("S26")
def test_calls_beyond_the_places_are_refused_and_go_elsewhere(
    serve: Callable[..., FunctionServer], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unsafe call, too: the refusal has its mark, so it proves that nothing ran."""
    monkeypatch.setattr(serving, "PLACE_SECONDS", 0.01)
    full, other = serve(threads=1), serve()
    with client_of(full.url, other.url) as client:
        thread = threading.Thread(target=client.invoke, args=["gate"])
        thread.start()
        assert gate.begun.acquire(timeout=PATIENCE)
        driver = target(url=f"{full.url}/{{function}}")
        refused = driver.perform(invoke("echo", 1), SECONDS)
        assert (refused.outcome, refused.retry_after) == (Outcome.REJECTED, 1.0)
        result = client.invoke("echo", 1)
        assert (result.value, result.target) == (1, "http:b")
        with connected(full) as connection:
            assert ask(connection, "GET", "/health", None)[0] == 200
        gate.may_end.set()
        thread.join()
        driver.close()


def test_a_call_that_waited_has_less_time(app: App, gate: Gate) -> None:
    """Its deadline is the caller's, who has waited for the place, too; the server's own is not."""
    gate.may_end.set()
    host = Host(app, Platform("http", None, FakeClock()))
    for sent in ("5000", "900000"):
        request = HttpRequest("POST", "/gate", {"x-leeward-deadline-ms": sent}, b"1")
        serve_request(host, app.handlers["gate"], request, "call", 30.0, waited=1.5)
    assert gate.remaining == [3.5, 30.0]


def test_draining_lets_calls_end_and_refuses_others(
    serve: Callable[..., FunctionServer], gate: Gate
) -> None:
    """With a mark on open connections, so they go elsewhere; new ones reach nobody."""
    server = serve()
    with client_of(server.url) as client, connected(server) as idle:
        ask(idle)
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(client.invoke("gate").value))
        thread.start()
        assert gate.begun.acquire(timeout=PATIENCE)
        assert server.drain(0.05) is False
        idle.request("POST", "/echo", b"1", {"x-leeward-call": "abc"})
        answer = idle.getresponse()
        assert (answer.status, answer.headers["x-leeward"]) == (503, "abc;handler")
        assert b'"ran":"no"' in answer.read()
        wait_until(lambda: server._listener.fileno() < 0)
        with pytest.raises(ConnectionRefusedError), connected(server) as late:
            ask(late)
        gate.may_end.set()
        assert server.drain(PATIENCE) is True
        thread.join()
        assert results == ["done"]


def test_closing_ends_every_thread_and_connection(
    serve: Callable[..., FunctionServer],
) -> None:
    """Twice, too; and whoever waits for the server goes on."""
    server = serve()
    with connected(server) as connection:
        ask(connection)
        server.close()
        server.close()
        server.wait()
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(connection)
    wait_until(lambda: not [each for each in threading.enumerate() if "leeward-http" in each.name])


def test_who_connects_while_it_closes_does_not_hang(
    serve: Callable[..., FunctionServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last connections are accepted while it closes, and end with the others."""
    accept, may_accept = FunctionServer._accept, threading.Event()
    server = serve()
    host, _, port = server.address.partition(":")

    def accept_late(self: FunctionServer) -> None:
        assert may_accept.wait(PATIENCE)
        accept(self)

    monkeypatch.setattr(FunctionServer, "_accept", accept_late)
    with closing(socket.create_connection((host, int(port)), PATIENCE)) as caller:
        closer = threading.Thread(target=server.close)
        closer.start()
        assert server._closed.wait(PATIENCE)
        may_accept.set()
        closer.join(PATIENCE)
        with suppress(ConnectionResetError):
            assert caller.recv(1) == b""


@pytest.mark.threat("S26")
def test_a_caller_that_says_nothing_holds_no_thread(
    serve: Callable[..., FunctionServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is closed in the end; so is one that sends a head for ever."""
    monkeypatch.setattr(http_server, "LOOK_SECONDS", 0.05)
    server = serve(threads=1)
    host, _, port = server.address.partition(":")
    with monkeypatch.context() as patch:
        patch.setattr(connection_module, "HEAD_SECONDS", 0.05)
        for sent in (b"", b"POST /echo HTTP/1.1\r\n"):
            with closing(socket.create_connection((host, int(port)), PATIENCE)) as sock:
                with suppress(OSError):
                    sock.sendall(sent)
                assert sock.recv(1) == b""
    with connected(server) as connection:
        assert ask(connection) == (200, b"1")


@pytest.mark.threat("S26")
def test_who_may_not_call_holds_no_thread(serve: Callable[..., FunctionServer]) -> None:
    """Their bodies never come; they get their answers, and a call is not held up."""
    server = serve(threads=1, token="t")
    host, _, port = server.address.partition(":")
    with ExitStack() as stack:
        strangers = []
        for _ in range(3 * (serving.SPARE + 1)):
            stranger = socket.create_connection((host, int(port)), PATIENCE)
            strangers.append(stack.enter_context(closing(stranger)))
            stranger.sendall(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n")
        for stranger in strangers:
            assert stranger.recv(65536).startswith(b"HTTP/1.1 401 ")
        assert server._threads == 0
        with connected(server) as connection:
            assert ask(connection, authorization="Bearer t") == (200, b"1")


@pytest.mark.threat("S26")
def test_health_waits_for_no_work_and_no_body(
    serve: Callable[..., FunctionServer], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every thread is taken, and whoever asks has announced a body that does not come."""
    monkeypatch.setattr(serving, "SPARE", 0)
    server = serve(threads=1)
    with connected(server) as first:
        first.request("POST", "/gate", b"1")
        assert gate.begun.acquire(timeout=PATIENCE)
        host, _, port = server.address.partition(":")
        with closing(socket.create_connection((host, int(port)), PATIENCE)) as asker:
            asker.sendall(b"GET /health HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n")
            assert asker.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.threat("S26")
def test_a_name_that_leads_here_is_not_this_machine(serve: Callable[..., FunctionServer]) -> None:
    """A page may have one (DNS rebinding). A token, or a proxy that is named, makes it harmless."""
    for host, status in (("localhost", 200), ("127.0.0.1:7", 200), ("evil.example", 403)):
        with connected(serve()) as connection:
            assert ask(connection, host=host)[0] == status
        with connected(serve(anonymous=True)) as connection:
            assert ask(connection, host=host) == (200, b"1")
        with connected(serve(token="t")) as connection:
            assert ask(connection, host=host, authorization="Bearer t") == (200, b"1")


@pytest.mark.threat("S26")
@each_row(
    "options, told",
    [
        ({"address": "0.0.0.0:0"}, "other machines can reach.*anonymous=True"),
        ({"address": "[::]:0"}, "other machines can reach"),
        ({"address": "8080"}, "write HOST:PORT"),
        ({"address": "127.0.0.1:99999"}, "write HOST:PORT"),
        ({"address": "192.0.2.1:0", "token": "t"}, "cannot listen at '192.0.2.1:0'"),
        ({"token": "two words"}, "token must be text of visible ASCII"),
        ({"token": ["a", ""]}, "token must be text of visible ASCII"),
        ({"threads": 0}, "threads must be more than 0"),
        ({"seconds": 0}, "seconds must be more than 0"),
    ],
)
def test_what_is_wrong_is_refused_at_once(options: dict[str, Any], told: str) -> None:
    """Before anything listens; an open address needs a word."""
    with pytest.raises(ConfigError, match=told):
        serve_functions(App("shop"), **{"address": ANYWHERE, **options})


def test_an_address_in_use_is_told(serve: Callable[..., FunctionServer], app: App) -> None:
    """With the address, and a remedy."""
    with pytest.raises(ConfigError, match="cannot listen at.*in use; name another address"):
        serve_functions(app, serve().address)


def test_the_loopback_address_needs_no_token(app: App) -> None:
    """Of IPv6, too."""
    for address in (ANYWHERE, "localhost:0", "[::1]:0"):
        serve_functions(app, address).close()
