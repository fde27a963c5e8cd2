"""Which hosts a target may name: in the hardened mode, and wherever a token goes."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import check_host

Service: TypeAlias = Literal[
    "cloudfunctions", "cloudtasks", "firestore", "functions", "iamcredentials", "pubsub", "sts"
]
"""Who is asked: an API by its name in front of ``googleapis.com``, or a function."""

_NAMES: Final[dict[Service, str]] = {
    "cloudfunctions": "the Cloud Functions API",
    "cloudtasks": "Cloud Tasks",
    "firestore": "Firestore",
    "functions": "Cloud Run and Cloud Functions",
    "iamcredentials": "IAM credentials",
    "pubsub": "Pub/Sub",
    "sts": "the Security Token Service",
}

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

_FUNCTION_HOST: Final = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.(?:run\.app|cloudfunctions\.net)")


def check_endpoint(config: TargetConfig, service: Service, origin: str, where: str) -> None:
    """Refuse, with ``trust_env = false``, an endpoint that nobody vouches for.

    Args:
        config: of the target.
        service: what it is an endpoint of.
        origin: as a request has it.
        where: where it was configured, for the message.

    Raises:
        ConfigError: it is not https, or on a host that is neither Google's own nor listed.
    """
    if not config.trust_env:
        own = is_own_host(origin.partition("://")[2], service)
        check_host(origin, where, config, own=own, whose=f"Google's own for {_NAMES[service]}")


def is_own_host(host: str, service: Service) -> bool:
    """Return whether Google itself answers under `host` for `service`.

    An API has its own name, perhaps with a region in front of it or behind it, or the word for
    client certificates, and no other: below ``storage.googleapis.com`` there are hosts for
    everybody's files.
    """
    if service == "functions":
        return _FUNCTION_HOST.fullmatch(host) is not None
    own = rf"(?:{_LABEL}-)?{service}(?:\.mtls|\.{_LABEL}\.rep)?\.googleapis\.com"
    return re.fullmatch(own, host) is not None
