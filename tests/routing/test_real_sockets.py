"""A short run of `tests.routing.real_sockets`: the gates that hold on a busy machine as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward_contract_tests.rows import each_row
from tests.routing.real_sockets.__main__ import ATTEMPTS, cut_off
from tests.routing.real_sockets.figures import Seconds, measure
from tests.routing.real_sockets.load import RUNNERS, Server, Traffic, servers
from tests.routing.real_sockets.places import Crowd, invoke_at_once, store_at_once

FEW = Crowd(calls=100, places=4, seconds=0.1, limit=1.0)
FEW_STORES = Crowd(calls=20, places=4, seconds=0.2, limit=1.4)
SHORT = Seconds(warm=0.3, healthy=0.3, fault=2.7)


@pytest.fixture(scope="module")
def started() -> Iterator[list[Server]]:
    with servers(3) as found:
        yield found


@each_row("runner, fault", [("threads", "dark"), ("tasks", "refuse")])
def test_no_idempotent_call_is_lost_and_the_faulty_target_is_left_alone(
    runner: str, fault: str, started: list[Server]
) -> None:
    """Every call has its answer, and from the third second on hardly one asks the ill target."""
    found = measure(runner, fault, started, SHORT, Traffic(rate=100.0, hedge=False))
    assert found.lost == 0
    assert found.attempts <= ATTEMPTS


@each_row("runner", [*RUNNERS])
def test_a_wait_for_a_place_is_not_part_of_the_attempt(runner: str, started: list[Server]) -> None:
    """Of more unsafe calls than there are places none is cut off, and no neighbour is idle."""
    for slowed in (False, True):
        ends = invoke_at_once(runner, started, FEW, slowed=slowed)
        # Who has looked where is in test_budgets.py: the last moment for a look may pass here.
        assert not cut_off(ends._replace(unasked=0)), ends
        assert len(ends.by_target) > 1, ends
    ends = store_at_once(runner, started[0], FEW_STORES)
    assert not cut_off(ends), ends
    assert ends.well > FEW_STORES.places, ends
