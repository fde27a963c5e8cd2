"""The settings of one AWS target: its options, and the variables that AWS's users know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from leeward.driver import TargetConfig
from leeward.errors import ConfigError
from leeward.http.hosts import check_hardening, check_host
from leeward_aws.endpoints import Service, check_region, endpoint, is_own_host

OPTIONS: Final[Mapping[str, type]] = {
    "region": str,
    "profile": str,
    "ca_bundle": str,
    "endpoint_url": str,
    "endpoint_url_lambda": str,
    "endpoint_url_eventbridge": str,
    "endpoint_url_dynamodb": str,
    "use_fips_endpoint": bool,
    "use_dualstack_endpoint": bool,
    "allowed_hosts": list,
    "allow_private": bool,
}
"""The keys of ``[targets."aws:..."]`` that concern the target as a whole, named as in AWS's own
configuration files; the last two are leeward's, and go with ``trust_env = false``."""

_SERVICES: Final[Mapping[Service, str]] = {
    "lambda": "lambda",
    "events": "eventbridge",
    "dynamodb": "dynamodb",
}
"""Services by the name that AWS's variables give them."""


class Settings(NamedTuple):
    """What is in force for one target.

    Attributes:
        region: such as ``us-east-1``.
        endpoints: the origin of each service: ``lambda``, ``events``, ``dynamodb``.
        profile: of AWS's configuration files, or None.
        profile_first: the profile is an option of the target. It then goes before keys in the
            environment; one that ``AWS_PROFILE`` names goes after them, as with boto3.
        ca_bundle: path of a file of CA certificates, or None.
        fips: validated hosts only.
        dualstack: hosts that answer on IPv6 too.
        public_only: for the transport: connect to addresses on the public internet alone. So it is
            in the hardened mode without the option `allow_private`.
    """

    region: str
    endpoints: Mapping[Service, str]
    profile: str | None = None
    profile_first: bool = False
    ca_bundle: str | None = None
    fips: bool = False
    dualstack: bool = False
    public_only: bool = False


class _Found(NamedTuple):
    """A setting, and for messages where it was found."""

    value: Any
    where: str

    def __repr__(self) -> str:
        """Leave the value out: a URL may hold a password."""
        return f"_Found({self.where})"


def settings_from(config: TargetConfig) -> Settings:
    """Read the settings of a target; an option goes before the environment.

    Endpoints: `endpoint_url_<service>`, `endpoint_url`, ``AWS_ENDPOINT_URL_<SERVICE>``,
    ``AWS_ENDPOINT_URL``, else AWS's own; ``AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`` puts the two
    variables out of force. An empty variable counts as absent.

    With ``trust_env = false`` an endpoint is https, on a host of AWS's own or one that
    `allowed_hosts` lists.

    Raises:
        ConfigError: there is no region, or a setting is wrong; names it and the remedy.
    """
    config.check_options(OPTIONS)
    check_hardening(config)
    fips = _switch(config, "use_fips_endpoint")
    dualstack = _switch(config, "use_dualstack_endpoint")
    region = _region(config)
    profile = _setting(config, "profile", "AWS_PROFILE")
    ca_bundle = _setting(config, "ca_bundle", "AWS_CA_BUNDLE")
    return Settings(
        region=region,
        endpoints={
            service: _own_endpoint(config, service, region, fips or dualstack)
            or endpoint(service, region, fips=fips is not None, dualstack=dualstack is not None)
            for service in _SERVICES
        },
        profile=profile and profile.value,
        profile_first="profile" in config.options,
        ca_bundle=ca_bundle and ca_bundle.value,
        fips=fips is not None,
        dualstack=dualstack is not None,
        public_only=not config.trust_env and not config.options.get("allow_private", False),
    )


def _region(config: TargetConfig) -> str:
    if config.qualifier is not None:
        found: _Found | None = _Found(config.qualifier, f"the second part of {config.name!r}")
    else:
        found = _setting(config, "region", "AWS_REGION", "AWS_DEFAULT_REGION")
    if found is None:
        variable = ", or set AWS_REGION" if config.trust_env else ""
        raise ConfigError(
            f'{config.name!r} has no region: write it as "{config.provider}:us-east-1", or set '
            f'region in [targets."{config.name}"]{variable}'
        )
    check_region(found.value, found.where)
    region: str = found.value
    return region


def _own_endpoint(
    config: TargetConfig, service: Service, region: str, switch: _Found | None
) -> str | None:
    """Give the endpoint that replaces AWS's own for one service, if there is one.

    `switch` is a setting that asks for another form of AWS's own, if one does.
    """
    name = _SERVICES[service]
    found = _option(config, f"endpoint_url_{name}") or _option(config, "endpoint_url")
    if found is None and _switch(config, "ignore_configured_endpoint_urls") is None:
        found = _variable(config, f"AWS_ENDPOINT_URL_{name.upper()}", "AWS_ENDPOINT_URL")
    if found is None:
        return None
    if switch:
        raise ConfigError(
            f"{found.where} and {switch.where} exclude each other: an endpoint of your own has no "
            f"other form, so unset one of them"
        )
    origin = _origin(found)
    if not config.trust_env:
        own = is_own_host(origin.partition("://")[2], service, region)
        whose = f"AWS's own for {service} in {region}"
        check_host(origin, found.where, config, own=own, whose=whose)
    return origin


def _origin(found: _Found) -> str:
    """Give the origin of a URL. The URL may hold a password, so no message repeats it."""
    pattern = r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?)(?::([0-9]{1,5}))?/?"
    # ASCII, or the Kelvin sign would be a k.
    parts = re.fullmatch(pattern, found.value, re.ASCII | re.IGNORECASE)
    if parts is None or (parts[3] and not 0 < int(parts[3]) < 65536):
        raise ConfigError(
            f"{found.where} must be a scheme, a host and perhaps a port, such as "
            f"http://localhost:4566, without user, path or query"
        )
    scheme, host = parts[1].lower(), parts[2].lower()
    port = {"http": 80, "https": 443}[scheme]
    suffix = f":{int(parts[3])}" if parts[3] and int(parts[3]) != port else ""
    return f"{scheme}://{host}{suffix}"


def _switch(config: TargetConfig, name: str) -> _Found | None:
    """Give a setting that is on; None for one that is off."""
    found = _setting(config, name, f"AWS_{name.upper()}")
    if found is None or found.value is True:
        return found
    text = str(found.value).lower()
    if text not in ("true", "false"):
        raise ConfigError(f"{found.where} must be true or false")
    return found if text == "true" else None


def _setting(config: TargetConfig, option: str, *variables: str) -> _Found | None:
    return _option(config, option) or _variable(config, *variables)


def _option(config: TargetConfig, name: str) -> _Found | None:
    if name not in config.options:
        return None
    return _Found(config.options[name], f'{name!r} in [targets."{config.name}"]')


def _variable(config: TargetConfig, *names: str) -> _Found | None:
    """Give the first of the variables that is set and not empty."""
    for name in names:
        if value := config.env.get(name):
            return _Found(value, name)
    return None
