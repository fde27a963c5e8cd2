from __future__ import annotations

from itertools import count, repeat
from types import SimpleNamespace

import pytest

from leeward_contract_tests.contracts import observations
from leeward_contract_tests.contracts.observations import eventually

PATIENCE = 1.0


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let half of the patience go by between two looks at the clock."""
    ticks = count(0, PATIENCE / 2)
    clock = SimpleNamespace(monotonic=lambda: next(ticks), sleep=lambda _: None)
    monkeypatch.setattr(observations, "time", clock)


def test_what_keeps_coming_is_waited_for() -> None:
    """A bus that delivers slowly has lost nothing."""
    looks = count()
    assert eventually(lambda: next(looks), lambda seen: seen == 100, PATIENCE) == 100


def test_what_does_not_change_is_given_up() -> None:
    """What was seen last is the answer."""
    looks = iter([1, 2, *repeat(3, 10)])
    assert eventually(lambda: next(looks), lambda seen: seen == 4, PATIENCE) == 3


def test_enough_is_not_waited_for() -> None:
    """One look is enough."""
    looks = iter([1])
    assert eventually(lambda: next(looks), lambda seen: seen == 1, PATIENCE) == 1
