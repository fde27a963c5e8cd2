"""What tests of threads beside the calls share: a wait for a thread, a driver with a probe."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from leeward._routing import FailoverDriver
from leeward.adapter import Invoke, Result
from leeward.testing import FakeClock
from leeward.values import Effect
from tests.scripted import OK, Scripted

CALL = Invoke("f", b"{}", "key-1", Effect.IDEMPOTENT)
UNSAFE = CALL._replace(effect=Effect.UNSAFE)
PATIENCE = 30.0
"""Seconds after which a test that waits in vain fails."""


def wait_until(done: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end
        time.sleep(0.001)


class Probing(Scripted):
    """A scripted driver with a probe of its own, which answers as told."""

    probe_fidelity = "data_plane"

    def __init__(self, target: str, *script: Result[Any] | Exception) -> None:
        super().__init__(target, *script)
        self.says: Result[Any] | Exception = OK
        self.probes = 0

    def probe(self, timeout: float) -> Result[Any]:
        self.probes += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def opened(first: Scripted, clock: FakeClock) -> FailoverDriver:
    """Return an order whose first target has an open circuit, whose time is over."""
    router = FailoverDriver([first, Scripted("b")], clock=clock)
    for _ in range(5):
        router.perform(UNSAFE, 10.0)
    assert router.evidence("a").state == "open"
    clock.advance(10.0)
    return router
