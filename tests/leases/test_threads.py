"""The threads that look for rows: what they say of a store that is away."""

from __future__ import annotations

import os
from itertools import permutations

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


def test_a_child_tells_of_its_own_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its parent has told before the fork is in the parent's log alone."""
    carriers = Carriers("test", 2)
    fault = DatabaseFault(Outcome.NOT_SENT, "refused", "the server has gone")
    assert [carriers.take().is_first(fault) for _ in range(2)] == [True, False]
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert [carriers.take().is_first(fault) for _ in range(2)] == [True, False]


FALL = (
    (Outcome.AMBIGUOUS, "connection_lost"),
    (Outcome.NOT_SENT, "refused"),
    (Outcome.NOT_SENT, "57P03"),
    (Outcome.REJECTED, "busy"),
    (Outcome.LOCAL, "timeout"),
)


@pytest.mark.parametrize("order", list(permutations(FALL, 3)))
def test_a_server_that_falls_and_starts_is_one_outage(
    order: tuple[tuple[Outcome, str], ...],
) -> None:
    """Whatever it answers meanwhile, in whichever order; a fault that lasts is told, too."""
    faults, carriers = list[Exception](), Carriers("test", 2)
    answers = iter([*order, (Outcome.UNUSABLE, "disk_full"), (Outcome.UNUSABLE, "read_only")])

    def look() -> float:
        raise DatabaseFault(*next(answers), "the server has gone")

    loops = [Loop(carriers.take(), look, lambda: True, faults.append) for _ in range(5)]
    for loop in loops:
        loop.look_once()
    reasons = [getattr(fault, "reason", None) for fault in faults]
    assert reasons == [order[0][1], "disk_full", "read_only"]
