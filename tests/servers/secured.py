"""Fixtures for one cloud behind a fault proxy with TLS: import them, and give `answering`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.answering import AnsweringServer
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy


@pytest.fixture
def upstream(request: pytest.FixtureRequest) -> Iterator[AnsweringServer]:
    """Give a server that answers by the function `answer` of the test's module."""
    with AnsweringServer(request.module.answer) as server:
        yield server


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Give the authority that vouches for the proxy."""
    return Authority()


@pytest.fixture(scope="session")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file that says to trust it."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_bytes(authority.pem)
    return path


@pytest.fixture
def proxy(upstream: AnsweringServer, authority: Authority) -> Iterator[FaultProxy]:
    """Give the proxy before the server."""
    with FaultProxy(upstream.address, authority) as proxy:
        yield proxy
