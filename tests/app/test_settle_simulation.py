"""A key whose call's answer is lost: in virtual time, and over a real store.

A smoke of `python -m tests.app.settle_sim.simulation` and of `...settle_sim.stores`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward_contract_tests.rows import each_row
from tests.app.settle_sim import simulation, stores
from tests.app.settle_sim.mutants import MISTAKES, made
from tests.app.settle_sim.simulation import Share, play


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the log be: it is long, and counted."""
    with caplog.at_level("CRITICAL"):
        yield


def test_no_verdict_is_wrong_and_none_is_owed() -> None:
    """Packets are late, functions are killed, the table is away, and two settle at once."""
    counts = play(Share(0, 4_000, seed=7))
    assert [what for what in counts if what.startswith("WRONG")] == []
    for what in ("killed", "late packets", "told not_run", "told ran", "probe asked"):
        assert counts[what] > 100, what
    assert counts["unknown left: marked, with a probe"] == 0
    cannot_tell = counts["unknown left: marked, its probe cannot tell in 1 of 100"]
    assert cannot_tell == counts["unknown left, and its probe cannot tell"]


def test_the_simulation_says_how_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints its counts and its minutes, and ends with 0."""
    assert simulation.main(["--lost", "50", "--workers", "1"]) == 0
    assert "minutes" in capsys.readouterr().out


@each_row(
    "name",
    ["a settler only looks", "a settler frees the key", "a lease that is over is a proof"],
)
def test_the_simulation_finds_mistakes(name: str) -> None:
    """What somebody could have written instead is found to be wrong."""
    with made(MISTAKES[name]):
        counts = play(Share(0, 1_500, seed=7))
    assert any(what.startswith("WRONG") for what in counts)


def test_no_verdict_over_a_store_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """With threads and with tasks, over SQLite."""
    assert stores.main(["--rounds", "60", "--store", "sqlite"]) == 0
    assert "told not_run" in capsys.readouterr().out
