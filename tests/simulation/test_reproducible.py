from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from typing import Any

import pytest

from tests.house.workspace import ROOT
from tests.simulation import __main__, leeward_router
from tests.simulation.episodes import run_leeward
from tests.simulation.scenarios import SCENARIOS, Episode

STORM = SCENARIOS[-1]


def _run(workers: int, hash_seed: str) -> dict[str, Any]:
    """Run in a process of its own."""
    options = ["--calls", "1000", "--seed", "5", "--json", "--workers", str(workers)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_one_seed_gives_one_trace() -> None:
    """Every attempt, result and effect is the same again; another seed gives others."""
    one, two, other = (run_leeward(Episode(STORM, 0, 500, seed)) for seed in (1, 1, 2))
    assert (one.trace, one.counters) == (two.trace, two.counters)
    assert one.trace != other.trace


def test_neither_hash_seed_nor_processes_change_anything() -> None:
    """The same findings come from one process and from two, whatever the order of sets."""
    one, two = _run(1, "1"), _run(2, "2")
    for key in ("trace", "scenarios", "totals", "broken"):
        assert one[key] == two[key]


def test_chance_from_outside_the_seed_is_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A router that draws its own random numbers breaks I15, and the run fails."""
    monkeypatch.setattr(leeward_router, "Random", lambda seed: random.SystemRandom())
    status = __main__.main(["--episode", "storm/0", "--calls", "500", "--json"])
    assert status == 1
    assert __main__.REPRODUCIBLE in json.loads(capsys.readouterr().out)["broken"]
