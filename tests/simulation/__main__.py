"""Put the routing's promises to the test; exit with 1 if one is broken.

python -m tests.simulation [--calls N] [--seed N] [--workers N] [--json] [--episode "storm/3"]
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from time import perf_counter

from rich.console import Console

from tests.simulation.episodes import episodes, run_episodes, run_leeward
from tests.simulation.report import WIDTH, Summary, as_json, show
from tests.simulation.scenarios import SCENARIOS, Episode

REPRODUCIBLE = "I15 one seed, one trace"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, report, and return the exit status."""
    options = _options(arguments)
    todo = _todo(options)
    workers = min(options.workers, len(todo))
    summary = Summary(options.seed, workers)
    began = perf_counter()
    summary.add_all(run_episodes(todo, workers))
    summary.seconds = perf_counter() - began
    if run_leeward(todo[-1]).trace != summary.traces[-1]:
        summary.broken[REPRODUCIBLE] += 1
    if options.json:
        print(as_json(summary))
    else:
        console = Console()
        show(summary, console if console.is_terminal else Console(width=WIDTH))
    return 1 if summary.broken else 0


def _options(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--calls", type=_positive, default=100_000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides everything (%(default)s)")
    parser.add_argument(
        "--workers", type=_positive, default=os.cpu_count() or 1, help="processes (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--episode", help="run only this one, with so many calls")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    """Read a number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _todo(options: Namespace) -> list[Episode]:
    if options.episode is None:
        return list(episodes(options.calls, options.seed))
    name, _, number = options.episode.rpartition("/")
    scenarios = {each.name: each for each in SCENARIOS}
    if name not in scenarios:
        sys.exit(f"no scenario {name!r}; give NAME/NUMBER, with one of: {'; '.join(scenarios)}")
    return [Episode(scenarios[name], int(number), options.calls, options.seed)]


if __name__ == "__main__":
    sys.exit(main())
