"""Measure everything and report it: `python -m bench [--quick] [--json]`. Speed fails no build."""

from __future__ import annotations

from argparse import ArgumentParser

from rich.console import Console

from bench import calls, cold, crowd, imports, report, router, tasks
from bench.cloud import running
from bench.figures import QUICK_ROUNDS, ROUNDS, Figure


def measure(rounds: int) -> list[Figure]:
    """Measure every figure, in `rounds` rounds."""
    with running() as cloud:
        return [
            imports.measure(rounds),
            *cold.measure(cloud, rounds),
            router.measure(rounds),
            *calls.measure(cloud, rounds),
            *crowd.measure(cloud, rounds),
            *tasks.measure(cloud, rounds),
        ]


def main() -> None:
    """Measure, keep the figures in ``bench/results/latest.json``, and print them."""
    parser = ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first look")
    chosen = parser.parse_args()
    figures = measure(QUICK_ROUNDS if chosen.quick else ROUNDS)
    report.save(figures)
    if chosen.json:
        print(report.as_json(figures))
    else:
        report.show(figures, Console())


if __name__ == "__main__":
    main()
