"""Draw the trace of one call that moves to another target: docs/pictures/trace.svg.

The call, its app and OpenTelemetry's SDK are real, and so are the lengths of the bars; only the
targets are both in this process, and the first one cannot be reached.

.venv/bin/python docs/trace_picture.py
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from time import sleep
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from leeward import App, Client, Config
from leeward.config import FunctionConfig
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from leeward.values import Effect

PICTURE = Path(__file__).parent / "pictures" / "trace.svg"
WIDTH, NAMES, ROW = 860, 290, 30
"""Pixels: of the picture, of the names at its left, and from one row to the next."""

COLOURS = {"SERVER": "#2f6f4f", "CONSUMER": "#2f6f4f", "CLIENT": "#3a6ea5", "PRODUCER": "#8a6d3b"}


def main() -> None:
    """Make the call, and draw its spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    make_the_call()
    PICTURE.write_text(drawn(list(exporter.get_finished_spans())), encoding="utf-8")


def make_the_call() -> None:
    """Place an order at the second of two targets; paying for it is a call of the handler's own."""
    app = App("shop", otel=True)

    @app.function()
    def place_order(order: dict[str, Any]) -> None:
        sleep(0.01)
        second.store_data("orders", order)
        second.invoke("take-payment", order)

    @app.function()
    def take_payment(order: dict[str, Any]) -> None:
        sleep(0.02)

    first = FaultyDriver(Local("local:first"))
    first.fail(Fault.REFUSE)
    config = Config(functions={"place-order": FunctionConfig(Effect.IDEMPOTENT)})
    with (
        Client(Local("local:second"), app=app, otel=True) as second,
        Client([first, Local("local:second")], config=config, app=app, otel=True) as client,
    ):
        client.invoke("place-order", {"id": "42"})


def drawn(spans: list[Any]) -> str:
    """Return the spans as a picture: one bar each, below the one that it belongs to."""
    rows = in_order(spans)
    began = min(each.start_time for each, _ in rows)
    scale = (WIDTH - NAMES - 90) / (max(each.end_time for each, _ in rows) - began)
    height = ROW * len(rows) + 20
    box, font = f"0 0 {WIDTH} {height}", 'font-family="monospace" font-size="13"'
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" {font}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, (span, depth) in enumerate(rows):
        top = 10 + ROW * number
        left = NAMES + (span.start_time - began) * scale
        wide = max(2.0, (span.end_time - span.start_time) * scale)
        colour = COLOURS[span.kind.name] if span.status.is_ok else "#b03a2e"
        seconds = f"{(span.end_time - span.start_time) / 1e6:.1f} ms"
        found += [
            f'<text x="{10 + 16 * depth}" y="{top + 16}">{escape(span.name)}</text>',
            f'<rect x="{left:.1f}" y="{top + 4}" width="{wide:.1f}" height="16" fill="{colour}"/>',
            f'<text x="{left + wide + 6:.1f}" y="{top + 16}" fill="#555">{seconds}</text>',
        ]
    return "\n".join([*found, "</svg>", ""])


def in_order(spans: list[Any]) -> list[tuple[Any, int]]:
    """Return the spans as a tree is read, each with its depth."""
    children: dict[int | None, list[Any]] = {}
    for each in sorted(spans, key=lambda span: span.start_time):
        children.setdefault(each.parent.span_id if each.parent else None, []).append(each)

    def below(parent: int | None, depth: int) -> list[tuple[Any, int]]:
        return [
            row
            for each in children.get(parent, [])
            for row in [(each, depth), *below(each.context.span_id, depth + 1)]
        ]

    return below(None, 0)


if __name__ == "__main__":
    main()
