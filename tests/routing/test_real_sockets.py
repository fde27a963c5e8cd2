"""A short run of `tests.routing.real_sockets`: the gates that hold on a busy machine as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward_contract_tests.rows import each_row
from tests.routing.real_sockets.__main__ import ATTEMPTS
from tests.routing.real_sockets.figures import Seconds, measure
from tests.routing.real_sockets.load import Server, Traffic, servers

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
