"""Where a target's credentials come from, scope by scope.

A key or a signature that is configured goes before Entra. A token of Entra comes, in the order of
azure-identity's `DefaultAzureCredential`, from a service principal or a workload identity that the
environment names, then from the managed identity; of these, leeward itself reads the endpoint of
App Service and its kin (`IDENTITY_ENDPOINT`). For everything else, and wherever something else
would go first, the vendor's chain decides.

The option `identity` settles it: ``managed`` takes the platform's managed identity and nothing
else, read by leeward; ``default`` is that order. In the hardened mode, ``trust_env = false``,
``managed`` is the only one: it is the operator's word that the platform may be asked, so its two
variables are read all the same, and lead nowhere but to https or this machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from leeward.adapter import TargetConfig
from leeward.adapter.lazy_plans import OneShotTransport
from leeward.adapter.resolver import Credential, NoCredential, Source
from leeward.errors import Outcome
from leeward_azure.functions.addresses import SCOPE as FUNCTION
from leeward_azure.functions.addresses import Address, key_of, path_to
from leeward_azure.identity.credentials import AccountKey, SasToken
from leeward_azure.identity.endpoint import Place, identity_source, place_of, place_on_machine
from leeward_azure.settings.endpoints import EVENTS_SCOPE, QUEUE_SCOPE, cloud_of
from leeward_azure.settings.options import Settings
from leeward_azure.settings.services import TOPIC_KEY, Events, Functions, Queues

if TYPE_CHECKING:
    from leeward.http.transport import Transport

MANAGEMENT: Final = "management"
"""The scope of a token for the Resource Manager."""

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
    """Return the source of credentials of a target, for the cache.

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
    env = _env(config, platform)
    origin = _origin(settings, config, env)
    tokens = _tokens(settings, origin, env, transport, now)
    sources = {
        "cosmos": _kept(_tables_key(settings), tokens, _tables_scope(settings), now),
        "eventgrid": _kept(_secret(settings.events), tokens, EVENTS_SCOPE, now),
        "queue": _kept(_secret(settings.queues), tokens, QUEUE_SCOPE, now),
        MANAGEMENT: _kept(None, tokens, cloud_of(settings.authority).management_scope, now),
    }
    for topic, key in (settings.events or Events()).keys.items():
        sources[TOPIC_KEY + topic] = _kept(AccountKey(key), tokens, EVENTS_SCOPE, now)
    addresses = _addresses(settings, config, tokens, now)

    def fetch(scope: str, timeout: float) -> Credential:
        source = addresses if scope.startswith(FUNCTION) else sources[scope]
        return source(scope, timeout)

    return fetch


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
    if settings.tables:
        found["tables"] = "key" if settings.tables.key else entra
    return found


def _describe(service: Queues | Events, entra: str) -> str:
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
        return _Origin.MACHINE if place_of(env) is None else _Origin.ENDPOINT
    if not config.trust_env:
        return _Origin.NOWHERE
    if place_of(env) is None or _something_goes_first(env):
        return _Origin.CHAIN
    return _Origin.ENDPOINT


def _something_goes_first(env: Mapping[str, str]) -> bool:
    choice = env.get(_CHOICE, "").strip().lower()
    if choice == "managedidentitycredential":
        return False
    return choice not in ("", "prod") or any(env.get(name) for name in _GO_FIRST)


def _tokens(
    settings: Settings,
    origin: _Origin,
    env: Mapping[str, str],
    transport: Transport,
    now: Callable[[], float],
) -> Source:
    """Return the source of tokens: a scope of Entra in, a `Bearer` out."""
    if origin is _Origin.CHAIN:
        from leeward_azure.identity.vendor import VendorIdentity

        return VendorIdentity(settings, now)
    if origin is _Origin.NOWHERE:
        return _no_tokens

    def find() -> Place:
        return place_of(env) or place_on_machine()

    carrier = OneShotTransport() if settings.public_only else transport
    return identity_source(find, settings.client_id, carrier, now)


def _no_tokens(scope: str, timeout: float) -> Credential:
    raise NoCredential(
        Outcome.AUTH,
        "no_credentials",
        "with trust_env = false a token of Entra needs the option identity = 'managed'",
    )


def _kept(secret: Any, tokens: Source, scope: str, now: Callable[[], float]) -> Source:
    """Return the source of what is configured, or else of a token for `scope`."""

    def fetch(_: str, timeout: float) -> Credential:
        return tokens(scope, timeout) if secret is None else Credential(secret, now())

    return fetch


def _secret(service: Queues | Events | None) -> AccountKey | SasToken | None:
    if service is None or not (service.key or service.sas):
        return None
    return AccountKey(service.key) if service.key else SasToken(service.sas or "")


def _tables_key(settings: Settings) -> AccountKey | None:
    tables = settings.tables
    return AccountKey(tables.key) if tables and tables.key else None


def _tables_scope(settings: Settings) -> str:
    host = settings.tables.origin.partition("://")[2] if settings.tables else ""
    owned = cloud_of(settings.authority).owns(host, "tables")
    return f"https://{host}/.default" if owned else ANY_ACCOUNT


def _addresses(
    settings: Settings, config: TargetConfig, tokens: Source, now: Callable[[], float]
) -> Source:
    """Return the source of functions' addresses, with a token where the app wants one."""
    functions = settings.functions or Functions("")
    if functions.lookup:
        from leeward_azure.functions.discovery import lookup_source

        found = lookup_source(settings, config, tokens, now)
    else:
        found = _configured(functions, now)
    wanted = functions.scope
    if wanted is None:
        return found

    def with_token(scope: str, timeout: float) -> Credential:
        token = tokens(wanted, timeout)
        place = found(scope, timeout)
        address: Address = place.secret
        ends = [each for each in (token.expires_at, place.expires_at) if each is not None]
        secret = address._replace(token=token.secret.token)
        return Credential(secret, token.fetched_at, min(ends, default=None))

    return with_token


def _configured(functions: Functions, now: Callable[[], float]) -> Source:
    def fetch(scope: str, timeout: float) -> Credential:
        name = scope.removeprefix(FUNCTION)
        key, path = key_of(name, functions), path_to(name, functions)
        return Credential(Address(functions.origin or "", path, key), now())

    return fetch
