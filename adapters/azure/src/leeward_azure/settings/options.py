"""The settings of one Azure target: its options, and the variables that Azure's users know.

A qualifier, as in ``azure:westeurope``, is a free label: it tells two targets apart and settles
nothing. Each service stands for itself: one whose options are missing is not there, and its verbs
are not declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from leeward.adapter import TargetConfig
from leeward.adapter import options as reading
from leeward.adapter.hosts import check_hardening, check_token_goes_safely
from leeward.adapter.options import Found, find
from leeward.errors import ConfigError
from leeward_azure.settings.data import read_events, read_queues, read_tables
from leeward_azure.settings.endpoints import cloud_of
from leeward_azure.settings.functions import read_functions, read_management
from leeward_azure.settings.services import Events, Functions, Lookup, Queues, Tables

OPTIONS: Final[Mapping[str, type]] = {
    "function_app": str,
    "function_url": str,
    "route_prefix": str,
    "routes": dict,
    "function_key": str,
    "function_keys": dict,
    "function_scope": str,
    "subscription_id": str,
    "resource_group": str,
    "management_url": str,
    "storage_connection_string": str,
    "storage_queue_url": str,
    "queues": dict,
    "eventgrid_topic_url": str,
    "eventgrid_topic_urls": dict,
    "eventgrid_namespace_url": str,
    "eventgrid_key": str,
    "eventgrid_keys": dict,
    "eventgrid_sas": str,
    "cosmos_endpoint": str,
    "cosmos_key": str,
    "cosmos_connection_string": str,
    "cosmos_database": str,
    "identity": str,
    "client_id": str,
    "authority_host": str,
    "ca_bundle": str,
    "allowed_hosts": list,
    "allow_private": bool,
}
"""The keys of ``[targets."azure..."]``; the last two go with ``trust_env = false``."""


class Settings(NamedTuple):
    """What is in force for one target.

    Attributes:
        functions: None if `invoke` is not configured; the next three likewise.
        queues: for `enqueue`.
        events: for `publish`.
        tables: for items.
        management: to ask the Resource Manager for anything; None without a subscription.
        identity: where tokens come from: ``default`` or ``managed``; None if nobody said.
        client_id: of a user-assigned managed identity, or None.
        authority: the host that signs in, where it is not the public cloud's.
        ca_bundle: path of a file of CA certificates, or None.
        public_only: for the transport: connect to addresses on the public internet alone. So it
            is in the hardened mode without the option `allow_private`.
    """

    functions: Functions | None = None
    queues: Queues | None = None
    events: Events | None = None
    tables: Tables | None = None
    management: Lookup | None = None
    identity: str | None = None
    client_id: str | None = None
    authority: str | None = None
    ca_bundle: str | None = None
    public_only: bool = False


def settings_from(config: TargetConfig) -> Settings:
    """Read the settings of a target; an option goes before the environment.

    With ``trust_env = false`` an endpoint is https, on a host of Azure's own or one that
    `allowed_hosts` lists.

    Raises:
        ConfigError: nothing is configured, or a setting is wrong; names it and the remedy.
    """
    config.check_options(OPTIONS)
    check_hardening(config)
    authority = _authority(config)
    cloud = cloud_of(authority)
    management = read_management(config, cloud)
    settings = Settings(
        functions=read_functions(config, cloud, management),
        queues=read_queues(config, cloud),
        events=read_events(config, cloud),
        tables=read_tables(config, cloud),
        management=management,
        identity=_identity(config),
        client_id=reading.secret(find(config, "client_id", "AZURE_CLIENT_ID")),
        authority=authority,
        ca_bundle=reading.text(config, "ca_bundle", "REQUESTS_CA_BUNDLE"),
        public_only=not config.trust_env and not config.options.get("allow_private", False),
    )
    if not any(settings[:4]):
        raise _nothing(config)
    _check_tokens(settings, config)
    return settings


def _identity(config: TargetConfig) -> str | None:
    found = find(config, "identity")
    if found is None:
        return None
    if found.value not in ("default", "managed"):
        raise ConfigError(f"{found.where} must be 'default' or 'managed'")
    if found.value == "default" and not config.trust_env:
        raise ConfigError(
            f"{found.where} cannot be 'default' while trust_env is false: that chain reads the "
            "environment and starts programs; set 'managed', or keys"
        )
    return str(found.value)


def _authority(config: TargetConfig) -> str | None:
    found = find(config, "authority_host", "AZURE_AUTHORITY_HOST")
    if found is None:
        return None
    bare = found.value if "://" in found.value else f"https://{found.value}"
    return reading.origin(Found(bare, found.where), "login.microsoftonline.us").partition("://")[2]


def _check_tokens(settings: Settings, config: TargetConfig) -> None:
    """Refuse what would send a token in clear text, or, in the hardened mode, has no source."""
    asking = {name: place for name, place, wants in _askers(settings) if wants}
    for name, place in asking.items():
        if place is not None:
            check_token_goes_safely(place, f"the endpoint of {name}")
    if asking and settings.identity is None and not config.trust_env:
        raise ConfigError(
            f"{config.name!r} has no credential for {next(iter(asking))}: with trust_env = false "
            f"set a key as an option, or identity = 'managed', in {config.section}"
        )


def _askers(settings: Settings) -> list[tuple[str, str | None, bool]]:
    """Return each service by name, its origin, and whether it asks Entra for a token."""
    functions, queues, events, tables = settings[:4]
    found: list[tuple[str, str | None, bool]] = []
    if functions:
        wants = functions.scope is not None or functions.lookup is not None
        found.append(("functions", functions.origin, wants))
    if queues:
        found.append(("queues", queues.origin, not (queues.key or queues.sas)))
    if events:
        wants = not (events.key or events.keys or events.sas)
        found.append(("events", events.namespace, wants))
    if tables:
        found.append(("tables", tables.origin, not tables.key))
    return found


def _nothing(config: TargetConfig) -> ConfigError:
    return ConfigError(
        f"nothing is configured for {config.name!r}: in {config.section} set "
        "function_app or function_url to invoke, storage_connection_string or storage_queue_url "
        "to enqueue, eventgrid_topic_url, eventgrid_topic_urls or eventgrid_namespace_url to "
        "publish, "
        "cosmos_endpoint or cosmos_connection_string with cosmos_database for tables"
    )
