"""Deliver keys again and again; exit with 1 if money ever moves twice for one.

python -m tests.app.idempotency_sim [--keys N] [--seed N] [--workers N]
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random
from time import perf_counter
from typing import NamedTuple

from tests.app.idempotency_sim.deliveries import Rules
from tests.app.idempotency_sim.episodes import Episode

CHUNK = 10_000
MOST = 7
"""Deliveries of one key that do not come at once."""


class Work(NamedTuple):
    """A share of the keys, and what all its randomness comes from."""

    first: int
    keys: int
    seed: int


def play(work: Work, rules: Sequence[Rules] = (Rules(False), Rules(True))) -> Counter[str]:
    """Play a share; return counts of what happened and of what is wrong."""
    counts: Counter[str] = Counter()
    for number in range(work.first, work.first + work.keys):
        random = Random(f"{work.seed}/{number}")
        at_once = random.random() < 0.5
        deliveries = 5 if at_once else 2 + int(random.random() * (MOST - 1))
        episode = Episode(rules[number % len(rules)], random, deliveries, at_once=at_once)
        for flaw in set(episode.run()):
            counts[f"WRONG: {flaw}"] += 1
        counts.update(episode.happened)
        counts["keys"] += 1
        counts["deliveries"] += deliveries
        counts["money moved"] += episode.effects
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.app.idempotency_sim", description=__doc__)
    parser.add_argument("--keys", type=int, default=20_000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides everything (%(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    began = perf_counter()
    shares = [
        Work(first, min(CHUNK, options.keys - first), options.seed)
        for first in range(0, options.keys, CHUNK)
    ]
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(options.workers) as pool:
        for share in pool.map(play, shares):
            counts += share
    for name, count in sorted(counts.items()):
        print(f"{name:60} {count:>12,}")
    wrong = sum(count for name, count in counts.items() if name.startswith("WRONG"))
    print(f"{'wrong':60} {wrong:>12,}")
    print(f"seed {options.seed}, {perf_counter() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
