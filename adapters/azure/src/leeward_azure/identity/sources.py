"""Where a target's credentials come from, service by service.

A key or a signature that is configured goes before Entra. A token of Entra comes, in the order of
azure-identity's `DefaultAzureCredential`, from a service principal or a workload identity that the
environment names, then from the managed identity; of these, leeward itself reads the endpoint of
App Service and its kin (`IDENTITY_ENDPOINT`). For everything else, and wherever something else
would go first, the vendor's chain decides.

The option `identity` settles it: ``managed`` takes the platform's managed identity and nothing
else, read by leeward; ``default`` is that order. In the hardened mode, ``trust_env = false``,
``managed`` is the only one: it is the operator's word that the platform may be asked, so its two
variables are still read, and lead nowhere but to this machine and its own link.

The managed identity has an endpoint. On App Service, Azure Functions and Container Apps two
variables say where and with which word; on virtual machines it is one address for all. Sources:
"How to use managed identities for App Service and Azure Functions", section "REST endpoint
reference"; "How to use managed identities on an Azure VM to acquire an access token".
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Any, Final

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import check_host, is_this_machine
from leeward.adapter.resolver import (
    ConfiguredFirst,
    FunctionAddress,
    Resolved,
    Source,
    Token,
    Unresolved,
)
from leeward.adapter.tokens import (
    EndpointAddress,
    OneShotTransport,
    TokenEndpoint,
    address_in,
    end_in,
    good_until,
    sound,
)
from leeward.adapter.wire import Request, Transport
from leeward.errors import ConfigError, Outcome
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.text import is_token, percent_encode
from leeward_azure.identity.credentials import (
    AccountKey,
    Bearer,
    SasToken,
    ServiceCredential,
    TopicKey,
)
from leeward_azure.settings.endpoints import (
    EVENTS_SCOPE,
    SERVICE_BUS_SCOPE,
    STORAGE_SCOPE,
    cloud_of,
)
from leeward_azure.settings.options import Settings
from leeward_azure.settings.services import Blobs, Events, Functions, Queues, find_address

ENDPOINT: Final = "IDENTITY_ENDPOINT"
HEADER: Final = "IDENTITY_HEADER"
THUMBPRINT: Final = "IDENTITY_SERVER_THUMBPRINT"
"""Of Service Fabric, whose endpoint has a certificate of its own: left to azure-identity."""

STARTING: Final = frozenset({404, 410})
"""How the metadata service answers while it starts or is renewed; its guide says to ask again."""

_WHERE: Final = "the endpoint of the managed identity"
_NEAR: Final = "this machine or its own link"


@show_only("address")
class Endpoint(NamedTuple):
    """Where to ask.

    Attributes:
        address: with the query up to the resource.
        header: the word that proves the request comes from here.
    """

    address: EndpointAddress
    header: tuple[str, str]


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
        check_host(origin, ENDPOINT, config, is_own=False, whose=_NEAR)
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
        problem = f"{ENDPOINT} and {HEADER} are no longer set"
        raise Unresolved(Outcome.AUTH, "no_credentials", problem)
    origin, target = endpoint.address
    target += f"&resource={percent_encode(scope.removesuffix('/.default'))}"
    if client_id is not None:
        target += f"&client_id={percent_encode(client_id)}"
    return Request("GET", origin, target, (("Accept", "application/json"), endpoint.header))


ANY_ACCOUNT: Final = "https://cosmos.azure.com/.default"
"""What azure-cosmos asks a token for where the account's own host is not known to Entra."""

_GO_FIRST: Final = (
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
)
"""Variables that name a credential which goes before the managed identity."""

_CHOICE: Final = "AZURE_TOKEN_CREDENTIALS"
"""Narrows the chain down: to ``prod`` or ``dev``, or to one credential by its name."""


class _Origin(Enum):
    ENDPOINT = "managed identity"
    MACHINE = "managed identity of the machine"
    CHAIN = "vendor chain"
    NOWHERE = "not configured"


def source_of(
    settings: Settings,
    config: TargetConfig,
    transport: Transport,
    *,
    now: Callable[[], float] = time.time,
    platform: Mapping[str, str] | None = None,
) -> Source:
    """Return the source of credentials of a target, for its resolver.

    Nothing is sent and no vendor package is imported before the first fetch that needs it.

    Args:
        settings: of the target.
        config: of the same.
        transport: carries the request to the managed identity; stays the caller's to close.
        now: gives Unix seconds.
        platform: the environment of this process, from which the hardened mode takes where the
            managed identity is.

    Raises:
        ConfigError: the endpoint of the managed identity must not be asked.
    """
    tokens = _tokens(settings, config, transport, now, _env(config, platform))
    functions = settings.functions or Functions("")
    keys = _keys(settings)
    scopes = {
        "cosmos": _tables_scope(settings),
        "eventgrid": EVENTS_SCOPE,
        "queue": STORAGE_SCOPE,
        "blob": STORAGE_SCOPE,
        "management": cloud_of(settings.authority).management_scope,
        "servicebus": SERVICE_BUS_SCOPE,
        "logs": f"{cloud_of(settings.authority).logs}/.default",
    }
    source = None
    if functions.lookup:
        from leeward_azure.functions.discovery import lookup_source

        source = lookup_source(settings, config, tokens, now)

    def read_settings(what: Any) -> Resolved | None:
        if not isinstance(what, FunctionAddress):
            value: Any = keys.get(what)
        elif functions.lookup or functions.scope:
            value = None
        else:
            value = find_address(what.function, functions)
        return None if value is None else Resolved(value, now())

    def ask(what: Any, timeout: float) -> Resolved:
        if not isinstance(what, FunctionAddress):
            return tokens(Token(scopes[what.service]), timeout)
        token = tokens(Token(functions.scope), timeout) if functions.scope else None
        endpoint = (
            source(what, timeout)
            if source
            else Resolved(find_address(what.function, functions), now())
        )
        return endpoint if token is None else _with_token(endpoint, token)

    return ConfiguredFirst(read_settings, ask)


