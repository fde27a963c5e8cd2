"""Try odd input wherever others may reach, and let nothing but documented errors out.

``python -m tests.security.fuzz`` tries 200,000 cases in all: files, environments, stored items and
answers. Each case has a number; ``--only items:4711`` runs one again.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from multiprocessing import get_context
from time import monotonic
from typing import Final, TypeAlias

from tests.security import fuzz_kinds

Case: TypeAlias = Callable[[random.Random], None]

CASES: Final = {"toml": 40_000, "environment": 40_000, "items": 70_000, "answers": 50_000}
"""How many of each kind make a whole run."""

MEMORY: Final = 64
"""MiB by which a process may have grown at its peak, since its first cases."""

WARM: Final = 200
"""Cases of each kind before memory counts: modules are loaded, and caches filled."""


class Escaped(Exception):
    """Something else than a documented error came out, or too much memory was taken."""


@contextmanager
def kinds() -> Iterator[Mapping[str, Case]]:
    """Give what runs a case of each kind, in a directory that is thrown away."""
    with ExitStack() as stack:
        stack.enter_context(chdir(stack.enter_context(tempfile.TemporaryDirectory())))
        made = fuzz_kinds.clouds(stack)
        yield {
            "toml": fuzz_kinds.toml,
            "environment": fuzz_kinds.environment,
            "items": fuzz_kinds.items,
            "answers": fuzz_kinds.answers_of(made),
        }


def run(kind: str, case: Case, seed: int, number: int) -> None:
    """Run one case.

    Raises:
        Escaped: with what was raised as the cause.
    """
    try:
        case(random.Random(f"{seed} {kind} {number}"))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise Escaped(f"{kind}:{number} of seed {seed} raised {type(error).__name__}") from error


def check(share: tuple[int, int], seed: int, cases: Mapping[str, int]) -> float:
    """Run every so many-th case of each kind; return by how many MiB the peak has grown.

    Args:
        share: which of how many shares.
        seed: of the dice.
        cases: how many there are of each kind.

    Raises:
        Escaped: for the first case that goes wrong.
    """
    first, step = share
    with kinds() as found:
        for kind, case in found.items():
            for number in range(-WARM, 0):
                run(kind, case, seed, number)
        gc.collect()
        before = _peak()
        for kind, case in found.items():
            for number in range(first, cases[kind], step):
                run(kind, case, seed, number)
                if number % 997 == first and _peak() - before > MEMORY:
                    raise Escaped(f"{kind}:{number} of seed {seed}: more than {MEMORY} MiB")
        return _peak() - before


def _peak() -> float:
    """Return the largest size of this process so far, in MiB."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _check(arguments: tuple[tuple[int, int], int, Mapping[str, int]]) -> float:
    return check(*arguments)


def main() -> None:
    """Run as many cases as were asked for, on as many processors as there are, and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.fuzz")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the 200,000 cases")
    parser.add_argument("--only", help="one case, such as items:4711")
    asked = parser.parse_args()
    if asked.only:
        kind, _, number = asked.only.partition(":")
        with kinds() as found:
            run(kind, found[kind], asked.seed, int(number))
        return
    cases = {kind: int(count * asked.share) for kind, count in CASES.items()}
    step = min(os.cpu_count() or 1, 4)
    begun = monotonic()
    with get_context("spawn").Pool(step) as pool:
        shares = [((first, step), asked.seed, cases) for first in range(step)]
        grown = pool.map(_check, shares)
    sys.stdout.write(
        f"{sum(cases.values())} cases, seed {asked.seed}: {cases}; {monotonic() - begun:.0f} s "
        f"on {step} processors, memory grew by {max(grown):.0f} MiB at most\n"
    )


if __name__ == "__main__":
    main()
