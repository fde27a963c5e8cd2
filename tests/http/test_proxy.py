"""A proxy is used when the options name one, and never because the environment does."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
import trustme

from leeward._http.messages import Failure, Phase, Request, Response, describe_failure
from tests.http.bridge import AnyTransport
from tests.http.certificates import tls_context
from tests.http.wire import LIMIT, OK, Peer, Script, Wire, answer, hang, once

VARIABLES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def _post(origin: str) -> Request:
    return Request("POST", origin, "/a//../b?c", (("Authorization", "secret"),), b"x")


def _tunnel(context: object, *answers: bytes) -> Script:
    """Give a proxy's script: open a tunnel, and be the server at its end, too."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 Connection established\r\nX-Proxy: 1\r\n\r\n")
        peer.start_tls(context)  # type: ignore[arg-type]
        answer(*answers)(peer)

    return script


def test_https_goes_through_a_tunnel(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str
) -> None:
    """The proxy sees the host alone; request and answer are the server's."""
    context = tls_context(ca.issue_cert("shop.example"))
    with Wire(_tunnel(context, OK)) as proxy:
        transport = make(proxy=proxy.origin(), ca_file=ca_file)
        for _ in range(2):
            response = transport.send(_post("https://shop.example"), LIMIT)
            assert response == Response(200, {"content-length": "2"}, b"hi")
    connect, first, second = proxy.requests
    assert connect.startswith(b"CONNECT shop.example:443 HTTP/1.1\r\n")
    assert b"secret" not in connect
    assert b"user-agent" not in connect.lower()
    assert first == second
    assert first.startswith(b"POST /a//../b?c HTTP/1.1\r\nHost: shop.example\r\n")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (once(b"HTTP/1.1 407 Who?\r\nX-A: b\r\nContent-Length: 0\r\n\r\n"), {"curl.7", "curl.56"}),
        (once(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"), {"curl.7", "curl.56"}),
        (once(b""), {"curl.56"}),
        (hang, {"connect_timeout"}),
    ],
)
def test_a_proxy_that_opens_no_tunnel_sends_nothing(
    make: Callable[..., AnyTransport], ca_file: str, script: Script, code: set[str]
) -> None:
    """Its own status is not taken for the server's."""
    with Wire(script) as proxy:
        transport = make(proxy=proxy.origin(), ca_file=ca_file, connect_timeout=0.3)
        failure = transport.send(_post("https://shop.example"), LIMIT)
    assert isinstance(failure, Failure)
    assert (failure.sent, failure.status) == (False, None)
    assert failure.phase in {Phase.CONNECT, Phase.TLS}
    assert failure.code in code


def test_a_server_behind_a_tunnel_is_verified(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str
) -> None:
    """The proxy cannot play another host."""
    context = tls_context(ca.issue_cert("other.example"))
    with Wire(_tunnel(context, OK)) as proxy:
        transport = make(proxy=proxy.origin(), ca_file=ca_file)
        failure = transport.send(_post("https://shop.example"), LIMIT)
    assert isinstance(failure, Failure)
    assert failure[:3] == (Phase.TLS, False, "curl.60")
    assert len(proxy.requests) == 1


def test_a_proxy_that_does_not_listen_sends_nothing(
    make: Callable[..., AnyTransport], ca_file: str
) -> None:
    """Code 7, or 5 when its name is not known."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        failure = make(proxy=address, ca_file=ca_file).send(_post("https://shop.example"), LIMIT)
    assert isinstance(failure, Failure)
    assert failure[:3] == (Phase.CONNECT, False, "curl.7")
    transport = make(proxy="http://nobody.onion", ca_file=ca_file)
    failure = transport.send(_post("https://shop.example"), LIMIT)
    assert isinstance(failure, Failure)
    assert failure[:3] == (Phase.NAME, False, "curl.5")


@pytest.mark.parametrize("no_proxy", ["*", "127.0.0.1", "example,127.0.0.1"])
def test_no_proxy_names_what_is_reached_directly(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str, no_proxy: str
) -> None:
    """The proxy is not asked."""
    context = tls_context(ca.issue_cert("127.0.0.1"))
    with Wire(hang) as proxy, Wire(answer(OK), tls=context) as wire:
        transport = make(proxy=proxy.origin(), no_proxy=no_proxy, ca_file=ca_file)
        response = transport.send(_post(wire.origin("https")), LIMIT)
    assert isinstance(response, Response)
    assert (proxy.requests, proxy.connections) == ([], 0)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_environment_names_no_proxy(
    make: Callable[..., AnyTransport],
    ca: trustme.CA,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    """libcurl would listen to it by itself."""
    context = tls_context(ca.issue_cert("127.0.0.1")) if scheme == "https" else None
    with Wire(hang) as proxy, Wire(answer(OK), tls=context) as wire:
        for name in VARIABLES:
            monkeypatch.setenv(name, proxy.origin())
        response = make(ca_file=ca_file).send(_post(wire.origin(scheme)), LIMIT)
    assert isinstance(response, Response)
    assert (proxy.requests, proxy.connections) == ([], 0)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (hang, "no TLS connection to shop.example by way of the proxy in time"),
        (
            answer(b"HTTP/1.1 407 Log in\r\n\r\n"),
            "no connection to shop.example by way of the proxy",
        ),
    ],
    ids=["silent", "refusing"],
)
def test_a_proxy_that_leads_nowhere_is_named(
    make: Callable[..., AnyTransport], ca_file: str, script: Script, words: str
) -> None:
    """One that is silent, or wants a login."""
    with Wire(script) as proxy:
        transport = make(proxy=proxy.origin(), ca_file=ca_file, connect_timeout=0.5)
        failure = transport.send(_post("https://shop.example"), LIMIT)
    assert isinstance(failure, Failure)
    assert words == describe_failure(failure, "https://shop.example").message
