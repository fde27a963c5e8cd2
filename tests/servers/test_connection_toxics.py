from __future__ import annotations

import socket
import ssl

import pytest

from tests.servers.client import REQUEST, RawClient
from tests.servers.conftest import Scene
from tests.servers.faultproxy import ConnectionSeen, Ending, toxics
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
