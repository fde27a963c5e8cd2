"""Visit every interleaving of calls, kills and settlers of a key; exit with 1 if one is wrong.

python -m tests.app.settle_sim.exhaustive [--full] [--only TEXT ...] [--workers N]
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter
from typing import Any, Final, NamedTuple

from tests.app.settle_sim import redeploys
from tests.app.settle_sim.scenarios import full, quick
from tests.app.settle_sim.space import Search

PAUSE: Final = 60.0
"""Seconds from one report of how far it is to the next."""


class Visit(NamedTuple):
    """What the search of one scenario has found."""

    states: int
    moves: int
    flaw: str | None


def visit(name: str, *, is_full: bool, most: int | None = None) -> Visit:
    """Visit the scenario of this name."""
    logging.disable()
    gc.disable()  # the states are no garbage, and there are many
    found = dict(redeploys.full()).get(name)
    search: Any = found and redeploys.Search(found)
    search = search or Search(dict(full() if is_full else quick())[name])
    search.run(most)
    return Visit(search.visited, search.moves, search.flaw)


def main(arguments: Sequence[str] | None = None) -> int:
    """Visit all, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.app.settle_sim.exhaustive", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all scenarios, not the quick ones")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="scenarios in whose name it, or another, is"
    )
    parser.add_argument("--most", type=int, help="states of each; all by default")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    told = began = perf_counter()
    chosen = (*full(), *redeploys.full()) if options.full else quick()
    wanted = options.only or [""]
    names = [name for name, _ in chosen if any(text in name for text in wanted)]
    states = moves = wrong = 0
    with ProcessPoolExecutor(options.workers) as pool:
        visits = [
            pool.submit(visit, name, is_full=options.full, most=options.most) for name in names
        ]
        for name, future in zip(names, visits, strict=True):
            found = future.result()
            states, moves = states + found.states, moves + found.moves
            if found.flaw is not None:
                wrong += 1
                print(f"WRONG {name}: {found.flaw}", flush=True)
            if perf_counter() - told >= PAUSE:
                told = perf_counter()
                print(f"{name}: {states:,} states so far, {wrong} wrong", file=sys.stderr)
    seconds = perf_counter() - began
    print(f"{len(names)} scenarios, {states:,} states, {moves:,} moves, {seconds:.0f} s")
    print(f"wrong: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
