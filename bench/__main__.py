"""Measure and report: `python -m bench [PART ...] [--quick] [--json]`. Speed fails no build."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from compileall import compile_dir
from importlib import import_module
from pathlib import Path

from rich.console import Console

from bench import report
from bench.figures import QUICK_ROUNDS, ROUNDS, Figure

PARTS = (
    *("router", "aws", "azure", "google", "clouds"),
    *("idempotency", "idempotency_key", "handlers", "local", "backup", "workflow"),
    *("postgres", "postgres_flows"),
)
"""Modules here with a function `measure`, each imported when its turn comes."""


def measure(parts: Sequence[str], rounds: int) -> dict[str, list[Figure]]:
    """Measure the figures of `parts`, in `rounds` rounds."""
    return {part: import_module(f"bench.{part}").measure(rounds) for part in parts}


def compile_sides() -> None:
    """Compile every module that a side may load.

    Where `PYTHONDONTWRITEBYTECODE` is set, no process keeps what it has compiled, and every start
    would measure the compiler.
    """
    for entry in sys.path:
        if Path(entry).is_relative_to(sys.prefix) or entry.endswith("src"):
            compile_dir(entry, quiet=2, workers=0)


def main() -> None:
    """Measure, keep the figures in ``bench/results/latest.json``, and print them."""
    parser = ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; or all")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first look")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    compile_sides()
    figures = measure(chosen.parts or PARTS, QUICK_ROUNDS if chosen.quick else ROUNDS)
    report.save(figures)
    if chosen.json:
        print(report.as_json(figures))
    else:
        report.show(figures, Console())


if __name__ == "__main__":
    main()
