"""Opening a Stratus target: options in, a driver out. Nothing is sent before the first call."""

from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter.hosts import origin_below
from leeward.adapter.opening import Plans, http_options, open_plan_driver
from leeward.adapter.options import Option, read_options
from leeward_stratus.tokens import source_of

OPTIONS = (
    Option(
        "url",
        "the API of a region, such as `https://eu.stratus.example`",
        variables="STRATUS_URL",
        required=True,
        check=origin_below("stratus.example"),
    ),
    Option("client_id", "who asks for tokens", variables="STRATUS_ID", required=True),
    Option("client_secret", "its secret", variables="STRATUS_SECRET", required=True, secret=True),
    *http_options("STRATUS_CA_BUNDLE"),
)


def open_driver(config: TargetConfig) -> Driver:
    """Open a target of Stratus; the entry point ``stratus`` of ``leeward.adapters``.

    Raises:
        ConfigError: a setting is wrong or missing; the message names it and the remedy.
    """
    settings = read_options(config, OPTIONS)
    return open_plan_driver(
        config,
        settings,
        [Plans("invoke settle publish store load delete", "leeward_stratus.plans:plans")],
        source=source_of,
        capabilities={
            Capability.INVOKE,
            Capability.PUBLISH,
            Capability.TABLES,
            Capability.CONDITIONS,
            Capability.EXPIRY,
        },
        limits=Limits(payload_bytes=1024 * 1024, batch_events=25),
        describe={"url": settings["url"]},
    )
