"""A restore stores many items at once where it can, and what is not known to be stored, alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import Promise
from leeward.adapter import WrappingDriver
from leeward.calls import Call, Result, Store
from leeward.errors import Outcome
from leeward_backup.restore import CHUNK_BYTES, CHUNK_LINES, _chunks
from tests.backup.conftest import World

ITEMS = 20


class AtOnce(WrappingDriver):
    """A target that stores many items at once, and says of all that they ended so."""

    def __init__(self, driver: Any, outcome: Outcome, stored: bool) -> None:
        super().__init__(driver)
        self._inner = driver
        self._outcome, self._stored = outcome, stored
        self.batches, self.alone = 0, 0

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]]:
        self.batches += 1
        if self._stored:
            self._inner.store_many(calls, timeout)
        return [Result(self._outcome)] * len(calls)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        self.alone += call.verb == "store"
        return super().perform(call, timeout)


@pytest.mark.parametrize(
    ("mode", "outcome", "stored"),
    [
        ("empty", Outcome.AMBIGUOUS, True),
        ("missing", Outcome.AMBIGUOUS, False),
        ("overwrite", Outcome.AMBIGUOUS, True),
        ("empty", Outcome.REJECTED, False),
        ("overwrite", Outcome.AUTH, False),
    ],
)
def test_what_may_not_be_stored_is_stored_alone(
    world: World, mode: str, outcome: Outcome, stored: bool
) -> None:
    """It is VERIFIED then, with each item counted once; a right that lacks is asked for once."""
    client = world.client()
    for n in range(ITEMS):
        client.store_data("orders", {"id": f"order-{n}", "n": n})
    world.backups(client).create()
    made: list[AtOnce] = []

    def wrapped(driver: Any) -> AtOnce:
        made.append(AtOnce(driver, outcome, stored))
        return made[0]

    backups = world.backups(world.client(wrapped))
    restored = backups.restore(into="again", mode=mode, parallel=1)
    assert (restored.promise, restored.written, restored.kept) == (Promise.VERIFIED, ITEMS, 0)
    assert made[0].alone == ITEMS
    assert (made[0].batches == 1) is (outcome is Outcome.AUTH)


@given(st.lists(st.sampled_from([1, 200, CHUNK_BYTES // 2, CHUNK_BYTES, 2 * CHUNK_BYTES])))
def test_a_part_has_so_many_lines_and_bytes(sizes: list[int]) -> None:
    """Each line is in one, in their order; one that is larger is alone."""
    lines = [bytes(size) for size in [*sizes, *[1] * (2 * CHUNK_LINES + 1)]]
    parts = list(_chunks(lines))
    assert [line for part in parts for line in part] == lines
    for part in parts:
        assert 0 < len(part) <= CHUNK_LINES
        assert len(part) == 1 or sum(map(len, part)) <= CHUNK_BYTES
