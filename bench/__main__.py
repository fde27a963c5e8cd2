"""Measure everything and report it: `python -m bench [--json]`. Speed never fails a build."""

from __future__ import annotations

from argparse import ArgumentParser

from rich.console import Console

from bench import imports, report, router


def main() -> None:
    """Measure, keep the figures in ``bench/results/latest.json``, and print them."""
    parser = ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    as_json: bool = parser.parse_args().json
    figures = [imports.measure(), router.measure()]
    report.save(figures)
    if as_json:
        print(report.as_json(figures))
    else:
        report.show(figures, Console())


if __name__ == "__main__":
    main()
