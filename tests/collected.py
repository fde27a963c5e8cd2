"""What is told to OpenTelemetry, collected by an SDK of the test's own."""

from __future__ import annotations

from typing import Any

import pytest


class Collected:
    """An SDK whose exporters keep what they get."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.flushed: list[int] = []
        tracers, meters = TracerProvider(), MeterProvider([self.reader])
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self._tracers = tracers
        monkeypatch.setattr(tracers, "force_flush", self.flushed.append)
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: tracers)
        monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
        monkeypatch.setattr(metrics, "get_meter_provider", lambda: meters)
        monkeypatch.setattr(metrics, "get_meter", meters.get_meter)

    def tracer(self) -> Any:
        """Return a tracer of the test's own."""
        return self._tracers.get_tracer("tests")

    def spans(self) -> list[Any]:
        """Return the spans that have ended."""
        return list(self.exporter.get_finished_spans())

    def bounds(self, name: str) -> list[float]:
        """Return the boundaries of a histogram."""
        data: Any = self.reader.get_metrics_data()
        metrics = data.resource_metrics[0].scope_metrics[0].metrics
        (point, *_) = next(each for each in metrics if each.name == name).data.data_points
        return list(point.explicit_bounds)

    def metrics(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """Return the points of every instrument; of a histogram, how many values it has."""
        data: Any = self.reader.get_metrics_data()
        found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        if data is None:  # no instrument has a value
            return found
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            for point in metric.data.data_points:
                value = point.value if hasattr(point, "value") else point.count
                found.setdefault(metric.name, []).append((dict(point.attributes), value))
        return found
