"""Which hosts a target may name: in the hardened mode, and wherever a token goes."""

from __future__ import annotations

from typing import Final

from leeward.driver import TargetConfig
from leeward.errors import ConfigError
from leeward.http.hosts import check_host
from leeward_azure.endpoints import Cloud, Service

_NAMES: Final[dict[Service, str]] = {
    "functions": "Azure Functions",
    "queue": "Queue storage",
    "events": "Event Grid",
    "tables": "Cosmos DB",
    "management": "the Resource Manager",
}


def check_endpoint(
    config: TargetConfig, cloud: Cloud, service: Service, origin: str, where: str
) -> None:
    """Refuse, with ``trust_env = false``, an endpoint that nobody vouches for.

    Args:
        config: of the target.
        cloud: the target's.
        service: what it is an endpoint of.
        origin: as a request has it.
        where: where it was configured, for the message.

    Raises:
        ConfigError: it is not https, or on a host that is neither Azure's own nor listed.
    """
    if not config.trust_env:
        own = cloud.owns(origin.partition("://")[2], service)
        check_host(origin, where, config, own=own, whose=f"Azure's own for {_NAMES[service]}")


def check_token_goes_safely(origin: str, where: str) -> None:
    """Refuse to send a token, or a key, in clear text to another machine.

    Raises:
        ConfigError: the origin is http and not this machine.
    """
    scheme, _, place = origin.partition("://")
    if scheme == "http" and not is_this_machine(place):
        raise ConfigError(
            f"{where} must be an https URL: over http a credential would go in clear text; only "
            "an emulator on this machine may be asked so"
        )


def is_this_machine(place: str) -> bool:
    """Say whether a host, perhaps with a port, is a loopback address or ``localhost``."""
    from ipaddress import ip_address

    host = place.partition("]")[0].strip("[") if "[" in place else place.partition(":")[0]
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
