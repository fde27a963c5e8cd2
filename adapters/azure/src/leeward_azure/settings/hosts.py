"""Which hosts a target may name: in the hardened mode, and wherever a token goes."""

from __future__ import annotations

from typing import Final

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import check_host
from leeward_azure.settings.endpoints import Cloud, Service

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
