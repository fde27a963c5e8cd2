"""Figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Spread

LATEST = Path(__file__).parent / "results/latest.json"


def as_json(figures: Sequence[Figure]) -> str:
    """Write the figures, in seconds, with the verdicts."""
    return json.dumps([asdict(figure) | {"met": figure.met} for figure in figures], indent=2)


def save(figures: Sequence[Figure]) -> None:
    """Keep the figures as the latest ones."""
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(as_json(figures) + "\n", encoding="utf-8")


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print a table, without lines and colours where `console` is no terminal."""
    table = Table(box=SIMPLE_HEAD if console.is_terminal else None)
    for heading in ("CPU", "median", "lowest to highest", "gate"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "CPU" else "right")
    for figure in figures:
        _add(table, figure)
    console.print(table)


def _add(table: Table, figure: Figure) -> None:
    table.add_row(f"[bold]{figure.name}[/]")
    for side in filter(None, (figure.leeward, figure.yardstick, figure.floor)):
        table.add_row(f"  {side.name}", *_times(side.seconds))
    verdict = "[green]met[/]" if figure.met else "[bold red]short[/]"
    ratio = figure.ratio
    spread = f"{ratio.lowest:.2f} to {ratio.highest:.2f}"
    gate = f"{figure.gate:.2f} {verdict}"
    table.add_row("  ratio of the first two", f"{ratio.median:.2f}", spread, gate, end_section=True)


def _times(seconds: Spread) -> tuple[str, str]:
    unit, factor = ("ms", 1e3) if seconds.median >= 1e-3 else ("us", 1e6)
    low, high = seconds.lowest * factor, seconds.highest * factor
    return f"{seconds.median * factor:.2f} {unit}", f"{low:.2f} to {high:.2f} {unit}"
