"""A small roll-out; `python -m tests.worker.rollout` makes a large one."""

from __future__ import annotations

from tests.worker.places import Place
from tests.worker.rollout import RollOut, Size


def test_a_rollout_loses_nothing_and_lets_no_version_handle_what_it_does_not_take(
    place: Place,
) -> None:
    """v1, v2 beside it, v2 alone, v1 again, both: with clients of each, and a kill in each part."""
    rollout = RollOut(place, Size(60, 10, 4, workers=1, lease=5.0), seed=1)
    assert rollout.run() == []
    assert rollout.figures["kills"] == 4
    assert rollout.figures["sent"] >= 60
