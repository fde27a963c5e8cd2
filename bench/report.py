"""Figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Side, Spread, Unit

Parts = Mapping[str, Sequence[Figure]]
"""The figures of each part, by the part's name."""

LATEST = Path(__file__).parent / "results/latest.json"

WIDTH = 132
"""Columns that the table needs; of a pipe nobody knows the width."""


def as_json(parts: Parts) -> str:
    """Write the figures, in their units, with the verdicts."""
    written = {name: [_written(figure) for figure in figures] for name, figures in parts.items()}
    return json.dumps(written, indent=2)


def _written(figure: Figure) -> dict[str, object]:
    return asdict(figure) | {
        "unit": figure.unit.value,
        "met": figure.met,
        "is_behind": figure.is_behind,
        "within_reach": figure.within_reach,
    }


def save(parts: Parts) -> None:
    """Keep the figures as the latest ones."""
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(as_json(parts) + "\n", encoding="utf-8")


def show(parts: Parts, console: Console) -> None:
    """Print a table, and below it each row in which a peer is ahead.

    Where `console` is no terminal, there are no lines and no colours.
    """
    console.width = max(console.width, WIDTH)
    table = Table(box=SIMPLE_HEAD if console.is_terminal else None)
    table.add_column("medians", no_wrap=True)
    for heading in ("leeward", "beside", "ratio", "spread", "gate"):
        table.add_column(heading, no_wrap=True, justify="right")
    table.add_column("", no_wrap=True)
    for name, figures in parts.items():
        table.add_section()
        table.add_row(f"[bold]{name}[/]")
        for figure in figures:
            _add(table, figure)
    console.print(table)
    behind = [(name, each) for name, figures in parts.items() for each in figures if each.is_behind]
    console.print("\nA peer is ahead in" if behind else "\nNo peer is ahead.")
    for name, figure in behind:
        peer = figure.yardstick.name
        console.print(f"  {name}: {figure.name}, {_short(figure.ratio.median)} of {peer}")


def _add(table: Table, figure: Figure) -> None:
    table.add_row(
        figure.name,
        _quantity(figure.leeward, figure.unit),
        f"{figure.yardstick.name} {_quantity(figure.yardstick, figure.unit):>9}",
        *_ratio(figure.ratio),
        f"{'at least' if figure.unit is Unit.RATE else 'at most'} {figure.gate:g}",
        _verdict(figure),
    )
    if figure.floor is not None:
        floor = (_quantity(figure.floor, figure.unit), "", *_ratio(figure.floor.ratio))
        table.add_row(*(f"[dim]{cell}[/]" for cell in (f"  {figure.floor.name}", *floor)))


def _verdict(figure: Figure) -> str:
    if figure.met:
        return "[green]met[/]"
    return "[bold red]short[/]" if figure.within_reach else "[red]short, floor too[/]"


def _ratio(ratio: Spread) -> tuple[str, str]:
    return _short(ratio.median), f"{_short(ratio.lowest)} to {_short(ratio.highest)}"


def _short(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"


def _quantity(side: Side, unit: Unit) -> str:
    number = side.measured.median
    match unit:
        case Unit.CPU | Unit.WALL if number < 1e-3:
            return f"{number * 1e6:.1f} us"
        case Unit.CPU | Unit.WALL:
            return f"{number * 1e3:.1f} ms"
        case Unit.MEMORY:
            return f"{number:.1f} MiB"
        case Unit.RATE:
            return f"{number:,.0f}/s"
