"""Tokens of the platform's managed identity, asked for at the endpoint that it offers.

On App Service, Azure Functions and Container Apps two variables say where and with which word;
on virtual machines it is one address for all.

Sources: "How to use managed identities for App Service and Azure Functions", section "REST
endpoint reference"; "How to use managed identities on an Azure VM to acquire an access token".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import check_host, is_this_machine
from leeward.adapter.resolver import Resolved, Source, Unresolved
from leeward.adapter.tokens import (
    EndpointAddress,
    TokenEndpoint,
    address_in,
    end_in,
    good_until,
    sound,
)
from leeward.adapter.wire import Request, Transport
from leeward.errors import ConfigError, Outcome
from leeward.masking import mask
from leeward.text import is_token, percent_encode
from leeward_azure.identity.credentials import Bearer

ENDPOINT: Final = "IDENTITY_ENDPOINT"
HEADER: Final = "IDENTITY_HEADER"
THUMBPRINT: Final = "IDENTITY_SERVER_THUMBPRINT"
"""Of Service Fabric, whose endpoint has a certificate of its own: left to azure-identity."""

STARTING: Final = frozenset({404, 410})
"""How the metadata service answers while it starts or is renewed; its guide says to ask again."""

_WHERE: Final = "the endpoint of the managed identity"
_NEAR: Final = "this machine or its own link"


class Endpoint(NamedTuple):
    """Where to ask.

    Attributes:
        address: with the query up to the resource.
        header: the word that proves the request comes from here.
    """

    address: EndpointAddress
    header: tuple[str, str]

    def __repr__(self) -> str:
        return mask(self, "address")


MACHINE: Final = Endpoint(
    EndpointAddress(
        "http://169.254.169.254", "/metadata/identity/oauth2/token?api-version=2018-02-01"
    ),
    ("Metadata", "true"),
)
"""The instance metadata service of virtual machines."""


def endpoint_of(env: Mapping[str, str], config: TargetConfig) -> Endpoint | None:
    """Return the endpoint that `env` names; None where it names no such endpoint.

    With ``trust_env = false`` it must be near: on this machine or its own link, where platforms
    have it (169.254.0.0/16). A host that the option `allowed_hosts` lists may be asked as well.

    Raises:
        ConfigError: it is not an address, or one that must not be asked.
    """
    url, header = env.get(ENDPOINT), env.get(HEADER)
    if not url or not header or env.get(THUMBPRINT):
        return None
    origin, path = address = address_in(url, ENDPOINT, _is_near, _NEAR)
    if "?" in path:
        raise ConfigError(f"{ENDPOINT} must be a URL without a query; the platform sets it")
    if not is_token(header):
        raise ConfigError(f"{HEADER} holds white space or a character outside ASCII")
    if not config.trust_env and not _is_near(origin.partition("://")[2]):
        check_host(origin, ENDPOINT, config, own=False, whose=_NEAR)
    return Endpoint(
        address._replace(target=f"{path}?api-version=2019-08-01"), ("X-IDENTITY-HEADER", header)
    )


def identity_source(
    find: Callable[[], Endpoint | None],
    client_id: str | None,
    transport: Transport,
    now: Callable[[], float],
    starting: Collection[int] = (),
) -> Source:
    """Make a source of tokens: a `Token` of Entra in, a `Bearer` out, one request for each fetch.

    Args:
        find: says where to ask, anew at each fetch: platforms change the word.
        client_id: of a user-assigned identity; None for the platform's own.
        transport: carries the request.
        now: gives Unix seconds.
        starting: statuses by which it asks for patience.
    """
    endpoint = TokenEndpoint(_WHERE, transport, starting)

    def fetch(what: Any, timeout: float) -> Resolved:
        document = endpoint.document(lambda: _request(find(), what.scope, client_id), timeout)
        token = Bearer(sound(document.get("access_token"), "access_token", _WHERE))
        moment = now()
        return good_until(end_in(document, moment, _WHERE), token, moment, _WHERE)

    return fetch


def _is_near(host: str) -> bool:
    """Return whether a host, perhaps with a port, is this machine or on its own link."""
    if is_this_machine(host):
        return True
    from ipaddress import ip_address

    bare = host.partition("]")[0].strip("[") if "[" in host else host.partition(":")[0]
    try:
        return ip_address(bare).is_link_local
    except ValueError:
        return False


def _request(endpoint: Endpoint | None, scope: str, client_id: str | None) -> Request:
    if endpoint is None:
        told = f"{ENDPOINT} and {HEADER} are no longer set"
        raise Unresolved(Outcome.AUTH, "no_credentials", told)
    origin, target = endpoint.address
    target += f"&resource={percent_encode(scope.removesuffix('/.default'))}"
    if client_id is not None:
        target += f"&client_id={percent_encode(client_id)}"
    return Request("GET", origin, target, (("Accept", "application/json"), endpoint.header))
