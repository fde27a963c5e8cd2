"""More calls at once than a target has places are answered, all of them, in as few rounds."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier
from typing import Any

import pytest

from leeward.adapter import Driver
from tests.client.crowd import by_tasks, by_threads, server, target

CALLS = 200
PLACES = 20


@pytest.mark.parametrize("run", [by_threads, by_tasks], ids=["Client", "AsyncClient"])
def test_every_call_waits_for_its_place(run: Callable[[Driver, int], list[Any]]) -> None:
    """Each gets its own answer; all places are used, and never more.

    The server answers whenever as many requests are there as there are places, and not before. So
    one place that stayed empty would keep all the others waiting.
    """
    together = Barrier(PLACES)
    with server(lambda: together.wait(30)) as functions:
        answers = run(target(functions.url, PLACES), CALLS)
        assert answers == list(range(CALLS))
        assert functions.peak() == PLACES
