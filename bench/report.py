"""Figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Unit

LATEST = Path(__file__).parent / "results/latest.json"

WIDTH = 108
"""Columns that the table needs; of a pipe nobody knows the width."""


def as_json(figures: Sequence[Figure]) -> str:
    """Write the figures, in their units, with the verdicts."""
    written = [
        asdict(figure) | {"unit": figure.unit.value, "met": figure.met} for figure in figures
    ]
    return json.dumps(written, indent=2)


def save(figures: Sequence[Figure]) -> None:
    """Keep the figures as the latest ones."""
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(as_json(figures) + "\n", encoding="utf-8")


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print a table, without lines and colours where `console` is no terminal."""
    console.width = max(console.width, WIDTH)
    table = Table(box=SIMPLE_HEAD if console.is_terminal else None)
    table.add_column("medians", no_wrap=True)
    for heading in ("leeward", "beside", "ratio", "spread", "gate"):
        table.add_column(heading, no_wrap=True, justify="right")
    table.add_column("", no_wrap=True)
    for figure in figures:
        _add(table, figure)
    console.print(table)


def _add(table: Table, figure: Figure) -> None:
    ratio, yardstick = figure.ratio, figure.yardstick
    table.add_row(
        figure.name,
        _quantity(figure.leeward.measured.median, figure.unit),
        f"{yardstick.name} {_quantity(yardstick.measured.median, figure.unit):>9}",
        _short(ratio.median),
        f"{_short(ratio.lowest)} to {_short(ratio.highest)}",
        f"{'at least' if figure.unit is Unit.RATE else 'at most'} {figure.gate:g}",
        "[green]met[/]" if figure.met else "[bold red]short[/]",
    )
    if figure.floor is not None:
        floor = _quantity(figure.floor.measured.median, figure.unit)
        table.add_row(f"[dim]  of that, {figure.floor.name}[/]", f"[dim]{floor}[/]")


def _short(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"


def _quantity(number: float, unit: Unit) -> str:
    match unit:
        case Unit.CPU if number < 1e-3:
            return f"{number * 1e6:.1f} us"
        case Unit.CPU:
            return f"{number * 1e3:.1f} ms"
        case Unit.MEMORY:
            return f"{number:.1f} MiB"
        case Unit.RATE:
            return f"{number:,.0f}/s"
