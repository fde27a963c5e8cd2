"""The contract's faults before the services of Google Cloud, and of the other clouds beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tests.servers.aws import faults as aws
from tests.servers.azure import faults as azure
from tests.servers.faultproxy import toxics
from tests.servers.faultproxy.exchange import RequestToxic
from tests.servers.google.cloud_run import ANSWERS, State
from tests.servers.google.refused import JSON, Refused


def _throttled_by_cloud_run() -> RequestToxic:
    """Refuse as Cloud Run does, which has a page for it and no code."""
    return toxics.status(*ANSWERS[State.NO_INSTANCE])


def _throttled_by_api() -> RequestToxic:
    """Refuse as Google's APIs do when a quota of a minute is used up."""
    refused = Refused("RESOURCE_EXHAUSTED", "Quota exceeded.", "RATE_LIMIT_EXCEEDED")
    return toxics.status(*refused.answer())


def _throttled_by_storage() -> RequestToxic:
    """Refuse as Cloud Storage does."""
    error = {"errors": [{"domain": "usageLimits", "reason": "rateLimitExceeded"}], "code": 429}
    return toxics.status(429, (JSON,), json.dumps({"error": error}).encode())


THROTTLED: Final[Mapping[str, Callable[[], RequestToxic]]] = {
    "cloud_run": _throttled_by_cloud_run,
    "pubsub": _throttled_by_api,
    "firestore": _throttled_by_api,
    "storage": _throttled_by_storage,
    "workflows": _throttled_by_api,
}
"""How a service, by its name in `GoogleCloud.proxies`, says that there are too many requests."""


class CloudFaults(aws.ProxyFaults):
    """`leeward_contract_tests.Faults` for clouds of Google, Azure and AWS, at the same time.

    Args:
        clouds: for each, its proxies by service.
    """

    @contextmanager
    def throttle(self) -> Iterator[None]:
        """Let every service refuse every request, in its own words, before anything runs."""
        words = {**aws.THROTTLED, **azure.THROTTLED, **THROTTLED}
        with self._healed_at_the_end():
            for service, proxy in self._proxies():
                proxy.inject(words[service]())
            yield
