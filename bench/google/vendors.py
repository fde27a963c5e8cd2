"""Google's clients as samples: they run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench.google.sides import emulators


class Took(NamedTuple):
    """What one call took, in seconds of CPU and by the clock on the wall."""

    cpu: float
    wall: float


Calling = Callable[[str, int], Took]
"""Makes a verb's calls, so many of them."""


@contextmanager
def vendors(url: str, port: str) -> Iterator[Calling]:
    """Run Google's clients.

    Args:
        url: of functions.
        port: of Pub/Sub and Firestore, over gRPC.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "bench.google.vendors_side", url],
        env=os.environ | emulators(port),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        asked, told = process.stdin, process.stdout
        assert asked is not None
        assert told is not None

        def call(name: str, times: int) -> Took:
            print(name, times, sep="\t", file=asked, flush=True)
            return Took(*map(float, told.readline().split()))

        yield call
        asked.close()
