"""The settings of one AWS target: its options, and the variables that AWS's users know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from leeward.adapter import TargetConfig
from leeward.adapter import options as reading
from leeward.adapter.hosts import check_hardening, check_host
from leeward.adapter.options import Found, find
from leeward.errors import ConfigError
from leeward_aws.settings.endpoints import Service, check_region, endpoint, is_own_host

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
    profile = find(config, "profile", "AWS_PROFILE")
    ca_bundle = find(config, "ca_bundle", "AWS_CA_BUNDLE")
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
        found: Found | None = Found(config.qualifier, f"the second part of {config.name!r}")
    else:
        found = find(config, "region", "AWS_REGION", "AWS_DEFAULT_REGION")
    if found is None:
        variable = ", or set AWS_REGION" if config.trust_env else ""
        raise ConfigError(
            f'{config.name!r} has no region: write it as "{config.provider}:us-east-1", or set '
            f"region in {config.section}{variable}"
        )
    check_region(found.value, found.where)
    region: str = found.value
    return region


def _own_endpoint(
    config: TargetConfig, service: Service, region: str, switch: Found | None
) -> str | None:
    """Return the endpoint that replaces AWS's own for one service, if there is one.

    `switch` is a setting that asks for another form of AWS's own, if one does.
    """
    name = _SERVICES[service]
    found = find(config, f"endpoint_url_{name}") or find(config, "endpoint_url")
    if found is None and _switch(config, "ignore_configured_endpoint_urls") is None:
        found = reading.variable(config, f"AWS_ENDPOINT_URL_{name.upper()}", "AWS_ENDPOINT_URL")
    if found is None:
        return None
    if switch:
        raise ConfigError(
            f"{found.where} and {switch.where} exclude each other: an endpoint of your own has no "
            f"other form, so unset one of them"
        )
    origin = reading.origin(found, "http://localhost:4566")
    if not config.trust_env:
        own = is_own_host(origin.partition("://")[2], service, region)
        whose = f"AWS's own for {service} in {region}"
        check_host(origin, found.where, config, own=own, whose=whose)
    return origin


def _switch(config: TargetConfig, name: str) -> Found | None:
    return reading.switch(find(config, name, f"AWS_{name.upper()}"))
