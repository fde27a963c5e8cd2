"""Lose answers, kill functions, let packets come late, and settle; exit with 1 at a wrong verdict.

python -m tests.app.settle_sim.simulation [--lost N] [--seed N] [--workers N]
"""

from __future__ import annotations

import logging
import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random
from time import perf_counter
from typing import Final, NamedTuple

from leeward.app.idempotency.settling import Doubt
from tests.app.settle_sim.actors import Kind, Probed, settings_of
from tests.app.settle_sim.oracle import Wrong
from tests.app.settle_sim.places import play_places
from tests.app.settle_sim.rounds import Round
from tests.app.settle_sim.versions import play_versions

CHUNK: Final = 20_000
"""Lost answers of one share."""

PROBED: Final = Kind(True, Probed.DONE_SO_FAR)
CANNOT_TELL: Final = 0.01
"""Share of the keys whose probe cannot tell, of the functions where some cannot."""

FUNCTIONS: Final = {
    "marked, with a probe": PROBED,
    "marked, its probe cannot tell in 1 of 100": PROBED,
    "marked, without a probe": Kind(True),
    "effects anywhere, with a probe": Kind(False, Probed.DONE_SO_FAR),
    "effects anywhere, without a probe": Kind(False),
    "marked, and can go on after an unknown run": Kind(True, run_unknown=True),
    "marked, with a probe, and a person approves": PROBED._replace(asks=True),
    "anywhere, with a probe, and a person approves": Kind(False, Probed.DONE_SO_FAR, asks=True),
    "anywhere, goes on after an unknown run, and a person approves": Kind(
        False, Probed.MUTE, run_unknown=True, asks=True
    ),
}
"""By turns; the second one has a `Probed.MUTE` now and then."""


class Share(NamedTuple):
    """A share of the rounds, and what all its randomness comes from."""

    number: int
    lost: int
    seed: int


def play(share: Share) -> Counter[str]:
    """Play until so many answers are lost; return counts of what happened, and what is wrong."""
    logging.disable()
    counts: Counter[str] = Counter()
    settings = {kind: settings_of(kind) for kind in FUNCTIONS.values()}
    mute = Kind(True, Probed.MUTE)
    settings[mute] = settings_of(mute)
    number = 0
    while counts["answers lost"] < share.lost:
        random = Random(f"{share.seed}/{share.number}/{number}")
        name = list(FUNCTIONS)[number % len(FUNCTIONS)]
        kind, number = FUNCTIONS[name], number + 1
        if "cannot tell" in name and random.random() < CANNOT_TELL:
            kind = mute
        this = Round(kind, settings[kind], random)
        try:
            this.run()
        except Wrong as wrong:
            counts[f"WRONG: {name}: {wrong} ({share.number}/{number - 1})"] += 1
        counts.update(this.counts)
        counts["keys"] += 1
        if this.unknown:
            counts[f"unknown left: {name}"] += 1
        counts.update(_judge(name, kind, this))
        counts.update(_play_others(f"{share.seed}/{share.number}/{number}", number))
    return counts


def _play_others(seed: str, number: int) -> Counter[str]:
    """Play a key of two versions, and one that may be somewhere else."""
    counts: Counter[str] = Counter()
    worlds: tuple[Callable[[], Counter[str]], ...] = (
        lambda: play_places(Random(f"{seed}/places"), number),
        lambda: play_versions(Random(f"{seed}/versions")),
    )
    for play_one in worlds:
        try:
            counts.update(play_one())
        except Wrong as wrong:
            counts[f"WRONG: {wrong} ({seed})"] += 1
    return counts


def _judge(name: str, kind: Kind, this: Round) -> Counter[str]:
    """Return what is wrong with the keys that stay unknown."""
    wrong: Counter[str] = Counter()
    if not this.unknown:
        return wrong
    if kind.probed is Probed.MUTE:
        wrong["unknown left, and its probe cannot tell"] += 1
        if set(this.unknown) != {Doubt.CANNOT_TELL}:
            wrong[f"WRONG: {name}: another reason than its probe's"] += 1
    elif kind.marked and kind.probed is Probed.DONE_SO_FAR:
        wrong[f"WRONG: {name}: unknown although its probe knows"] += 1
    elif not this.seen.begun:
        wrong[f"WRONG: {name}: unknown although nothing had begun"] += 1
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.app.settle_sim.simulation", description=__doc__)
    parser.add_argument("--lost", type=int, default=20_000, help="answers (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides everything (%(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    began = perf_counter()
    shares = [
        Share(number, min(CHUNK, options.lost - first), options.seed)
        for number, first in enumerate(range(0, options.lost, CHUNK))
    ]
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(options.workers) as pool:
        for found in pool.map(play, shares):
            counts += found
    for name, count in sorted(counts.items()):
        print(f"{name:72} {count:>12,}")
    wrong = sum(count for name, count in counts.items() if name.startswith("WRONG"))
    print(f"{'wrong':72} {wrong:>12,}")
    print(f"seed {options.seed}, {(perf_counter() - began) / 60:.1f} minutes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
