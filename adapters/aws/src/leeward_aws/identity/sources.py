"""Where a target's credentials come from: read by leeward itself, or the vendor's chain.

The order is botocore's (`botocore.credentials.create_credential_resolver`): a profile that the
target names; keys in the environment; web identity and shared files; the container endpoint; the
instance's metadata. The first two of its sources that need no vendor package are read here. For
everything else, and wherever something else would go first, the vendor's chain decides.

The container endpoint is what ECS, EKS and Greengrass offer. Sources: "Container credential
provider" in the AWS SDKs and Tools Reference Guide, and botocore's `ContainerMetadataFetcher` for
which hosts may be asked.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import is_this_machine
from leeward.adapter.resolver import ConfiguredFirst, Resolved, Source, Unresolved
from leeward.adapter.tokens import (
    LARGEST,
    EndpointAddress,
    TokenEndpoint,
    address_in,
    good_until,
    time_in,
)
from leeward.adapter.wire import Request, Transport
from leeward.errors import ConfigError, Outcome
from leeward_aws.identity.credentials import from_environment, make_credentials
from leeward_aws.settings.options import Settings

RELATIVE: Final = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
FULL: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - the same

ECS: Final = "http://169.254.170.2"
"""Where a relative address begins."""

PLAIN_HOSTS: Final = frozenset({"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"})
"""Hosts that may be asked without TLS, besides this machine."""

_WHERE: Final = "the container endpoint"


def address_of(env: Mapping[str, str]) -> EndpointAddress | None:
    """Return the endpoint that `env` names; None where it names none.

    The relative address goes before the full one, and an empty variable counts as absent.

    Raises:
        ConfigError: it is not an address, or one that must not be asked.
    """
    for variable, start in (RELATIVE, ECS), (FULL, ""):
        if value := env.get(variable):
            hosts = f"this machine, or one of {', '.join(sorted(PLAIN_HOSTS))}"
            return address_in(start + value, variable, _may_be_plain, hosts)
    return None


def container_source(
    env: Mapping[str, str], transport: Transport, now: Callable[[], float]
) -> Source:
    """Make a source that asks the endpoint which `env` names, once for each fetch.

    EndpointAddress and token are read again each time: platforms rotate the token's file.

    Args:
        env: the environment, as it is at each fetch.
        transport: carries the request.
        now: gives Unix seconds.
    """
    endpoint = TokenEndpoint(_WHERE, transport)

    def fetch(what: Any, timeout: float) -> Resolved:
        found_ = endpoint.document(lambda: _request(env), timeout)
        # All four members must be there, as for botocore.
        keys = found_.get("AccessKeyId"), found_.get("SecretAccessKey"), found_.get("Token") or ""
        return make_credentials(keys, time_in(found_, "Expiration", _WHERE), now(), _WHERE)

    return fetch


def _may_be_plain(host: str) -> bool:
    return host in PLAIN_HOSTS or is_this_machine(host)


def _request(env: Mapping[str, str]) -> Request:
    address = address_of(env)
    if address is None:
        raise Unresolved(
            Outcome.AUTH, "no_credentials", f"neither {RELATIVE} nor {FULL} is set any longer"
        )
    token = _token(env)
    shown = () if token is None else (("Authorization", token),)
    return Request("GET", *address, (("Accept", "application/json"), *shown))


def _token(env: Mapping[str, str]) -> str | None:
    """Return the token to show, the file's before the variable's own; None for none."""
    token, where = env.get(TOKEN) or None, TOKEN
    if path := env.get(TOKEN_FILE):
        where = f"the file that {TOKEN_FILE} names"
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - a Path would say no more
                token = file.read(LARGEST).decode("latin-1")
        except (OSError, ValueError) as error:  # ValueError: no text that can name a file
            raise Unresolved(Outcome.AUTH, "misconfigured", f"{where} cannot be read") from error
    if token is None or re.fullmatch(r"[ -~]+", token):
        return token
    raise Unresolved(
        Outcome.AUTH,
        "misconfigured",
        f"{where} holds no token that a header can carry: write it in one line of ASCII, without "
        f"a line break at the end",
    )


_FILES: Final = {
    "AWS_SHARED_CREDENTIALS_FILE": ("~/.aws/credentials",),
    "AWS_CONFIG_FILE": ("~/.aws/config",),
    "BOTO_CONFIG": ("/etc/boto.cfg", "~/.boto"),
}
"""Files that may hold credentials, by the variable that names another in their place."""

_BEFORE_CONTAINERS: Final = (
    "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CREDENTIAL_FILE",
)
"""Variables that name a source which goes before the container endpoint."""


_ENVIRONMENT: Final = "environment"
_CONTAINER: Final = "container"
_CHAIN: Final = "vendor chain"
"""Where credentials may come from, in the words of `describe_source`."""


def source_of(
    settings: Settings,
    config: TargetConfig,
    transport: Transport,
    *,
    now: Callable[[], float] = time.time,
    home: str | None = None,
) -> Source:
    """Return the source of credentials of a target, for its resolver.

    Nothing is sent and no vendor package is imported before the first fetch. Keys in the
    environment are read again at each fetch.

    Args:
        settings: of the target.
        config: of the same.
        transport: carries the request to a container endpoint; stays the caller's to close.
        now: gives Unix seconds.
        home: in the hardened mode, the directory that holds ``.aws``; by default the user's own,
            whatever HOME says.

    Raises:
        ConfigError: half a key, a container endpoint that must not be asked, or, in the hardened
            mode, no profile.
    """
    env = _env(config)
    origin = _origin(settings, env)
    if origin == _ENVIRONMENT:

        def source(_: Any, timeout: float = 0.0) -> Resolved:  # a partial would show its `env`
            del timeout
            # The keys of the environment, as they are by now.
            try:
                credentials = from_environment(env)
            except ConfigError as error:
                raise Unresolved(Outcome.AUTH, "misconfigured", str(error)) from error
            if credentials is None:
                raise Unresolved(
                    Outcome.AUTH,
                    "no_credentials",
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are no longer set: set them again",
                )
            where = "the environment (AWS_ACCESS_KEY_ID, AWS_CREDENTIAL_EXPIRATION)"
            return good_until(credentials.expires_at, credentials, now(), where)

        return ConfiguredFirst(source, source)
    if origin == _CONTAINER:
        return container_source(env, transport, now)
    if not (config.trust_env or settings.profile_first):
        raise ConfigError(
            f"{config.name!r} has no credentials: with trust_env = false only a profile counts, so "
            f"set profile in {config.section}"
        )
    from leeward_aws.identity.vendor import VendorChain

    return VendorChain(settings, config, now, home)


def describe_source(settings: Settings, config: TargetConfig) -> str:
    """Return in a word or two where credentials come from, such as ``profile dev``.

    Raises:
        ConfigError: as `source_of`, for half a key or a bad endpoint.
    """
    env = _env(config)
    origin = _origin(settings, env)
    profile = _profile(settings, env)
    return f"profile {profile}" if origin == _CHAIN and profile else origin


def _env(config: TargetConfig) -> Mapping[str, str]:
    return config.env if config.trust_env else {}


def _origin(settings: Settings, env: Mapping[str, str]) -> str:
    if settings.profile_first:
        return _CHAIN
    if from_environment(env) is not None:
        return _ENVIRONMENT

    return _CHAIN if address_of(env) is None or _something_goes_first(env) else _CONTAINER


def _profile(settings: Settings, env: Mapping[str, str]) -> str | None:
    if settings.profile_first:
        return settings.profile
    return env.get("AWS_DEFAULT_PROFILE") or settings.profile  # botocore's order of the two


def _something_goes_first(env: Mapping[str, str]) -> bool:
    """Return whether anything is there that botocore asks before the container endpoint.

    A file counts as soon as it exists: what it says is for the vendor's chain to read.
    """
    if any(env.get(name) for name in _BEFORE_CONTAINERS):
        return True
    paths = [
        path
        for variable, usual in _FILES.items()
        for path in ((env[variable],) if env.get(variable) else usual)
    ]
    # As botocore spells it out, and silent where there is no home.
    full = [os.path.expanduser(os.path.expandvars(path)) for path in paths]  # noqa: PTH111
    return any(os.path.isfile(path) for path in full)  # noqa: PTH113
