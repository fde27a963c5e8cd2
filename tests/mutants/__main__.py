"""Plant one fault after the other in a copy of the project; exit with 1 if a test misses its own.

python -m tests.mutants [--only TEXT] [--workers N]
"""

from __future__ import annotations

import ast
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.mutants.copy import Copy, Verdict
from tests.mutants.mutant import Mutant
from tests.mutants.rooms import ROOMS

ROOT = Path(__file__).parents[2]

OTHER_LISTS = {
    "seeded bugs of the router": "tests/simulation/test_mutants.py::test_a_seeded_bug_is_seen",
    "broken drivers": "tests/contract/test_broken_drivers.py::test_a_broken_driver_fails_by_name",
}
"""Faults that are planted without a change of the source, one for each case of a test."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant, report, and return the exit status."""
    options = _options(arguments)
    chosen = [
        (room, mutant)
        for room, mutants in ROOMS.items()
        for mutant in mutants
        if options.only in f"{room} {mutant.fault} {mutant.file} {mutant.test}"
    ]
    if not chosen:
        print(f"no fault has {options.only!r} in its line")
        return 1
    began = perf_counter()
    with TemporaryDirectory() as folder:
        several = min(options.workers, len(chosen))
        copies = [Copy(ROOT, Path(folder) / str(n)) for n in range(several)]
        if not _passes_unharmed(copies[0], [mutant for _, mutant in chosen]):
            return 1
        missed = 0
        for (room, mutant), verdict in zip(chosen, _verdicts(copies, chosen), strict=True):
            missed += verdict is not Verdict.CAUGHT
            print(f"{room:<13}{verdict.value:<11}{mutant.fault}\n{'':24}{mutant.test}", flush=True)
        total = len(chosen)
        if not options.only:
            for what, test in OTHER_LISTS.items():
                caught, escaped = _counted(copies[0], test)
                print(f"{what}: {caught} of {caught + escaped} caught")
                total, missed = total + caught + escaped, missed + escaped
    print(f"{total - missed} of {total} faults caught, in {perf_counter() - began:.0f} s")
    return 1 if missed else 0


def _options(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="faults in whose line it stands")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="(%(default)s)")
    return parser.parse_args(arguments)


def _passes_unharmed(copy: Copy, mutants: Sequence[Mutant]) -> bool:
    """Run the named tests without any fault: a test that always fails notices nothing.

    Their files are written as with a fault, which loses comments: no test may notice that.
    """
    for mutant in mutants:
        mutant.check(copy.place)
    with ExitStack() as files:
        for file in {mutant.file for mutant in mutants}:
            files.enter_context(copy.changed(file, lambda text: ast.unparse(ast.parse(text))))
        done = copy.run(sorted({mutant.test for mutant in mutants}))
    if done.returncode:
        print(done.stdout, done.stderr, "\nThese tests fail without a fault; mend them first.")
    return done.returncode == 0


def _verdicts(copies: Sequence[Copy], chosen: Sequence[tuple[str, Mutant]]) -> Iterator[Verdict]:
    """Yield what became of each fault, in order; each copy holds one fault at a time."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def verdict(numbered: tuple[str, Mutant]) -> Verdict:
        copy = free.get()
        try:
            return copy.verdict(numbered[1])
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        yield from pool.map(verdict, chosen)


def _counted(copy: Copy, test: str) -> tuple[int, int]:
    """Return how many cases of `test` have passed, and how many have not."""
    done = copy.run([test])
    passed, failed = (
        sum(int(n) for n in re.findall(rf"(\d+) {word}", done.stdout))
        for word in ("passed", "(?:failed|error)")
    )
    return passed, failed or (1 if done.returncode else 0)


if __name__ == "__main__":
    sys.exit(main())
