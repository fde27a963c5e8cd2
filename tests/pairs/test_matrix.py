"""The matrix of pairs names tests that are there, and the page says what it says."""

from __future__ import annotations

from pathlib import Path

from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT
from tests.pairs.features import FEATURES
from tests.pairs.matrix import APART, AREAS, TESTS, page


@each_row("name", [*TESTS.values()])
def test_a_pair_has_the_test_that_it_names(name: str) -> None:
    """Else a test that was renamed would leave the pair untried."""
    path, _, function = name.partition("::")
    text = (ROOT / Path(path)).read_text(encoding="utf-8")
    assert not function or f"def {function}(" in text


def test_pairs_are_of_the_features_of_the_table() -> None:
    """A wrong word would leave one out."""
    assert {name for pair in (*TESTS, *APART) for name in pair} <= {*AREAS}
    assert {name for names in AREAS.values() for name in names} == {*FEATURES}
    assert not {frozenset(pair) for pair in TESTS} & {frozenset(pair) for pair in APART}


def test_the_page_is_what_the_matrix_says() -> None:
    """`python -m tests.pairs.matrix` writes it."""
    assert (ROOT / "docs/pairs.md").read_text(encoding="utf-8") == page()