def describe_source(
    settings: Settings, config: TargetConfig, platform: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """Return in a word or two where the credential of each service comes from, such as ``key``.

    Raises:
        ConfigError: as `source_of`.
    """
    entra = _origin(settings, config, _env(config, platform)).value
    sources = {}
    if settings.functions:
        parts = [
            "key" if settings.functions.key or settings.functions.keys else "",
            entra if settings.functions.scope else "",
            f"looked up by {entra}" if settings.functions.lookup else "",
        ]
        sources["functions"] = ", ".join(filter(None, parts)) or "none"
    if settings.queues:
        sources["queues"] = _describe(settings.queues, entra)
    if settings.events:
        by_topic = "key by topic, else " if settings.events.keys else ""
        sources["events"] = by_topic + _describe(settings.events, entra)
    if settings.workflows:
        sources["workflows"] = "key"
    if settings.blobs:
        sources["blobs"] = _describe(settings.blobs, entra)
    if settings.service_bus:
        sources["service_bus"] = "key" if settings.service_bus.key else entra
    if settings.tables:
        sources["tables"] = "key" if settings.tables.key else entra
    return sources


def _describe(service: Queues | Blobs | Events, entra: str) -> str:
    return "key" if service.key else "signature" if service.sas else entra


def _env(config: TargetConfig, platform: Mapping[str, str] | None) -> Mapping[str, str]:
    if config.trust_env:
        return config.env
    return os.environ if platform is None else platform


def _origin(settings: Settings, config: TargetConfig, env: Mapping[str, str]) -> _Origin:
    if settings.identity == "managed":
        return _Origin.MACHINE if endpoint_of(env, config) is None else _Origin.ENDPOINT
    if not config.trust_env:
        return _Origin.NOWHERE
    if endpoint_of(env, config) is None or _something_goes_first(env):
        return _Origin.CHAIN
    return _Origin.ENDPOINT


def _something_goes_first(env: Mapping[str, str]) -> bool:
    choice = env.get(_CHOICE, "").strip().lower()
    if choice == "managedidentitycredential":
        return False
    return choice not in ("", "prod") or any(env.get(name) for name in _GO_FIRST)


def _tokens(
    settings: Settings,
    config: TargetConfig,
    transport: Transport,
    now: Callable[[], float],
    env: Mapping[str, str],
) -> Source:
    """Return the source of tokens: a `Token` of Entra in, a `Bearer` out."""
    carrier = OneShotTransport() if settings.http.public_only else transport
    match _origin(settings, config, env):
        case _Origin.CHAIN:
            from leeward_azure.identity.vendor import VendorChain

            return VendorChain(settings, now)
        case _Origin.MACHINE:
            return identity_source(lambda: MACHINE, settings.client_id, carrier, now, STARTING)
        case _Origin.ENDPOINT:
            return identity_source(
                lambda: endpoint_of(env, config), settings.client_id, carrier, now
            )
    return _no_tokens


def _no_tokens(what: Any, timeout: float) -> Resolved:
    raise Unresolved(
        Outcome.AUTH,
        "no_credentials",
        "with trust_env = false a token of Entra needs the option identity = 'managed'",
    )


def _keys(settings: Settings) -> Mapping[Any, AccountKey | SasToken]:
    """Return the keys and signatures that are configured."""
    keys: dict[Any, AccountKey | SasToken] = {}
    if settings.tables and settings.tables.key:
        keys[ServiceCredential("cosmos")] = AccountKey(settings.tables.key)
    if settings.service_bus and settings.service_bus.key:
        keys[ServiceCredential("servicebus")] = AccountKey(settings.service_bus.key)
    events, queues = ServiceCredential("eventgrid"), ServiceCredential("queue")
    blobs = ServiceCredential("blob")
    services = ((events, settings.events), (queues, settings.queues), (blobs, settings.blobs))
    for what, service in services:
        if service and service.key:
            keys[what] = AccountKey(service.key)
        elif service and service.sas:
            keys[what] = SasToken(service.sas)
    for topic, key in (settings.events or Events()).keys.items():
        keys[TopicKey(topic)] = AccountKey(key)
    return keys


def _tables_scope(settings: Settings) -> str:
    host = settings.tables.origin.partition("://")[2] if settings.tables else ""
    owned = cloud_of(settings.authority).owns(host, "tables")
    return f"https://{host}/.default" if owned else ANY_ACCOUNT


def _with_token(resolved: Resolved, token: Resolved) -> Resolved:
    """Return an address with the token that a call shows; they end with the one that ends first."""
    ends = [part.expires_at for part in (resolved, token) if part.expires_at is not None]
    value = resolved.value._replace(token=token.value.token)
    return Resolved(value, token.fetched_at, min(ends, default=None))
