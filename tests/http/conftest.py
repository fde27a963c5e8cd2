"""Transports that are closed when a test ends, and an authority that they may trust."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import trustme

from leeward.http.curl import CurlTransport
from leeward.http.options import TransportOptions


@pytest.fixture
def make() -> Iterator[Callable[..., CurlTransport]]:
    """Give a function that makes a transport from the fields of `TransportOptions`."""
    made = []

    def transport(**fields: object) -> CurlTransport:
        made.append(CurlTransport(TransportOptions(**fields)))  # type: ignore[arg-type]
        return made[-1]

    yield transport
    for each in made:
        each.close()


@pytest.fixture
def transport(make: Callable[..., CurlTransport]) -> CurlTransport:
    """Give a transport with the default options."""
    return make()


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
