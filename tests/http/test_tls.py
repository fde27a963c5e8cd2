"""Who is trusted: the server that the CA file vouches for by name, over TLS 1.2 or later."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from leeward._http.messages import Failure, Phase, Request, Response
from leeward.errors import ConfigError
from tests.http.bridge import AnyTransport
from tests.http.certificates import tls_context
from tests.http.wire import LIMIT, OK, Peer, Wire, answer, once

pytestmark = pytest.mark.threat("S3")

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def _post(origin: str) -> Request:
    return Request("POST", origin, "/", (), b"x")


def _wrong(kind: str, ca: trustme.CA) -> trustme.LeafCert:
    match kind:
        case "expired":
            return ca.issue_cert("127.0.0.1", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
        case "not yet valid":
            return ca.issue_cert("127.0.0.1", not_before=NOW + DAY, not_after=NOW + 2 * DAY)
        case "wrong host":
            return ca.issue_cert("elsewhere.example")
        case _:
            return trustme.CA().issue_cert("127.0.0.1")


@pytest.mark.parametrize("kind", ["expired", "not yet valid", "wrong host", "wrong CA"])
def test_a_wrong_certificate_is_refused(
    make: Callable[..., AnyTransport],
    ca: trustme.CA,
    ca_file: str,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Code 60, and nothing was sent, whatever the environment says."""
    leaf = _wrong(kind, ca)
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(_chain_file(leaf, Path(ca_file).with_name("env.pem"))))
    monkeypatch.setenv("SSL_CERT_DIR", str(Path(ca_file).parent))
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    with Wire(answer(OK), tls=tls_context(leaf)) as wire:
        failure = make(ca_file=ca_file).send(_post(wire.origin("https")), LIMIT)
    assert isinstance(failure, Failure)
    assert failure[:4] == (Phase.TLS, False, "curl.60", None)
    assert wire.requests == []


def _chain_file(leaf: trustme.LeafCert, path: Path) -> Path:
    path.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    return path


def test_a_certificate_that_vouches_for_itself_is_refused(
    make: Callable[..., AnyTransport], ca_file: str
) -> None:
    """The authority's own certificate shown by the server makes it no authority here."""
    stranger = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with stranger.private_key_pem.tempfile() as key, stranger.cert_pem.tempfile() as cert:
        context.load_cert_chain(cert, key)
    with Wire(answer(OK), tls=context) as wire:
        failure = make(ca_file=ca_file).send(_post(wire.origin("https")), LIMIT)
    assert isinstance(failure, Failure)
    assert failure[:3] == (Phase.TLS, False, "curl.60")


def test_a_server_that_refuses_the_handshake_has_not_read_the_request(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str
) -> None:
    """In TLS 1.3 the request is mostly sent by then: the server misses this side's certificate."""
    context = tls_context(ca.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    with Wire(answer(OK), tls=context) as wire:
        transport = make(ca_file=ca_file)
        failures = [transport.send(_post(wire.origin("https")), LIMIT) for _ in range(10)]
    assert [isinstance(each, Failure) and each.sent for each in failures] == [False] * 10
    assert wire.requests == []


def test_a_handshake_without_end_is_given_up(
    make: Callable[..., AnyTransport], ca_file: str
) -> None:
    """Connecting includes the handshake, and so does its limit."""
    with Wire(Peer.hold) as wire:
        transport = make(ca_file=ca_file, connect_timeout=0.3)
        failure = transport.send(_post(wire.origin("https")), LIMIT)
    assert isinstance(failure, Failure)
    assert failure[:4] == (Phase.TLS, False, "connect_timeout", None)


def test_a_cut_after_the_handshake_is_ambiguous(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str
) -> None:
    """A TLS error is no proof by itself."""
    with Wire(once(b""), tls=tls_context(ca.issue_cert("127.0.0.1"))) as wire:
        failure = make(ca_file=ca_file).send(_post(wire.origin("https")), LIMIT)
    assert isinstance(failure, Failure)
    assert (failure.phase, failure.sent) == (Phase.RECEIVE, True)


def test_a_dead_kept_connection_is_not_used_twice(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str
) -> None:
    """The trap of the silent second POST is closed over TLS, too."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(OK)
        peer.read()

    with Wire(script, tls=tls_context(ca.issue_cert("127.0.0.1"))) as wire:
        transport = make(ca_file=ca_file)
        assert isinstance(transport.send(_post(wire.origin("https")), LIMIT), Response)
        failure = transport.send(_post(wire.origin("https")), LIMIT)
    assert isinstance(failure, Failure)
    assert failure.sent
    assert (len(wire.requests), wire.connections) == (2, 1)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_an_old_protocol_is_refused(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str
) -> None:
    """TLS 1.1 does not do; 1.2 does."""
    context = tls_context(ca.issue_cert("127.0.0.1"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Wire(answer(OK), tls=context) as wire:
        failure = make(ca_file=ca_file).send(_post(wire.origin("https")), LIMIT)
    assert isinstance(failure, Failure)
    assert failure[:3] == (Phase.TLS, False, "curl.35")
    context = tls_context(ca.issue_cert("127.0.0.1"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Wire(answer(OK), tls=context) as wire:
        response = make(ca_file=ca_file).send(_post(wire.origin("https")), LIMIT)
    assert isinstance(response, Response)


@pytest.mark.parametrize("ca_file", [None, "/nowhere/ca.pem"])
def test_without_certificates_https_is_refused(
    make: Callable[..., AnyTransport], ca_file: str | None
) -> None:
    """Before any connection, with the remedy."""
    with Wire(answer(OK)) as wire, pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        make(ca_file=ca_file).send(_post(wire.origin("https")), LIMIT)
    assert wire.connections == 0


def test_http_2_is_not_taken_up(
    make: Callable[..., AnyTransport], ca: trustme.CA, ca_file: str
) -> None:
    """A server that would rather speak it is spoken to in HTTP/1.1."""
    context = tls_context(ca.issue_cert("127.0.0.1"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Wire(answer(OK), tls=context) as wire:
        response = make(ca_file=ca_file).send(_post(wire.origin("https")), LIMIT)
    assert isinstance(response, Response)
    assert wire.requests[0].startswith(b"POST / HTTP/1.1\r\n")
