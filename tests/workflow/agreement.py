"""Random flows on every engine that can be started here: ``python -m tests.workflow.agreement``.

``--engine step_functions|workflows|workflows_emulator|durabletask|durable_replay``, ``--runs 300``,
``--seed 0``.
"""

from __future__ import annotations

import argparse
import sys

from tests.workflow.engines import ENGINES
from tests.workflow.test_engines import difference_of


def main() -> int:
    """Run them, and print what ends otherwise than by the kernel."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=sorted(ENGINES), action="append")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = 0
    for name in options.engine or sorted(ENGINES):
        with ENGINES[name]() as process:
            for seed in range(options.seed, options.seed + options.runs):
                difference = difference_of(name, process, seed)
                if difference is not None:
                    wrong += 1
                    sys.stdout.write(f"{name}, seed {seed}: {difference}\n")
        sys.stdout.write(f"{name}: {options.runs} flows\n")
    sys.stdout.write(f"{wrong} wrong\n")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
