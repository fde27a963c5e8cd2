"""The places of a pool: first come, first served, and never more than there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leeward_postgres.pool import Lease, Pool


def _lease(woken: list[int], number: int) -> Lease[str]:
    return Lease(lambda: woken.append(number))


def test_a_place_is_handed_on_with_its_connection() -> None:
    """To who waits longest."""
    woken: list[int] = []
    pool: Pool[str] = Pool(1)
    first, second, third = (_lease(woken, number) for number in range(3))
    assert [pool.enter(each) for each in (first, second, third)] == [True, False, False]
    assert pool.counts == (1, 2)
    first.connection, first.is_reusable = "c", True
    assert pool.leave(first) is None
    assert (woken, second.is_held, second.connection) == ([1], True, "c")
    assert pool.leave(third) is None
    assert pool.leave(second) == "c"  # not reusable: it has to close
    assert pool.counts == (0, 0)


def test_a_closed_pool_keeps_nothing() -> None:
    """What lies there is returned, and what comes back as well."""
    pool: Pool[str] = Pool(2)
    idle, busy = _lease([], 0), _lease([], 1)
    for lease, name in ((idle, "idle"), (busy, "busy")):
        pool.enter(lease)
        lease.connection, lease.is_reusable = name, True
    assert pool.leave(idle) is None
    assert pool.close() == ["idle"]
    assert pool.leave(busy) == "busy"


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
