from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward_contract_tests.rows import each_row
from tests.simulation.episodes import run_leeward
from tests.simulation.invariants import ALL
from tests.simulation.mutants import MUTANTS, Bug
from tests.simulation.scenarios import SCENARIOS, Episode

STORMS = {"storm": 8, "settled: storm": 4, "hedges that are refused": 4}
"""A world, and how many episodes of it."""


def broken() -> Iterator[str]:
    """Return the names of the invariants that are broken within 8,000 stormy calls, one by one."""
    for storm in (each for each in SCENARIOS if each.name in STORMS):
        for number in range(STORMS[storm.name]):
            found = run_leeward(Episode(storm, number, 500, 1)).violations
            yield from (violation.invariant for violation in found)


@pytest.mark.parametrize(("bug", "invariant"), [pytest.param(b, i, id=n) for n, b, i in MUTANTS])
def test_a_seeded_bug_is_seen(monkeypatch: pytest.MonkeyPatch, bug: Bug, invariant: str) -> None:
    """A router that breaks a promise is caught by the invariant that states it."""
    bug(monkeypatch)
    assert any(name.startswith(invariant) for name in broken())


def test_the_router_without_a_seeded_bug_passes() -> None:
    """What catches the mutants does not cry wolf."""
    assert list(broken()) == []


@each_row("name", ALL)
def test_every_invariant_has_a_mutant(name: str) -> None:
    """An invariant that nothing can break may be empty words."""
    assert any(name.startswith(invariant) for _, _, invariant in MUTANTS)
