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
from tests.app.payments.simulated import DOUBLE, SENT_AGAIN, play


def main(arguments: Sequence[str] | None = None) -> int:
    """Play both ways, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.app.payments", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000, help="of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides everything (%(default)s)")
    options = parser.parse_args(arguments)
    logging.disable()  # thousands of lines: what they tell is counted here
    wrong, began = 0, perf_counter()
    for effect in (Effect.KEYED, Effect.UNSAFE):
        counts = play(effect, options.calls, options.seed)
        print(f"{effect.value}, {options.calls:,} payments")
        for name, count in sorted(counts.items()):
            print(f"  {name:56} {count:>8,}")
        wrong += counts[DOUBLE]
        if effect is Effect.UNSAFE:
            wrong += counts[SENT_AGAIN]
    print(f"wrong: {wrong}; {perf_counter() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
