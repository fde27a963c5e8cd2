"""What only the connection knows that leeward speaks over by itself, whoever waits for it."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import pytest
import trustme

from leeward._http.connection import Connection
from leeward._http.exchange import Exchange
from leeward._http.libcurl import CurlError
from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.options import TransportOptions
from tests.http.bridge import AnyTransport
from tests.http.certificates import tls_context
from tests.http.wire import LIMIT, OK, Peer, Wire, answer, hang

T = TypeVar("T")


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    """Give each of both schemes."""
    found: str = request.param
    return found


def _dies(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections die, the next time that one is to take something, after so many pieces.

    As libcurl tells it after a reset that nobody could see coming.
    """
    real = Connection._send
    died: list[bool] = []

    def send(self: Connection, exchange: Exchange) -> None:
        if died:
            real(self, exchange)
            return
        died.append(True)
        for _ in range(after):
            exchange.note_sent(self.handle.send(exchange.to_send()))
        raise CurlError(55, "Send failure: Connection reset by peer")

    monkeypatch.setattr(Connection, "_send", send)


def test_a_kept_connection_that_takes_nothing_is_replaced(
    make: Callable[..., AnyTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has left on it, so the request goes out on another, once."""
    transport = make()
    with Wire(answer(OK)) as wire:
        request = Request("POST", wire.origin(), "/", (), b"x")
        transport.send(request, LIMIT)
        _dies(0, monkeypatch)
        assert isinstance(transport.send(request, LIMIT), Response)
        assert (len(wire.requests), wire.connections) == (2, 2)


def test_a_kept_connection_that_has_taken_a_piece_is_not_replaced(
    make: Callable[..., AnyTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The piece may have been all that the server needed: the request is not sent again."""
    transport = make()
    with Wire(answer(OK)) as wire:
        request = Request("POST", wire.origin(), "/", (), b"x")
        transport.send(request, LIMIT)
        _dies(1, monkeypatch)
        failure = transport.send(request._replace(body=bytes(5_000_000)), LIMIT)
        assert isinstance(failure, Failure)
        assert failure[:3] == (Phase.SEND, True, "curl.55")
        assert wire.connections == 1


def test_a_new_connection_that_takes_nothing_proves_it(
    make: Callable[..., AnyTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no second try; not a byte has left."""
    _dies(0, monkeypatch)
    with Wire(answer(OK)) as wire:
        failure = make().send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT)
        assert isinstance(failure, Failure)
        assert failure[:3] == (Phase.CONNECT, False, "curl.55")
        assert wire.connections <= 1
    assert wire.requests == []


class _Refusing:
    """A handle whose server takes the first piece, says `said`, and hangs up."""

    def __init__(self, said: bytes) -> None:
        self._said = [said] if said else []
        self._has_taken = False

    def send(self, piece: memoryview) -> int:
        if self._has_taken:
            raise CurlError(55, "Send failure: Broken pipe")
        self._has_taken = True
        return len(piece)

    def recv(self, _: int) -> bytes:
        if not self._said:
            raise CurlError(56, "Recv failure: Connection reset by peer")
        return self._said.pop()


@pytest.mark.parametrize(
    ("said", "code"), [(OK, None), (OK[:20], "curl.55"), (b"garbage", "curl.55"), (b"", "curl.55")]
)
def test_what_a_server_said_before_it_hung_up_counts(said: bytes, code: str | None) -> None:
    """If it is a whole answer; else the failure is that of the sending."""
    line = Connection("http://h", TransportOptions())
    line.handle = _Refusing(said)
    request = Request("POST", "http://h", "/", (), bytes(3_000_000))
    exchange = Exchange(request, LIMIT, TransportOptions())
    assert line.start(exchange, 0.0) == 0
    if code is None:
        assert exchange.result == Response(200, {"content-length": "2"}, b"hi")
    else:
        assert isinstance(exchange.result, Failure)
        assert (exchange.result.sent, exchange.result.code) == (True, code)
    assert not line.is_reusable


class _Together:
    """TLS on a server's side whose records leave when they are told to, in one piece."""

    def __init__(self, peer: Peer, context: ssl.SSLContext) -> None:
        self._peer = peer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._step(self._tls.do_handshake)

    def read(self) -> bytes:
        """Give some bytes of a request."""
        return self._step(lambda: self._tls.read(65536))

    def write(self, data: bytes) -> None:
        """Make a record of `data`."""
        self._tls.write(data)

    def leave(self) -> None:
        """Send what there is."""
        self._peer.send(self._out.read())

    def _step(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.leave()
                data = self._peer.receive(65536)
                if not data:
                    raise OSError("the client is gone") from None
                self._in.write(data)


@pytest.mark.parametrize("size", [1_000, 20_000_000])
def test_bytes_that_nobody_asked_for_end_a_connection(
    make: Callable[..., AnyTransport], size: int
) -> None:
    """An answer to nothing is not taken for the answer to the next request."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(OK + OK)
        peer.read()

    with Wire(script) as wire:
        transport = make()
        request = Request("POST", wire.origin(), "/", (), bytes(size))
        for _ in range(2):
            assert isinstance(transport.send(request, LIMIT), Response)
        assert (len(wire.requests), wire.connections) == (2, 2)


def test_nor_do_they_answer_the_next_request_over_tls(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str
) -> None:
    """There they may be in OpenSSL already, and the socket says nothing of them."""
    context = tls_context(ca.issue_cert("127.0.0.1"))

    def script(peer: Peer) -> None:
        tls = _Together(peer, context)
        while tls.read():
            tls.write(OK)
            tls.write(OK.replace(b"hi", b"no"))
            tls.leave()

    with Wire(script) as wire:
        transport = make(ca_file=ca_file)
        request = Request("POST", wire.origin("https"), "/", (), b"x")
        for _ in range(3):
            response = transport.send(request, LIMIT)
            assert isinstance(response, Response)
            assert response.body == b"hi"
        assert wire.connections == 3


def test_an_answer_that_comes_with_the_handshake(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str
) -> None:
    """A server that is too busy may say so unasked; nobody waits for what has come."""
    context = tls_context(ca.issue_cert("127.0.0.1"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def script(peer: Peer) -> None:
        tls = _Together(peer, context)
        tls.write(b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        tls.leave()
        peer.hold()

    with Wire(script) as wire:
        transport = make(ca_file=ca_file)
        # Half of the time after which the server hangs up.
        response = transport.send(Request("POST", wire.origin("https"), "/", (), b"x"), LIMIT / 2)
    assert isinstance(response, Response)
    assert response.status == 503


def _frames_behind(error: BaseException | None) -> list[TracebackType]:
    """Give the frames that an error, and those that it came from, keep alive."""
    found = []
    while error is not None:
        if error.__traceback__ is not None:
            found.append(error.__traceback__)
        error = error.__cause__ or error.__context__
    return found


def test_a_cause_keeps_no_request_alive(
    make: Callable[..., AnyTransport],
    monkeypatch: pytest.MonkeyPatch,
    ca: trustme.CA,
    ca_file: str,
    scheme: str,
) -> None:
    """Nor does what it came from: their frames would hold the body."""
    context = tls_context(ca.issue_cert("127.0.0.1")) if scheme == "https" else None
    transport = make(ca_file=ca_file)
    with Wire(Peer.hold, tls=context) as wire:
        stuck = transport.send(Request("POST", wire.origin(scheme), "/", (), bytes(20_000_000)), 1)
    with Wire(answer(OK), tls=context) as wire:
        request = Request("POST", wire.origin(scheme), "/", (), b"x")
        transport.send(request, LIMIT)
        _dies(1, monkeypatch)
        gone = transport.send(request._replace(body=bytes(5_000_000)), LIMIT)
    for failure in (stuck, gone):
        assert isinstance(failure, Failure)
        assert _frames_behind(failure.cause) == []


@pytest.mark.parametrize("option", ["max_idle", "max_age"])
def test_a_connection_is_not_used_for_ever(make: Callable[..., AnyTransport], option: str) -> None:
    """One that lay idle for long may be dead, and one that is old may lead where none should."""
    with Wire(answer(OK)) as wire:
        request = Request("POST", wire.origin(), "/", (), b"x")
        transport = make(**{option: 0})
        for _ in range(2):
            assert isinstance(transport.send(request, LIMIT), Response)
        assert wire.connections == 2


CTRL_C = """
import os, signal, sys, threading, time
from leeward._http.threads import CurlTransport
from leeward._http.messages import Request
from leeward._http.options import TransportOptions

signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
began = time.monotonic()
try:
    CurlTransport(TransportOptions()).send(Request("GET", sys.argv[1], "/"), 60)
except KeyboardInterrupt:
    print("in time" if time.monotonic() - began < 10 else "late")
"""


def test_ctrl_c_does_not_wait_for_the_answer() -> None:
    """It strikes while nothing comes, long before the deadline."""
    with Wire(hang) as wire:
        done = subprocess.run(
            [sys.executable, "-c", CTRL_C, wire.origin()],
            capture_output=True,
            text=True,
            timeout=LIMIT * 3,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "in time\n", "")
