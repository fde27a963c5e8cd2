"""Pay again and again while clouds fail; exit with 1 if anybody is charged twice.

python -m tests.app.payments [--calls N] [--seed N]
"""

from __future__ import annotations

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from time import perf_counter

from leeward.values import Effect
from tests.app.payments.simulated import CHARGED, DOUBLE, SENT_AGAIN, UNKNOWN, play


def main(arguments: Sequence[str] | None = None) -> int:
    """Play both ways, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.app.payments", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000, help="of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides everything (%(default)s)")
    options = parser.parse_args(arguments)
    logging.disable()  # thousands of lines: what they tell is counted here
    wrong, began = 0, perf_counter()
    ways = (
        (Effect.KEYED, True),
        (Effect.UNSAFE, True),
        (Effect.KEYED, False),
        (Effect.UNSAFE, False),
    )
    for effect, settles in ways:
        counts = play(effect, options.calls, options.seed, settles=settles)
        told = "settled" if settles else "called again" if effect is Effect.KEYED else "once"
        print(f"{effect.value}, {told}, {options.calls:,} payments")
        for name, count in sorted(counts.items()):
            print(f"  {name:56} {count:>8,}")
        wrong += counts[DOUBLE] + counts[UNKNOWN] + counts[CHARGED]
        if effect is Effect.UNSAFE and not settles:
            wrong += counts[SENT_AGAIN]
    print(f"wrong: {wrong}; {perf_counter() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
