"""What `from leeward import Client` costs a fresh process, beside `import boto3`."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from os import environ
from resource import RUSAGE_CHILDREN, getrusage

from bench.figures import Figure, compare, measure_in_turn

GATE = 0.20

LEEWARD = "from leeward import Client"
BOTO3 = "import boto3"
BARE = "pass"


def _children_cpu() -> float:
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _process_cpu(statement: str) -> float:
    """Return the CPU seconds of a whole interpreter that runs `statement`, from start to end."""
    # Compiled once, in the round that is not counted, as in any installation that is used twice.
    compiled = {key: value for key, value in environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before = _children_cpu()
    subprocess.run([sys.executable, "-c", statement], check=True, env=compiled)
    return _children_cpu() - before


def measure(rounds: int) -> Figure:
    """Measure the three kinds of process in turn."""
    statements = (LEEWARD, BOTO3, BARE)
    samples = [partial(_process_cpu, each) for each in statements]
    leeward, boto3, bare = measure_in_turn(samples, rounds)
    return compare("import", leeward, boto3, gate=GATE, floor=("bare python", bare))
