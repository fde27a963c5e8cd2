"""The threads that look for rows: what they say of a store that is away."""

from __future__ import annotations

import pytest

from leeward.errors import Outcome
from leeward.leases import threads
from leeward.leases.faults import DatabaseFault
from leeward.leases.threads import Carriers, Loop


def test_an_outage_is_told_once_by_whichever_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a server that falls answers some looks in between; the next outage is told."""
    now, away, faults = 0.0, [True], list[Exception]()
    monkeypatch.setattr(threads, "monotonic", lambda: now)
    carriers = Carriers("test", 2)

    def look() -> float:
        if away[0]:
            raise DatabaseFault(Outcome.NOT_SENT, "connection_lost", "the server has gone")
        return 1.0

    loops = [Loop(carriers.take(), look, lambda: True, faults.append) for _ in range(3)]
    for away[0] in (True, False, True):
        for loop in loops:
            now += 10.0
            loop.look_once()
    assert [loop.failures for loop in loops] == [1, 1, 1]
    assert len(faults) == 1
    now += threads.QUIET + 1
    loops[1].look_once()
    assert len(faults) == 2
