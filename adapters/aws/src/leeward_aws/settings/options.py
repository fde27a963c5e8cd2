"""The settings of one AWS target: its options, and the variables that AWS's users know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import origin_of
from leeward.adapter.opening import HttpSettings, http_options, http_settings
from leeward.adapter.options import Option, Setting, Values, read_options, refuse_both
from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward_aws.settings.endpoints import ServiceName, check_endpoint, check_region, endpoint


def _region(setting: Setting, _: Values) -> str:
    check_region(setting.value, setting.where)
    return str(setting.value)


_SERVICES: Final[Mapping[ServiceName, str]] = {
    "lambda": "lambda",
    "events": "eventbridge",
    "dynamodb": "dynamodb",
    "s3": "s3",
    "sqs": "sqs",
    "states": "sfn",
    "scheduler": "scheduler",
    "logs": "cloudwatch_logs",
}
"""Services by the name that AWS's variables give them."""

OPTIONS: Final = (
    Option("region", "for the target `aws`; `aws:us-east-1` names its own",
           variables="AWS_REGION AWS_DEFAULT_REGION", qualifier=True, check=_region),
    Option("profile", "of AWS's configuration files, through the whole chain of botocore",
           variables="AWS_PROFILE"),
    Option("endpoint_url", "another endpoint, for all services: an emulator, a private link",
           variables="AWS_ENDPOINT_URL"),
    *(Option(f"endpoint_url_{name}", f"for {name} only; wins over `endpoint_url` and its variable",
             variables=f"AWS_ENDPOINT_URL_{name.upper()}") for name in _SERVICES.values()),
    Option("ignore_configured_endpoint_urls", "`true`: the variables above do not count", bool,
           variables="AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", key=False, default=False),
    Option("use_fips_endpoint", "AWS's hosts whose cryptography is validated", bool,
           variables="AWS_USE_FIPS_ENDPOINT", default=False),
    Option("use_dualstack_endpoint", "AWS's hosts that answer on IPv6 too", bool,
           variables="AWS_USE_DUALSTACK_ENDPOINT", default=False),
    *http_options("AWS_CA_BUNDLE"),
)  # fmt: skip
"""Named as in AWS's own configuration files."""


class Settings(NamedTuple):
    """What is in force for one target.

    Attributes:
        region: such as ``us-east-1``.
        endpoints: the origin of each service: ``lambda``, ``events``, ``dynamodb``,
            ``s3``, ``sqs``, ``states``, ``scheduler``, ``logs``.
        profile: of AWS's configuration files, or None.
        profile_first: the profile is an option of the target. It then goes before keys in the
            environment; one that ``AWS_PROFILE`` names goes after them, as with boto3.
        fips: validated hosts only.
        dualstack: hosts that answer on IPv6 too.
        http: how requests are carried.
    """

    region: str
    endpoints: Mapping[ServiceName, str]
    profile: str | None = None
    profile_first: bool = False
    fips: bool = False
    dualstack: bool = False
    http: HttpSettings = HttpSettings()


def settings_from(config: TargetConfig) -> Settings:
    """Read the settings of a target.

    Raises:
        ConfigError: there is no region, or a setting is wrong; names it and the remedy.
    """
    values = read_options(config, OPTIONS)
    if values["region"] is None:
        variable = ", or set AWS_REGION" if config.trust_env else ""
        raise ConfigError(
            f'{config.name!r} has no region: write it as "{config.provider}:us-east-1", or set '
            f"region in {config.section}{variable}"
        )
    return Settings(
        region=values["region"],
        endpoints={service: _endpoint(service, values) for service in _SERVICES},
        profile=values["profile"],
        profile_first="profile" in config.options,
        fips=values["use_fips_endpoint"],
        dualstack=values["use_dualstack_endpoint"],
        http=http_settings(values),
    )


def _endpoint(service: ServiceName, values: Values) -> str:
    """Return where a service is asked: at an endpoint that is configured, else at AWS's own."""
    region, fips, dualstack = "region", "use_fips_endpoint", "use_dualstack_endpoint"
    for_service = values.setting(f"endpoint_url_{_SERVICES[service]}")
    urls = [url for url in (for_service, values.setting("endpoint_url")) if url is not None]
    urls.sort(key=lambda url: url.variable)  # both options go before both variables
    if values["ignore_configured_endpoint_urls"]:
        urls = [url for url in urls if not url.variable]
    if not urls:
        return endpoint(service, values[region], fips=values[fips], dualstack=values[dualstack])
    for switch in map(values.setting, (fips, dualstack)):
        if switch is not None and switch.value:
            refuse_both(urls[0], switch)
    origin = origin_of(urls[0], "http://localhost:4566")
    check_endpoint(values.config, service, values[region], origin, urls[0].where)
    return origin
