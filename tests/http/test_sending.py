"""What a request looks like on the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trustme

from leeward._http.messages import Request, Response
from leeward.errors import ConfigError, InvalidRequest
from leeward_contract_tests.rows import each_row
from tests.http.bridge import AnyTransport
from tests.http.certificates import tls_context
from tests.http.wire import LIMIT, OK, Peer, Wire, answer, once


def _sent(transport: AnyTransport, request: Request) -> bytes:
    """Send `request` to a server that answers, and give what arrived there."""
    with Wire(answer(OK)) as wire:
        response = transport.send(request._replace(origin=wire.origin()), LIMIT)
        assert isinstance(response, Response), response
    (raw,) = wire.requests
    return raw.replace(b":%d" % wire.port, b"")


def test_a_request_holds_what_was_asked_for_and_nothing_else(transport: AnyTransport) -> None:
    """No header of libcurl's own goes out: no Accept, no User-Agent, no Expect, no type."""
    headers = (("X-One", "1"), ("x-two", "a: b"), ("X-Empty", ""))
    assert _sent(transport, Request("POST", "", "/p?q=1", headers, b"body")) == (
        b"POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-One: 1\r\nx-two: a: b\r\nX-Empty:\r\n"
        b"Content-Length: 4\r\n\r\nbody"
    )


@each_row(
    "method, body, length",
    [
        ("GET", b"", b""),
        ("GET", b"q", b"Content-Length: 1\r\n"),
        ("POST", b"", b"Content-Length: 0\r\n"),
        ("PUT", b"abc", b"Content-Length: 3\r\n"),
        ("PATCH", b"abc", b"Content-Length: 3\r\n"),
        ("DELETE", b"", b"Content-Length: 0\r\n"),
        ("DELETE", b"abc", b"Content-Length: 3\r\n"),
    ],
)
def test_every_method_goes_out_with_its_length(
    transport: AnyTransport, method: str, body: bytes, length: bytes
) -> None:
    """The method is the caller's, the length the body's."""
    raw = _sent(transport, Request(method, "", "/", (), body))
    assert raw == method.encode() + b" / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + length + b"\r\n" + body


