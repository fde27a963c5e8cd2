"""Writes whose answers are lost are settled: to the end where the target can.

One cloud stands for all: what they answer to a condition is in the contract.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from uuid import uuid4

import pytest

from leeward import Verdict
from tests.clouds.lost_writes import CASES, WAYS, play_all
from tests.clouds.places import Place

UNKNOWN_ON_A_CLOUD = {"overwritten": 50, "gone": 22, "still_there": 8}
"""Of 180: how many stay unknown where the target cannot settle them, by the reason."""


@pytest.mark.parametrize("provider", ["local", "aws"])
def test_every_lost_write_is_settled(place: Callable[[str], Place], provider: str) -> None:
    """No verdict of 180 is wrong, and exactly those are unknown that the page names."""
    driver = place(provider).open()
    unknown: Counter[str | None] = Counter()
    wrong = []
    assert (len(CASES), len(WAYS)) == (180, 5)
    for case, settled, truth, documented in play_all(driver, f"lost-{uuid4().hex}"):
        if settled.verdict is Verdict.UNKNOWN:
            unknown[settled.reason] += 1
            is_right = settled.reason == documented
        elif settled.reason == "gone":  # a deletion: whoever has made it, the item is gone
            is_right = case.kind in ("delete", "delete_object") and not documented
        else:
            is_right = settled.verdict is truth and not documented
        if not is_right:
            wrong.append((case, settled.verdict, settled.reason, truth, documented))
    driver.close()
    assert wrong == []
    assert unknown == ({} if provider == "local" else UNKNOWN_ON_A_CLOUD)
