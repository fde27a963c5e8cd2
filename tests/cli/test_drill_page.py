"""The report of a drill, as a browser shows it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Leeward
from tests.house.workspace import ROOT

BROWSER = ROOT / ".servers/browser"


def read(page: Path) -> dict[str, Any]:
    """Open a page in the browser of the tests, and return what it shows."""
    node = ROOT / ".servers/nodejs/bin"
    env = {**os.environ, "PATH": f"{node}:{os.environ['PATH']}", "TMPDIR": str(BROWSER / "tmp")}
    done = subprocess.run(
        ["node", str(BROWSER / "read.mjs"), page.as_uri()],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


@pytest.fixture
def shown(leeward: Leeward, bare: Path) -> dict[str, Any]:
    """Return what the page of a simulated drill shows."""
    assert leeward("drill", "--simulate").code == 0
    return read(bare / "drill.html")


def test_the_page_shows_verdict_timeline_and_decisions_and_asks_for_nothing_else(
    shown: dict[str, Any],
) -> None:
    """Everything is in the one file: no other request, no error, no script."""
    assert shown["asked"] == [shown["asked"][0]]
    assert shown["wrong"] == []
    assert shown["verdict"] == "Every promise was kept."
    numbers = shown["numbers"]
    assert (numbers["answered"], numbers["lost"]) == ("1,800 of 1,800", "0")
    assert (numbers["doubled"], numbers["unknown"]) == ("0", "0")
    faults, attempts, decisions = shown["tables"]
    assert faults[1][0] == "local:a:blackout@10s-30s"
    assert faults[1][1].endswith(" s")
    assert ["local:a", "ambiguous", "blackout"] in [row[:3] for row in attempts]
    assert {"opened", "half_open", "ramp", "closed"} <= {row[1] for row in decisions}
    assert {"local:a", "local:b", "local:c", "circuits, and"} <= set(shown["labels"])


def test_the_bands_of_the_timeline_are_as_wide_as_the_states_lasted(shown: dict[str, Any]) -> None:
    """The first target's band is closed, then open; a target that was well has one band of all."""
    bands = shown["bands"]
    states = [each["id"].rpartition("-")[2] for each in bands]
    assert states[:2] == ["closed", "opened"]
    assert states[-2:] == ["closed", "closed"]
    whole = bands[-1]
    assert whole["width"] > 500
    assert all(each["height"] > 5 for each in bands)
    first = bands[:-2]
    assert sum(each["width"] for each in first) == pytest.approx(whole["width"], abs=3)
    # The blackout begins in the tenth of ninety seconds.
    assert bands[0]["width"] / whole["width"] == pytest.approx(10.6 / 90, abs=0.01)