def test_a_handle_changes_its_shape_with_every_request(transport: AnyTransport) -> None:
    """Nothing of one request is left in the next one on the same connection."""
    requests = [
        ("POST", b"first"),
        ("GET", b""),
        ("PUT", b"x"),
        ("POST", b""),
        ("GET", b""),
        ("POST", b"last"),
    ]
    with Wire(answer(OK)) as wire:
        for method, body in requests:
            assert transport.send(Request(method, wire.origin(), "/", (), body), LIMIT) == Response(
                200, {"content-length": "2"}, b"hi"
            )
        head = Request("HEAD", wire.origin(), "/")
    assert [
        (raw.split(b" ")[0].decode(), raw.partition(b"\r\n\r\n")[2]) for raw in wire.requests
    ] == requests
    with Wire(once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")) as wire:
        response = transport.send(head._replace(origin=wire.origin()), LIMIT)
    assert response == Response(200, {"content-length": "9"})


BUSY = b"HTTP/1.1 413 Too large\r\nContent-Length: 2\r\n\r\nno"


def _answers_at_the_head(peer: Peer) -> None:
    """Refuse a request whose body has hardly begun to come, and read no more of it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += peer.receive(1)
    peer.send(BUSY)
    peer.hold()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_may_come_before_all_is_sent(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str, scheme: str
) -> None:
    """It counts, nobody goes on sending, and the connection is given up."""
    context = tls_context(ca.issue_cert("127.0.0.1")) if scheme == "https" else None
    transport = make(ca_file=ca_file)
    with Wire(_answers_at_the_head, tls=context) as wire:
        request = Request("POST", wire.origin(scheme), "/", (), bytes(20_000_000))
        for _ in range(2):
            # In half of the time after which the server hangs up.
            response = transport.send(request, LIMIT / 2)
            assert response == Response(413, {"content-length": "2"}, b"no")
        assert wire.connections == 2


@each_row(
    "target",
    [
        "/a/../b",
        "/./a",
        "//double//slash",
        "/%2F/%2e%2E/",
        "/a+b?c=d+e&f=%20",
        "/%E2%82%AC/%e2",
        "/?",
        "/a?b?c#d",
        "/2015-03-31/functions/arn:aws:lambda:eu-west-1:1:function:f/invocations",
        '/{curly}[0-9]|\\^`"<>',
        "/" + "long" * 2000,
    ],
)
def test_a_target_goes_out_byte_for_byte(transport: AnyTransport, target: str) -> None:
    """Signatures cover the target, so nothing may be made tidy."""
    raw = _sent(transport, Request("GET", "", target))
    assert raw.split(b" ")[1] == target.encode()


@each_row(
    "request_, field",
    [
        (Request("GET", "http://127.0.0.1:1", "no-slash"), "target"),
        (Request("GET", "http://127.0.0.1:1", "/a b"), "target"),
        (Request("GET", "http://127.0.0.1:1", "/a\r\nX: y"), "target"),
        (Request("GET", "http://127.0.0.1:1", "/é"), "target"),
        (Request("get", "http://127.0.0.1:1", "/"), "method"),
        (Request("GET /x", "http://127.0.0.1:1", "/"), "method"),
        (Request("HEAD", "http://127.0.0.1:1", "/", (), b"x"), "body"),
        (Request("GET", "http://127.0.0.1:1", "/", (("X", "secret\r\nY: z"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("X\n", "secret"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("X", "secret\0"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("X", "secreté"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("hOST", "secret"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("Host ", "secret"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("Host: a, X", "secret"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("", "secret"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("Expect", "secret"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("Content-Length", "7"),)), "headers"),
        (Request("GET", "http://127.0.0.1:1", "/", (("Transfer-Encoding", "x"),)), "headers"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    transport: AnyTransport, request_: Request, field: str
) -> None:
    """Before any I/O, with the field at fault and without the value of a header."""
    with pytest.raises(InvalidRequest) as caught:
        transport.send(request_, LIMIT)
    assert caught.value.field == field
    assert "secret" not in str(caught.value)


@each_row(
    "origin",
    [
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://user:secret@127.0.0.1",
        "http://127.0.0.1/path",
        "http://127.0.0.1?x",
        "127.0.0.1",
        "http://",
        "HTTP://127.0.0.1",
    ],
)
def test_an_origin_is_a_scheme_a_host_and_a_port(transport: AnyTransport, origin: str) -> None:
    """Anything else, such as a name and password, is a wrong configuration."""
    with pytest.raises(ConfigError) as caught:
        transport.send(Request("GET", origin, "/"), LIMIT)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer(transport: AnyTransport, status: int) -> None:
    """It is given back; where it points to sees nothing."""
    with Wire(answer(OK)) as other:
        redirect = (
            f"HTTP/1.1 {status} Moved\r\nLocation: {other.origin()}/\r\nContent-Length: 0\r\n\r\n"
        )
        with Wire(answer(redirect.encode())) as wire:
            request = Request("POST", wire.origin(), "/", (("Authorization", "secret"),), b"x")
            response = transport.send(request, LIMIT)
    assert isinstance(response, Response)
    assert response.status == status
    assert (len(wire.requests), other.connections) == (1, 0)


def test_cookies_and_passwords_are_not_kept(
    transport: AnyTransport,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A cookie set, a challenge and a .netrc file change nothing about the next request."""
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("default login me password secret\n")
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    challenge = (
        b"HTTP/1.1 401 No\r\nSet-Cookie: a=b\r\nWWW-Authenticate: Basic realm=x\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    with Wire(answer(challenge)) as wire:
        for _ in range(2):
            transport.send(Request("POST", wire.origin(), "/", (), b"x"), LIMIT)
    first, second = wire.requests
    assert first == second
    assert b"secret" not in first
    assert b"authorization" not in first.lower()
