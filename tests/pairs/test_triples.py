"""Features in threes, in small: no double, no false word, nothing lost."""

from __future__ import annotations

import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from leeward.testing import Fault
from tests.pairs import triples
from tests.pairs.features import FEATURES, combine
from tests.pairs.places import Files
from tests.pairs.triples import play, try_some
from tests.pairs.worlds import Plan, World
from tests.postgres.conftest import server
from tests.postgres.server import Server

__all__ = ["server"]


def test_random_triples_hold() -> None:
    """`python -m tests.pairs.triples --triples 100000` is the proof; this is its smoke."""
    assert try_some(0, 25) == (25, Counter())


def test_random_triples_hold_in_postgresql(server: Server) -> None:
    """The same with `--place postgres`: messages and events are delivered by workers there."""
    assert try_some(1, 12, (), server.url) == (12, Counter())


def test_each_feature_meets_others() -> None:
    """None is left out by what keeps some from meeting."""
    met = {
        name
        for pair in combinations(FEATURES, 2)
        if isinstance(combine(pair), Plan)
        for name in pair
    }
    assert met == {*FEATURES}


def test_the_ledger_notices_a_double_and_a_false_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a proof by it would prove nothing."""

    def act(world: World) -> None:
        world.ledger.effects["outer"] = 2
        world.words.append("no")

    monkeypatch.setattr(triples, "_act", act)
    with tempfile.TemporaryDirectory() as folder:
        wrong = play(Plan(kind="unsafe", fault=Fault.LOSE_ANSWER), Files(Path(folder)))
    assert wrong == ["2 effects: no", "told that it did not run: no"]
