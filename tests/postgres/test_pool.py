"""The places of a pool: first come, first served, and never more than there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leeward_postgres.pool import Lease, Pool


def _lease(woken: list[int], number: int) -> Lease[str]:
    return Lease(lambda: woken.append(number))


@given(size=st.integers(1, 3), steps=st.lists(st.integers(0, 7), max_size=60))
def test_places_are_never_lost_and_never_too_many(size: int, steps: list[int]) -> None:
    """However calls come and go, waiting ones that give up included."""
    pool: Pool[str] = Pool(size)
    woken: list[int] = []
    inside: dict[int, Lease[str]] = {}
    for step in steps:
        if step in inside:
            pool.leave(inside.pop(step))
        else:
            inside[step] = _lease(woken, step)
            pool.enter(inside[step])
        held = sum(each.is_held for each in inside.values())
        assert held == min(size, len(inside)) == pool.counts[0]
        assert pool.counts[1] == len(inside) - held
