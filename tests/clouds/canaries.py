"""What a cloud alone may see of its own credentials, and how it would look on the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from tests.servers.azure import azurite, cosmos_server, event_grid, functions_host, identity
from tests.servers.azure import tokens as entra
from tests.servers.faultproxy import FaultProxy

_JWT: Final = re.compile(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+")

AUDIENCES: Final = frozenset({entra.COSMOS, entra.EVENT_GRID, entra.MANAGEMENT, entra.STORAGE})


class Stage(NamedTuple):
    """A cloud whose every server is behind a proxy that keeps what it is asked.

    Attributes:
        cloud: the servers.
        services: the proxies before what does the work.
        identities: the proxies before who gives out tokens; empty where nobody does.
        env: variables that lead to the cloud, through the proxies.
        ways: by name, the options of a target, one for each kind of credential.
    """

    cloud: Any
    services: Mapping[str, FaultProxy]
    identities: Mapping[str, FaultProxy]
    env: Mapping[str, str]
    ways: Mapping[str, Mapping[str, str]]

    def proxies(self) -> Iterator[FaultProxy]:
        """Give every proxy."""
        yield from self.services.values()
        yield from self.identities.values()

    def asked(self) -> bytes:
        """Give all that the servers were asked, as it came and with its escapes undone."""
        raw = b"\n".join(request for proxy in self.proxies() for request in proxy.kept)
        return raw + b"\n" + unquote_to_bytes(raw)


def shown(provider: str, stage: Stage, asked: bytes) -> list[str]:
    """Return which canaries of `provider` are in `asked`: keys, names, signatures, tokens."""
    found = [name for name, text in _CANARIES[provider](stage.cloud) if text.encode() in asked]
    return found + ["token"] * any(_issuer(each) == provider for each in _JWT.findall(asked))


def _of_aws(cloud: Any) -> Iterable[tuple[str, str]]:
    yield "key", cloud.key.secret
    yield "name of the key", cloud.key.name
    yield "signature", "AWS4-HMAC-SHA256"


def _of_azure(cloud: Any) -> Iterable[tuple[str, str]]:
    yield "function key", functions_host.HOST_KEY
    yield "topic key", event_grid.KEY
    yield "account key", cosmos_server.KEY
    yield "storage key", azurite.KEY
    yield "word of the identity", identity.HEADER
    yield "storage account", cloud.account
    yield "database", cloud.database
    yield "signature of storage", "SharedKey"
    yield "signature of the account", "type=master"


def _of_google(cloud: Any) -> Iterable[tuple[str, str]]:
    yield "access token", "ya29."
    yield "project", cloud.project


_CANARIES: Final[Mapping[str, Callable[[Any], Iterable[tuple[str, str]]]]] = {
    "aws": _of_aws,
    "azure": _of_azure,
    "google": _of_google,
}


def _issuer(token: bytes) -> str:
    """Return whose a token is: Entra's are known here, and nobody else gives out any but Google."""
    try:
        entra.check(token.decode(), AUDIENCES, now=0.0)
    except entra.Untrusted:
        return "google"
    return "azure"
