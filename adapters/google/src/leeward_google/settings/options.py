"""The settings of one Google target: its options, and the variables that Google's users know.

A qualifier, as in ``google:us-central1``, is the region where functions are looked up. A project
is enough for events, queues and tables; where none is set, it is that of the credentials, found
when it is first needed. Without a URL or a region for functions, `invoke` is not declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from leeward.adapter import TargetConfig
from leeward.adapter import options as reading
from leeward.adapter.hosts import check_hardening, check_token_goes_safely
from leeward.adapter.options import Found, find, place
from leeward.errors import ConfigError
from leeward_google.settings.data import read_events, read_tables
from leeward_google.settings.endpoints import Service, check_endpoint
from leeward_google.settings.functions import EMAIL, read_functions, read_queued
from leeward_google.settings.services import Events, Functions, Identity, Tables, Tasks, Topics

OPTIONS: Final[Mapping[str, type]] = {
    "project": str,
    "region": str,
    "function_url": str,
    "functions": dict,
    "function_audience": str,
    "authenticate": bool,
    "functions_endpoint": str,
    "enqueue_topics": dict,
    "tasks_queue": str,
    "tasks_service_account": str,
    "tasks_endpoint": str,
    "pubsub_endpoint": str,
    "firestore_endpoint": str,
    "database": str,
    "identity": str,
    "credentials_file": str,
    "allow_external_account": bool,
    "impersonate": str,
    "iam_endpoint": str,
    "access_token": str,
    "id_token": str,
    "quota_project": str,
    "ca_bundle": str,
    "allowed_hosts": list,
    "allow_private": bool,
}
"""The keys of ``[targets."google..."]``; the last two go with ``trust_env = false``."""

_PROJECT: Final = r"(?:[a-z0-9.-]{1,63}:)?[a-z0-9][a-z0-9-]{0,62}"
_REGION: Final = r"[a-z]+(?:-[a-z0-9]+)+"
_PLAIN: Final = "[!-~]+"


class Settings(NamedTuple):
    """What is in force for one target.

    Attributes:
        functions: for `invoke`; None if it is not configured.
        queued: for `enqueue`.
        events: for `publish`.
        tables: for items.
        project: its id; None to ask for it where the credentials come from.
        region: or None.
        admin: origin of the Cloud Functions API, where functions are looked up.
        identity: who asks.
        ca_bundle: path of a file of CA certificates, or None.
        public_only: for the transport: connect to addresses on the public internet alone. So it
            is in the hardened mode without the option `allow_private`.
    """

    functions: Functions | None
    queued: Topics | Tasks
    events: Events
    tables: Tables
    project: str | None = None
    region: str | None = None
    admin: str = "https://cloudfunctions.googleapis.com"
    identity: Identity = Identity()
    ca_bundle: str | None = None
    public_only: bool = False


def settings_from(config: TargetConfig) -> Settings:
    """Read the settings of a target; an option goes before the environment.

    With ``trust_env = false`` an endpoint is https, on a host of Google's own or one that
    `allowed_hosts` lists, and somebody has to say where credentials come from.

    Raises:
        ConfigError: a setting is wrong; names it and the remedy.
    """
    config.check_options(OPTIONS)
    check_hardening(config)
    project, region = _project(config), _region(config)
    functions = read_functions(config, project, region)
    return Settings(
        functions=functions,
        queued=read_queued(config, functions),
        events=read_events(config),
        tables=read_tables(config),
        project=project,
        region=region,
        admin=_endpoint(config, "functions_endpoint", "cloudfunctions"),
        identity=_identity(config),
        ca_bundle=reading.text(config, "ca_bundle", "REQUESTS_CA_BUNDLE"),
        public_only=not config.trust_env and not config.options.get("allow_private", False),
    )


def _project(config: TargetConfig) -> str | None:
    found = find(config, "project", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT")
    return reading.matching(found, _PROJECT, "the id of a project")


def _region(config: TargetConfig) -> str | None:
    if config.qualifier is not None:
        found: Found | None = Found(config.qualifier, f"the second part of {config.name!r}")
    else:
        found = find(config, "region", "GOOGLE_CLOUD_REGION", "FUNCTION_REGION")
    return reading.matching(found, _REGION, "the name of a region, such as us-central1")


def _endpoint(config: TargetConfig, option: str, service: Service) -> str:
    own, found = f"https://{service}.googleapis.com", find(config, option)
    if found is None:
        return own
    origin = reading.origin(found, own)
    check_endpoint(config, service, origin, found.where)
    check_token_goes_safely(origin, found.where)
    return origin


def _identity(config: TargetConfig) -> Identity:
    metadata = _metadata(config)
    access, bearer = find(config, "access_token"), find(config, "id_token")
    file = find(config, "credentials_file", "GOOGLE_APPLICATION_CREDENTIALS")
    what = "a token, without white space"
    identity = Identity(
        reading.matching(access, _PLAIN, what),
        reading.matching(bearer, _PLAIN, what),
        metadata,
        file.value if file is not None and not metadata else None,
        _external(config),
        reading.matching(
            find(config, "impersonate"), EMAIL, "the e-mail address of a service account"
        ),
        reading.matching(
            find(config, "quota_project", "GOOGLE_CLOUD_QUOTA_PROJECT"),
            _PROJECT,
            "the id of a project",
        ),
        _endpoint(config, "iam_endpoint", "iamcredentials"),
    )
    _check_sources(config, identity)
    return identity


def _metadata(config: TargetConfig) -> bool:
    found = find(config, "identity")
    if found is not None and found.value not in ("default", "metadata"):
        raise ConfigError(f"{found.where} must be 'default' or 'metadata'")
    return found is not None and found.value == "metadata"


def _external(config: TargetConfig) -> bool:
    allowed = bool(config.options.get("allow_external_account", False))
    if allowed and not config.trust_env:
        raise ConfigError(
            f"{place(config, 'allow_external_account')} cannot be true while trust_env is false: "
            "such a file names servers and programs of its own"
        )
    return allowed


def _check_sources(config: TargetConfig, identity: Identity) -> None:
    """Refuse two sources, and in the hardened mode none."""
    options = config.options
    given = [each for each in ("access_token", "id_token") if each in options]
    given = given[:1] + [each for each in ("credentials_file",) if each in options]
    given += ["identity"] if identity.metadata else []
    if len(given) > 1:
        raise ConfigError(
            f"{place(config, given[0])} and {place(config, given[1])} exclude each other: remove "
            "one of them"
        )
    if not given and not config.trust_env:
        raise ConfigError(
            f"{config.name!r} has no credential: with trust_env = false set credentials_file, or "
            f"identity = 'metadata' on a machine of Google's, in {config.section}"
        )
