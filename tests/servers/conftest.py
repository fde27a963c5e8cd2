"""An upstream and a proxy before it, over TCP and over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.servers.answering import Answer, AnsweringServer
from tests.servers.certificates import Authority
from tests.servers.client import RawClient
from tests.servers.faultproxy import FaultProxy


class Scene(NamedTuple):
    """A proxy, what stands behind it, and what a client needs to trust it."""

    proxy: FaultProxy
    upstream: AnsweringServer
    context: ssl.SSLContext | None

    def client(self) -> RawClient:
        """Connect to the proxy, as it expects."""
        return RawClient(self.proxy.address, self.context)


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Give an authority that a client can trust."""
    return Authority()


@pytest.fixture
def upstream() -> Iterator[AnsweringServer]:
    """Give a server that answers `hello`."""
    with AnsweringServer(Answer(body=b"hello")) as server:
        yield server
        server.wait_idle()


@pytest.fixture
def plain(upstream: AnsweringServer) -> Iterator[Scene]:
    """Give a proxy over TCP; at the end nothing may be open."""
    with FaultProxy(upstream.address) as proxy:
        yield Scene(proxy, upstream, None)
        proxy.wait_idle()


@pytest.fixture
def secure(upstream: AnsweringServer, authority: Authority) -> Iterator[Scene]:
    """Give a proxy over TLS; at the end nothing may be open."""
    with FaultProxy(upstream.address, authority) as proxy:
        yield Scene(proxy, upstream, authority.client_context())
        proxy.wait_idle()


@pytest.fixture(params=["plain", "secure"])
def scene(request: pytest.FixtureRequest) -> Scene:
    """Give a proxy, first over TCP, then over TLS."""
    chosen: Scene = request.getfixturevalue(request.param)
    return chosen
