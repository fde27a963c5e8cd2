"""Tools of MCP servers with `once`: FastMCP and the official SDK, each in two versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ONCE = {
    "with": (1, "charged"),
    "no probe": (1, "It is not known whether"),
    "resumed": (1, "charged"),
    "two purchases": (2, "charged"),
    "two runs": (2, "charged"),
    "two sessions": (1, "It is not known whether"),
    "no turn": (0, "send leeward/turn beside leeward/run"),
    "own context": (1, "charged by"),
    "too long": (0, "at most 5 characters"),
}
"""How often was charged in each set-up, and what the model was told at last."""


@pytest.mark.vendors
@pytest.mark.parametrize("environment", ["agents", "agents-before"])
def test_a_charge_whose_answer_is_lost_is_made_once(environment: str) -> None:
    """FastMCP's middleware tries again within a request, the SDK's client with another one."""
    place = ROOT / ".servers" / environment / "lib/python3.11/site-packages"
    command = [sys.executable, "-m", "tests.integrations.mcp_trial"]
    env = {**os.environ, "PYTHONPATH": str(place)}
    told = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env=env).stdout
    ended = json.loads(told)
    for library in ("fastmcp", "sdk"):
        assert ended[f"{library}, without"]["charges"] == 2
        found = {
            name: (ended[f"{library}, {name}"]["charges"], ended[f"{library}, {name}"]["told"])
            for name in ONCE
        }
        assert {name: charges for name, (charges, _) in found.items()} == {
            name: charges for name, (charges, _) in ONCE.items()
        }
        assert all(ONCE[name][1] in answers[-1][1] for name, (_, answers) in found.items())
        assert ended[f"{library}, no probe"]["told"][-1][0], "it is an error to the model"
