from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

from leeward._http.messages import Request
from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from tests.guard import LeftLoopback, check_reach
from tests.house.workspace import ROOT, members, read_pyproject

pytestmark = pytest.mark.threat("S24")

ELSEWHERE = (
    "http://192.0.2.1",
    "https://192.0.2.1:8443",
    "http://name.example",
    "http://[2001:db8::1]",
)
"""Addresses and names that are nobody's: of the documentation."""


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


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_no_test_reaches_beyond_loopback_by_libcurl(origin: str) -> None:
    """libcurl has sockets of its own; a transport that would leave loopback fails the test."""
    transport = CurlTransport(TransportOptions())
    try:
        with pytest.raises(LeftLoopback):
            transport.send(Request("GET", origin, "/"), 1.0)
    finally:
        transport.close()


def test_the_way_through_a_proxy_counts() -> None:
    """What is reached is the proxy; the origin as well where it may be excepted, or is http."""
    here, there = "http://127.0.0.1:1", "http://192.0.2.1:1"
    origin = "https://name.example"
    check_reach(origin, TransportOptions(proxy=here))
    check_reach("https://localhost:1", TransportOptions(proxy=here, no_proxy="*"))
    for wrong in (
        TransportOptions(proxy=there),
        TransportOptions(proxy="192.0.2.1:1"),
        TransportOptions(proxy=here, no_proxy="example"),
    ):
        with pytest.raises(LeftLoopback):
            check_reach(origin, wrong)
    with pytest.raises(LeftLoopback):
        check_reach("http://name.example", TransportOptions(proxy=here))


def test_every_test_tree_has_these_guards(pytestconfig: pytest.Config) -> None:
    """pytest-socket is set up once, for all members; libcurl is used under `tests` alone."""
    options = read_pyproject(ROOT)["tool"]["pytest"]["addopts"]
    assert "--allow-hosts=127.0.0.1,::1" in options
    assert pytestconfig.getoption("--allow-hosts") == "127.0.0.1,::1"
    assert not pytestconfig.getoption("--force-enable-socket")
    others = [each for each in members() if each != ROOT]
    assert [each for each in others if "pytest" in read_pyproject(each).get("tool", {})] == []
    own_settings = ("pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "pytest.toml")
    assert [
        each for each in members() if any((each / name).exists() for name in own_settings)
    ] == []
    assert [
        path for path in _test_files(others) if "leeward._http" in path.read_text("utf-8")
    ] == []


def _test_files(folders: list[Path]) -> list[Path]:
    return [path for each in folders for path in sorted((each / "tests").rglob("*.py"))]
