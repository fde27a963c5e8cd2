from __future__ import annotations

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_no_test_reaches_beyond_loopback() -> None:
    """Connecting anywhere but to 127.0.0.1 and ::1 fails before a packet leaves."""
    with (
        socket.socket() as unconnected,
        pytest.warns(UserWarning, match=r"127\.0\.0\.2"),
        pytest.raises(SocketConnectBlockedError),
    ):
        unconnected.connect(("127.0.0.2", 9))


def test_tests_may_talk_over_loopback() -> None:
    """A server on 127.0.0.1 can be reached."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
