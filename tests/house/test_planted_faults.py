"""The list of planted faults fits the source, so that `make mutants` plants what it says."""

from __future__ import annotations

from pathlib import Path

from leeward_contract_tests.rows import each_row
from tests.mutants.mutant import Mutant
from tests.mutants.rooms import ROOMS

ROOT = Path(__file__).parents[2]


@each_row(
    "mutant", {f"{room}: {each.fault}": each for room, mutants in ROOMS.items() for each in mutants}
)
def test_a_fault_can_be_planted(mutant: Mutant) -> None:
    """Its text stands once in its file, what takes its place is Python, and its test is there."""
    mutant.check(ROOT)


def test_each_fault_is_planted_once() -> None:
    """There are at least 60, none twice, and each is told by words of its own in its room."""
    places = [(each.file, each.old, each.new) for mutants in ROOMS.values() for each in mutants]
    assert len(places) == len(set(places)) >= 60
    for room, mutants in ROOMS.items():
        assert len({each.fault for each in mutants}) == len(mutants), room
