"""Mutated answers against the answer reader: `python -m tests.http.fuzz --cases 500000`.

Each is read whole, in pieces and byte by byte, with one verdict; and a connection that leeward
would keep is one that h11 would keep too, after the same answer. With `--runners` the answers come
over real connections, to threads and to an event loop.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter

from tests.http.mutations import a_case, by_leeward, faults_of


def check_reader(cases: int, seed: int) -> Counter[str]:
    """Check `cases` answers; count what became of them.

    Raises:
        AssertionError: with the case, for the first that goes wrong.
    """
    dice = random.Random(seed)
    ends: Counter[str] = Counter()
    for _ in range(cases):
        case = a_case(dice)
        faults = faults_of(case)
        assert not faults, f"{case.method} {case.pieces}: {faults}"
        verdict = by_leeward(case.method, case.pieces)
        ends["kept" if verdict.is_kept else "closed" if verdict.status else "refused"] += 1
    return ends


def main() -> None:
    """Check as many cases as were asked for, and print how they ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.http.fuzz")
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runners", action="store_true", help="over real connections")
    asked = parser.parse_args()
    if asked.runners:
        from tests.http.fuzz_runners import check_runners

        ends = check_runners(asked.cases, asked.seed)
    else:
        ends = check_reader(asked.cases, asked.seed)
    sys.stdout.write(f"{asked.cases} cases, seed {asked.seed}: {dict(ends)}\n")


if __name__ == "__main__":
    main()
