from __future__ import annotations

import socket
import ssl

import pytest

from tests.servers.certificates import Authority
from tests.servers.client import REQUEST, RawClient
from tests.servers.conftest import Scene
from tests.servers.faultproxy import ConnectionSeen, Ending, FaultProxy, toxics
from tests.servers.faultproxy.arrival import ConnectionToxic


def _is_served(scene: Scene) -> bool:
    with scene.client() as client:
        client.send(REQUEST)
        return client.read(12) == b"HTTP/1.1 200"


def test_a_refused_connection_comes_nowhere(scene: Scene) -> None:
    """The port is closed and leaves no entry; healed, the same address serves again."""
    scene.proxy.inject(toxics.refuse())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(scene.proxy.address)
    assert scene.proxy.log == ()
    scene.proxy.heal()
    assert _is_served(scene)


def test_refusing_resets_what_is_open(scene: Scene) -> None:
    """A server that is gone has no kept connections either."""
    with scene.client() as client:
        client.send(REQUEST)
        client.read(12)
        scene.proxy.inject(toxics.refuse())
        assert client.read_to_the_end().ended is Ending.RESET
    assert scene.proxy.open_connections == 0
    assert [each.ended for each in scene.proxy.log] == [Ending.CUT]


def test_refusing_twice_and_healing_twice_is_harmless(plain: Scene) -> None:
    """Refusing and healing are states, not steps."""
    plain.proxy.inject(toxics.refuse())
    plain.proxy.inject(toxics.refuse())
    plain.proxy.heal()
    plain.proxy.heal()
    assert _is_served(plain)


def test_refusals_cannot_be_counted(plain: Scene) -> None:
    """Nobody sees who was refused, so a number of them is refused itself."""
    with pytest.raises(ValueError, match="cannot be counted"):
        plain.proxy.inject(toxics.refuse(), times=1)


def test_reset_on_connect(scene: Scene) -> None:
    """The connection is accepted and reset, and nothing is read; the next one is served."""
    scene.proxy.inject(toxics.reset_on_connect(), times=1)
    # The reset comes while the client still connects, or right after.
    with pytest.raises(ConnectionResetError), socket.create_connection(scene.proxy.address) as sock:
        sock.recv(1)
    assert scene.proxy.log == (ConnectionSeen("reset_on_connect", ended=Ending.RESET),)
    assert _is_served(scene)


def test_black_hole_on_connect(scene: Scene) -> None:
    """Everything is read and nothing answered until the client leaves; the next one is served."""
    scene.proxy.inject(toxics.black_hole_on_connect(), times=1)
    size = len(REQUEST)
    with RawClient(scene.proxy.address) as client:
        client.send(REQUEST)
        scene.proxy.wait_until(lambda: [each.bytes_in for each in scene.proxy.log] == [size])
        assert client.hears_nothing()
        assert scene.proxy.open_connections == 1
    scene.proxy.wait_idle()
    assert scene.proxy.log == (
        ConnectionSeen("black_hole_on_connect", (), size, 0, Ending.CLIENT_CLOSED),
    )
    assert _is_served(scene)


def test_tls_garbage(secure: Scene) -> None:
    """The client's greeting is answered by something that is no TLS; the next one is served."""
    secure.proxy.inject(toxics.tls_garbage(), times=1)
    with pytest.raises(ssl.SSLError) as caught:
        secure.client()
    assert not isinstance(caught.value, ssl.SSLCertVerificationError)
    (connection,) = secure.proxy.log
    assert connection.bytes_in > 0
    assert connection.bytes_out > 0
    assert connection[:2] == ("tls_garbage", ())
    assert connection.ended is Ending.CLOSED
    assert _is_served(secure)


BAD_CERTIFICATES = [
    pytest.param(toxics.tls_bad_cert(), 18, id="self-signed"),
    pytest.param(toxics.tls_expired(), 10, id="expired"),
    pytest.param(toxics.tls_wrong_host(), 64, id="another address"),
]
"""With X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, _CERT_HAS_EXPIRED and _IP_ADDRESS_MISMATCH."""


@pytest.mark.parametrize(("toxic", "code"), BAD_CERTIFICATES)
def test_a_bad_certificate(secure: Scene, toxic: ConnectionToxic, code: int) -> None:
    """A client that looks refuses it for the right reason; the next connection is served."""
    secure.proxy.inject(toxic, times=1)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        secure.client()
    assert caught.value.verify_code == code
    secure.proxy.wait_idle()
    assert secure.proxy.log == (ConnectionSeen(toxic.name, ended=Ending.HANDSHAKE_FAILED),)
    assert _is_served(secure)


@pytest.mark.parametrize(("toxic", "code"), BAD_CERTIFICATES)
def test_a_careless_client_gives_itself_away(
    secure: Scene, toxic: ConnectionToxic, code: int
) -> None:
    """A client that does not look is served, so that its request stands in the log."""
    secure.proxy.inject(toxic, times=1)
    careless = ssl.create_default_context()
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    with RawClient(secure.proxy.address, careless) as client:
        client.send(REQUEST)
        assert client.read(12) == b"HTTP/1.1 200"
    assert [(each.toxic, len(each.requests)) for each in secure.proxy.log] == [(toxic.name, 1)]
    assert code > 0


def test_a_client_that_trusts_another_authority_fails(secure: Scene) -> None:
    """The good certificate is good only for those who trust its authority."""
    with pytest.raises(ssl.SSLCertVerificationError):
        RawClient(secure.proxy.address, Authority().client_context())
    secure.proxy.wait_idle()
    assert [each.ended for each in secure.proxy.log] == [Ending.HANDSHAKE_FAILED]


@pytest.mark.parametrize(
    "toxic",
    [toxics.tls_garbage(), toxics.tls_bad_cert(), toxics.tls_expired(), toxics.tls_wrong_host()],
    ids=lambda toxic: toxic.name,
)
def test_a_proxy_without_tls_refuses_toxics_of_tls(plain: Scene, toxic: ConnectionToxic) -> None:
    """A toxic that could not take effect is an error of the test."""
    with pytest.raises(ValueError, match="needs a proxy with tls"):
        plain.proxy.inject(toxic)


def test_a_handshake_that_never_ends_does_not_hold_up_the_proxy(
    secure: Scene, authority: Authority
) -> None:
    """Stopping the proxy resets even a client that has not said a word."""
    with FaultProxy(secure.upstream.address, authority) as proxy:
        client = RawClient(proxy.address)
        proxy.wait_until(lambda: proxy.open_connections == 1)
    with client:
        assert client.read_to_the_end() == (b"", Ending.RESET)
    assert proxy.log == (ConnectionSeen(ended=Ending.CUT),)
