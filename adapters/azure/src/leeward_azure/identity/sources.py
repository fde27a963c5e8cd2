"""Where a target's credentials come from, service by service.

A key or a signature that is configured goes before Entra. A token of Entra comes, in the order of
azure-identity's `DefaultAzureCredential`, from a service principal or a workload identity that the
environment names, then from the managed identity; of these, leeward itself reads the endpoint of
App Service and its kin (`IDENTITY_ENDPOINT`). For everything else, and wherever something else
would go first, the vendor's chain decides.

The option `identity` settles it: ``managed`` takes the platform's managed identity and nothing
else, read by leeward; ``default`` is that order. In the hardened mode, ``trust_env = false``,
``managed`` is the only one: it is the operator's word that the platform may be asked, so its two
variables are read all the same, and lead nowhere but to this machine and its own link.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from leeward.adapter import TargetConfig
from leeward.adapter.http_functions import Address
from leeward.adapter.resolver import (
    ConfiguredFirst,
    FunctionAddress,
    Resolved,
    Source,
    Token,
    Unresolved,
)
from leeward.adapter.tokens import OneShotTransport
from leeward.errors import Outcome
from leeward_azure.functions.addresses import address_in
from leeward_azure.identity.credentials import (
    AccountKey,
    SasToken,
    ServiceCredential,
    TopicKey,
)
from leeward_azure.identity.endpoint import MACHINE, STARTING, endpoint_of, identity_source
from leeward_azure.settings.endpoints import (
    EVENTS_SCOPE,
    SERVICE_BUS_SCOPE,
    STORAGE_SCOPE,
    cloud_of,
)
from leeward_azure.settings.options import Settings
from leeward_azure.settings.services import Blobs, Events, Functions, Queues

if TYPE_CHECKING:
    from leeward.adapter.wire import Transport

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
    }
    found = None
    if functions.lookup:
        from leeward_azure.functions.discovery import lookup_source

        found = lookup_source(settings, config, tokens, now)

    def read_configured(what: Any) -> Resolved | None:
        if not isinstance(what, FunctionAddress):
            value: Any = keys.get(what)
        elif functions.lookup or functions.scope:
            value = None
        else:
            value = address_in(what.function, functions)
        return None if value is None else Resolved(value, now())

    def ask(what: Any, timeout: float) -> Resolved:
        if not isinstance(what, FunctionAddress):
            return tokens(Token(scopes[what.service]), timeout)
        token = tokens(Token(functions.scope), timeout) if functions.scope else None
        endpoint = (
            found(what, timeout) if found else Resolved(address_in(what.function, functions), now())
        )
        return endpoint if token is None else _with_token(endpoint, token)

    return ConfiguredFirst(read_configured, ask)


def describe_source(
    settings: Settings, config: TargetConfig, platform: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """Return in a word or two where the credential of each service comes from, such as ``key``.

    Raises:
        ConfigError: as `source_of`.
    """
    entra = _origin(settings, config, _env(config, platform)).value
    found = {}
    if settings.functions:
        found["functions"] = _describe_functions(settings.functions, entra)
    if settings.queues:
        found["queues"] = _describe(settings.queues, entra)
    if settings.events:
        by_topic = "key by topic, else " if settings.events.keys else ""
        found["events"] = by_topic + _describe(settings.events, entra)
    if settings.workflows:
        found["workflows"] = "key"
    if settings.blobs:
        found["blobs"] = _describe(settings.blobs, entra)
    if settings.service_bus:
        found["service_bus"] = "key" if settings.service_bus.key else entra
    if settings.tables:
        found["tables"] = "key" if settings.tables.key else entra
    return found


def _describe(service: Queues | Blobs | Events, entra: str) -> str:
    return "key" if service.key else "signature" if service.sas else entra


def _describe_functions(functions: Functions, entra: str) -> str:
    parts = [
        "key" if functions.key or functions.keys else "",
        entra if functions.scope else "",
        f"looked up by {entra}" if functions.lookup else "",
    ]
    return ", ".join(filter(None, parts)) or "none"


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


def _with_token(found: Resolved, token: Resolved) -> Resolved:
    """Return an address with the token that a call shows; they end with the one that ends first."""
    address: Address = found.value
    ends = [each.expires_at for each in (found, token) if each.expires_at is not None]
    value = address._replace(token=token.value.token)
    return Resolved(value, token.fetched_at, min(ends, default=None))
