"""Transports that are closed when a test ends, and an authority that they may trust."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import trustme

from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from tests.http.bridge import AnyTransport, Bridge


@pytest.fixture(params=["threads", "asyncio"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., AnyTransport]]:
    """Give a function that makes a transport from the fields of `TransportOptions`.

    With this fixture a test runs over the transport for threads and over the one for asyncio.
    """
    made: list[AnyTransport] = []
    kind = CurlTransport if request.param == "threads" else Bridge

    def transport(**fields: object) -> AnyTransport:
        made.append(kind(TransportOptions(**fields)))  # type: ignore[arg-type]
        return made[-1]

    yield transport
    for each in made:
        each.end() if isinstance(each, Bridge) else each.close()


@pytest.fixture
def transport(make: Callable[..., AnyTransport]) -> AnyTransport:
    """Give a transport with the default options."""
    return make()


@pytest.fixture
def threaded() -> Iterator[Callable[..., CurlTransport]]:
    """Give a function that makes transports for threads, for what holds for them alone."""
    made: list[CurlTransport] = []

    def transport(**fields: object) -> CurlTransport:
        made.append(CurlTransport(TransportOptions(**fields)))  # type: ignore[arg-type]
        return made[-1]

    yield transport
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """Give an authority of the tests' own."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the file that says to trust `ca`."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)
