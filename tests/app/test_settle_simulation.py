"""A key whose call's answer is lost: in virtual time, and over a real store.

A smoke of `python -m tests.app.settle_sim.simulation` and of `...settle_sim.stores`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from leeward_contract_tests.rows import each_row
from tests.app.settle_sim import simulation, stores
from tests.app.settle_sim.mutants import MISTAKES, SLOW, made
from tests.app.settle_sim.places import play_places
from tests.app.settle_sim.simulation import Share, play


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the log be: it is long, and counted."""
    with caplog.at_level("CRITICAL"):
        yield


def test_no_verdict_is_wrong_and_none_is_owed() -> None:
    """Packets are late, functions are killed, the table is away, and two settle at once."""
    counts = play(Share(0, 1_500, seed=7))
    assert [what for what in counts if what.startswith("WRONG")] == []
    for what in (
        "calls that wait for a person",
        "stranger pried",
        "killed",
        "late packets",
        "told not_run",
        "told ran",
        "probe asked",
    ):
        assert counts[what] > 30, what
    for what in ("not_run", "ran", "unknown changed", "unknown too_new"):
        assert counts[f"versions: {what}"] > 30, what
    assert counts["unknown left: marked, with a probe"] == 0
    cannot_tell = counts["unknown left: marked, its probe cannot tell in 1 of 100"]
    goes_on = "anywhere, goes on after an unknown run, and a person approves"
    cannot_tell += counts[f"unknown left: {goes_on}"]
    assert cannot_tell == counts["unknown left, and its probe cannot tell"]


def test_no_verdict_elsewhere_is_wrong() -> None:
    """The order of targets has turned, the call is inside of another one, a spool may have it."""
    counts: Counter[str] = Counter()
    for number in range(1_000):
        counts.update(play_places(Random(f"7/{number}"), number))
    for what in (
        *("orders: key unknown other_target", "orders: named not_run", "orders: error ran"),
        *("nested: not_run", "nested: ran", "nested: unknown unknown"),
        *("spool: ran sent_again", "spool: unknown not_spooled", "spool: unknown unreachable"),
    ):
        assert counts[what] > 20, what


def test_the_simulation_says_how_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints its counts and its minutes, and ends with 0."""
    assert simulation.main(["--lost", "50", "--workers", "1"]) == 0
    assert "minutes" in capsys.readouterr().out


@each_row(
    "name",
    [
        "a settler only looks",
        "a settler frees the key",
        "a lease that is over is a proof",
        "a clock of the day ends the lease of another machine",
        *SLOW,
    ],
)
def test_the_simulation_finds_mistakes(name: str) -> None:
    """What somebody could have written instead is found to be wrong, among 1,500 lost answers."""
    with made({**MISTAKES, **SLOW}[name]):
        shares = (play(Share(0, lost, seed=7)) for lost in (100, 1_500))  # most show at once
        assert any(what.startswith("WRONG") for counts in shares for what in counts)


def test_no_verdict_over_a_store_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """With threads and with tasks, over SQLite."""
    assert stores.main(["--rounds", "30", "--store", "sqlite"]) == 0
    assert "told not_run" in capsys.readouterr().out
