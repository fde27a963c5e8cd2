"""Lists against a model of them, in small: `python -m tests.clouds.lists` does it at large."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from leeward.local import Local
from tests.clouds.lists import Proof

PAGES = 15


@pytest.mark.parametrize("store", ["aws", "azure", "google"])
def test_lists_are_as_the_model_says(request: pytest.FixtureRequest, store: str) -> None:
    """In order, between bounds, each item once, with writers beside."""
    standing = request.getfixturevalue(store)
    proof = Proof(store, standing.open, Random(1))
    proof.run(PAGES)
    assert proof.tally.items > 0


def test_lists_of_the_embedded_store_are_as_the_model_says(tmp_path: Path) -> None:
    """The same, over a file."""
    proof = Proof("local", lambda: Local(path=tmp_path / "data.sqlite3"), Random(1))
    proof.run(PAGES)
    assert proof.tally.items > 0
