"""The contract's faults before the services of Azure, and of AWS beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tests.servers.aws import faults as aws
from tests.servers.faultproxy import toxics
from tests.servers.faultproxy.exchange import RequestToxic

WAIT_MS: Final = 15
"""What Cosmos DB asks a throttled client to wait, in milliseconds."""


def _throttled_by_functions() -> RequestToxic:
    """Refuse as the Functions host does: without a body, but for a marker of its own."""
    return toxics.status(429, (("X-FUNCTION-SCALEOUT", "1"),))


def _throttled_by_event_grid() -> RequestToxic:
    """Refuse as Event Grid does."""
    error = {"code": "TooManyRequests", "message": "The rate is too high.", "details": []}
    headers = (("Content-Type", "application/json; charset=utf-8"), ("x-ms-request-id", "r-1"))
    return toxics.status(429, headers, json.dumps({"error": error}).encode())


def _throttled_by_cosmos() -> RequestToxic:
    """Refuse as Cosmos DB does when the request units of a second are used up."""
    headers = (
        ("Content-Type", "application/json"),
        ("x-ms-retry-after-ms", str(WAIT_MS)),
        ("x-ms-substatus", "3200"),
        ("x-ms-request-charge", "0.38"),
    )
    body = json.dumps({"code": "429", "message": "Request rate is large."}).encode()
    return toxics.status(429, headers, body)


def _throttled_by_queues() -> RequestToxic:
    """Refuse as Azure Storage does, whose status for it is 503."""
    body = (
        b'<?xml version="1.0" encoding="utf-8"?><Error><Code>ServerBusy</Code>'
        b"<Message>The server is busy.</Message></Error>"
    )
    headers = (("Content-Type", "application/xml"), ("x-ms-error-code", "ServerBusy"))
    return toxics.status(503, headers, body)


THROTTLED: Final[Mapping[str, Callable[[], RequestToxic]]] = {
    "functions": _throttled_by_functions,
    "event_grid": _throttled_by_event_grid,
    "cosmos": _throttled_by_cosmos,
    "queues": _throttled_by_queues,
    "blobs": _throttled_by_queues,
}
"""How a service, by its name in `AzureCloud.proxies`, says that there are too many requests."""


class CloudFaults(aws.ProxyFaults):
    """`leeward_contract_tests.Faults` for clouds of Azure and of AWS, at the same time.

    Args:
        clouds: for each, its proxies by service.
    """

    @contextmanager
    def throttle(self) -> Iterator[None]:
        """Let every service refuse every request, in its own words, before anything runs."""
        words = {**aws.THROTTLED, **THROTTLED}
        with self._healed_at_the_end():
            for service, proxy in self._proxies():
                proxy.inject(words[service]())
            yield
