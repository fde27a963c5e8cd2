"""The list of planted faults fits the source, so that `make mutants` plants what it says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from leeward_contract_tests.rows import each_row
from tests.mutants.copy import SOURCES
from tests.mutants.mutant import Mutant, local_names, names_of_module
from tests.mutants.rooms import ROOMS

ROOT = Path(__file__).parents[2]


@each_row(
    "mutant", {f"{room}: {each.fault}": each for room, mutants in ROOMS.items() for each in mutants}
)
def test_a_fault_can_be_planted(mutant: Mutant) -> None:
    """Its code stands once at its place, what takes its place is Python, and its test is there."""
    mutant.check(ROOT)


def test_a_fault_reaches_its_test() -> None:
    """Python finds what is planted in the copy: else the test would run without the fault."""
    places = {each.file for mutants in ROOMS.values() for each in mutants}
    assert [each for each in places if not SOURCES.intersection(Path(each).parents)] == []


def test_each_fault_is_planted_once() -> None:
    """There are at least 200, none twice, and each is told by words of its own in its room."""
    places = [(each.place, each.old, each.new) for mutants in ROOMS.values() for each in mutants]
    assert len(places) == len(set(places)) >= 200
    for room, mutants in ROOMS.items():
        assert len({each.fault for each in mutants}) == len(mutants), room


KEPT = (ast.keyword, ast.alias, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
"""Nodes whose names are known elsewhere."""

SOURCE = """
def charge(amount, limit):
    for part in split(amount):
        if part < limit and is_open:
            pay(part)
            note("paid", part)
    return amount
"""


@pytest.mark.parametrize(
    ("old", "new", "planted"),
    [
        ("part < limit", "True", "if True and is_open:"),
        ("part < limit", "limit < part", "if limit_ < part_ and is_open:"),
        ("... and is_open", "...", "if part_ < limit_:"),
        ("if ...:\n    ...", "if not ...:\n    ...", "if not (part_ < limit_ and is_open):"),
        ("pay(part)", "pass", "        pass\n"),
        ("'paid'", "'owed'", "note('owed', part_)"),
    ],
)
def test_a_fault_is_found_by_its_meaning(old: str, new: str, planted: str) -> None:
    """Whatever the local names and the layout are."""
    assert planted in Mutant("", "shop.py charge", old, new, "").plant(_rename(SOURCE))


@pytest.mark.parametrize("old", ["part > limit", "pay(limit, part)", "part", "..."])
def test_a_fault_that_fits_nowhere_or_often_is_refused(old: str) -> None:
    """It would plant something else than it says, or nothing."""
    with pytest.raises(ValueError, match="times, not once"):
        Mutant("", "shop.py charge", old, "None", "").plant(SOURCE)


def test_a_rename_of_local_names_breaks_no_fault() -> None:
    """Of any in the list: all local names of its module are others."""
    broken = []
    for mutant in (each for mutants in ROOMS.values() for each in mutants):
        try:
            mutant.plant(_rename((ROOT / mutant.file).read_text(encoding="utf-8")))
        except ValueError as error:
            broken.append(f"{mutant.fault}: {error}")
    assert broken == []


def _rename(text: str) -> str:
    """Return a module in which each local name ends with an underscore."""
    tree = ast.parse(text)
    names = local_names(tree) - names_of_module(tree)
    for node in ast.walk(tree):
        for field in ("id", "arg", "name"):
            if getattr(node, field, None) in names and not isinstance(node, KEPT):
                setattr(node, field, f"{getattr(node, field)}_")
    return ast.unparse(tree)
