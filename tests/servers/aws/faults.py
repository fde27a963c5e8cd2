"""The contract's faults, made on the wire: by the proxies before the services of some clouds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from leeward.adapter.wire import Response
from tests.servers.aws.refused import Refused
from tests.servers.faultproxy import FaultProxy, toxics
from tests.servers.faultproxy.exchange import RequestToxic


def _throttled_by_lambda() -> RequestToxic:
    """Refuse as Lambda refuses a caller that is too fast."""
    refused = Refused(429, "TooManyRequestsException", "Rate exceeded", "CallerRateLimitExceeded")
    return toxics.status(*refused.answer())


def _throttled_by_events() -> RequestToxic:
    """Refuse as the services with JSON 1.1 do."""
    body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()
    return toxics.status(400, (("Content-Type", "application/x-amz-json-1.1"),), body)


def _throttled_by_dynamodb() -> RequestToxic:
    """Refuse as DynamoDB does, which sends a checksum with everything."""
    kind = "com.amazon.coral.availability#ThrottlingException"
    body = json.dumps({"__type": kind, "message": "Rate exceeded"}).encode()
    headers = (
        ("Content-Type", "application/x-amz-json-1.0"),
        ("x-amz-crc32", str(zlib.crc32(body))),
    )
    return toxics.status(400, headers, body)


def _throttled_by_s3() -> RequestToxic:
    """Refuse as S3 does, in XML."""
    body = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
    return toxics.status(503, (("Content-Type", "application/xml"),), body)


def _throttled_by_step_functions() -> RequestToxic:
    """Refuse as the services with JSON 1.0 do."""
    body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()
    return toxics.status(400, (("Content-Type", "application/x-amz-json-1.0"),), body)


THROTTLED: Final[Mapping[str, Callable[[], RequestToxic]]] = {
    "lambda": _throttled_by_lambda,
    "events": _throttled_by_events,
    "dynamodb": _throttled_by_dynamodb,
    "s3": _throttled_by_s3,
    "stepfunctions": _throttled_by_step_functions,
}
"""How a service, by the name that boto3 gives it, says that there are too many requests."""


class ProxyFaults:
    """`leeward_contract_tests.Faults` for everything behind some proxies.

    Args:
        clouds: for each, its proxies by service.
    """

    on_wire = True

    def __init__(self, *clouds: Mapping[str, FaultProxy]) -> None:
        self._clouds: Sequence[Mapping[str, FaultProxy]] = clouds

    @contextmanager
    def lose_answers(self, times: int) -> Iterator[None]:
        """Let each service lose its next `times` answers, its work done."""
        with self._healed_at_the_end():
            for _, proxy in self._proxies():
                proxy.inject(toxics.answer_lost(), times)
            yield

    @contextmanager
    def refuse(self) -> Iterator[None]:
        """Let no service be reached."""
        with self._healed_at_the_end():
            for _, proxy in self._proxies():
                proxy.inject(toxics.refuse())
            yield

    @contextmanager
    def change_answers(self, change: Callable[[Response], Response]) -> Iterator[None]:
        """Let every service do its work, and change its answers."""
        with self._healed_at_the_end():
            for _, proxy in self._proxies():
                proxy.inject(toxics.changed(change))
            yield

    @contextmanager
    def drip_answers(self, seconds: float) -> Iterator[None]:
        """Let every service do its work, and answer a byte at a time."""
        with self._healed_at_the_end():
            for _, proxy in self._proxies():
                proxy.inject(toxics.slow_drip(seconds))
            yield

    @contextmanager
    def throttle(self) -> Iterator[None]:
        """Let every service refuse every request, in its own words, before anything runs."""
        with self._healed_at_the_end():
            for service, proxy in self._proxies():
                proxy.inject(THROTTLED[service]())
            yield

    def _healed_at_the_end(self) -> AbstractContextManager[None]:
        return _healing([proxy for _, proxy in self._proxies()])

    def _proxies(self) -> Iterator[tuple[str, FaultProxy]]:
        for proxies in self._clouds:
            yield from proxies.items()


@contextmanager
def _healing(proxies: Sequence[FaultProxy]) -> Iterator[None]:
    try:
        yield
    finally:
        for proxy in proxies:
            proxy.heal()
