"""Metrics in CloudWatch's embedded metric format: a line of the log for each run, and no collector.

``app.handler("aws", emf="Shop")`` switches it on, with the namespace of the metrics. They have the
names that OpenTelemetry gets. Each set of values of the dimensions is a metric that is paid for, so
those are the app and the handler, and nothing that a caller has sent.

Source: "Specification: Embedded metric format" in the documentation of CloudWatch.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final

from leeward.app.kit import Answer, App, Delivery, Handler, Host, Platform, otel, trace_ids
from leeward.errors import ConfigError
from leeward.json_text import encode

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9._#:/-]{1,256}")

_DIMENSIONS: Final = [[otel.SERVICE, otel.FAAS_NAME]]

_METRICS: Final = [
    {"Name": otel.INVOCATIONS, "Unit": "Count"},
    {"Name": otel.ERRORS, "Unit": "Count"},
    {"Name": otel.COLD_STARTS, "Unit": "Count"},
    {"Name": otel.INVOKE_SECONDS, "Unit": "Seconds"},
]


class MeasuredHost(Host):
    """A host that writes a line of metrics for each run of a handler."""

    def __init__(self, app: App, platform: Platform, namespace: str) -> None:
        """Check the namespace of the metrics.

        Raises:
            ConfigError: CloudWatch takes no such namespace.
        """
        if _NAMESPACE.fullmatch(namespace) is None:
            raise ConfigError(
                f"emf is {namespace!r}; it must be the namespace of the metrics: at most 256 "
                "letters, digits and . _ # : / -"
            )
        super().__init__(app, platform)
        self._namespace = namespace
        self._is_warm = False

    def run(self, handler: Handler, delivery: Delivery) -> Answer:
        """Run a handler, and write how that went."""
        is_cold, self._is_warm = not self._is_warm, True
        clock = self.platform.clock
        began = clock.monotonic()
        answer = super().run(handler, delivery)
        line = self._line(handler, delivery, answer, clock.monotonic() - began, is_cold=is_cold)
        # As it is: a formatter of logs would put something around it.
        sys.stdout.write(f"{encode(line).decode()}\n")
        return answer

    def _line(
        self, handler: Handler, delivery: Delivery, answer: Answer, seconds: float, *, is_cold: bool
    ) -> dict[str, Any]:
        failure = answer.failure
        fields: dict[str, Any] = {
            "_aws": {
                "Timestamp": int(self.platform.clock.now() * 1000),
                "CloudWatchMetrics": [
                    {"Namespace": self._namespace, "Dimensions": _DIMENSIONS, "Metrics": _METRICS}
                ],
            },
            otel.SERVICE: self.app.name,
            otel.FAAS_NAME: handler.name,
            otel.INVOCATIONS: int(failure is None),
            otel.ERRORS: int(failure is not None),
            otel.COLD_STARTS: int(is_cold),
            otel.INVOKE_SECONDS: seconds,
            otel.FAAS_ID: delivery.call_id,
        }
        if failure is not None:
            fields[otel.ERROR] = failure.type
        ids = trace_ids(delivery.trace)
        return fields if ids is None else {**fields, "trace_id": ids.trace}
