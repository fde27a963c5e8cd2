"""Failures that real servers made, of the clients' two newest versions: no wrong answer.

The full sizes are commands: `python -m tests.integrations.lost`, `.lost_calls` and `.lost_rows`.
So is `.web_trial`, of keys in real web frameworks.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.house.workspace import ROOT
from tests.integrations import web_trial


def run_beside(environment: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program with the libraries of another environment before one's own."""
    libraries = next((ROOT / ".servers" / environment / "lib").glob("python*/site-packages"))
    beside = {"PYTHONPATH": str(libraries), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **beside},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.vendors
@pytest.mark.parametrize(
    ("environment", "trial"),
    [
        *(("clients", trial) for trial in ("lost --cases 20", "lost_calls --cases 20", "traps")),
        *(("clients-before", trial) for trial in ("lost --cases 10", "traps")),
    ],
)
def test_no_answer_is_wrong(environment: str, trial: str) -> None:
    """A server counts what ran; and of what did not, no client leaves too much in doubt."""
    name, *options = trial.split()
    command = [sys.executable, "-m", f"tests.integrations.{name}", *options]
    shown = run_beside(environment, command)
    assert shown.returncode == 0, shown.stdout + shown.stderr


@pytest.mark.vendors
@pytest.mark.parametrize(
    ("environment", "trial"),
    [
        *(("web", trial) for trial in ("celery_trial", "powertools_trial", "lost_rows")),
        ("web-before", "lost_rows"),
    ],
)
def test_what_calls_again_goes_by_proof(environment: str, trial: str) -> None:
    """A task of Celery, a key of powertools, and rows by psycopg and SQLAlchemy."""
    cases = ["--cases", "20"] if trial == "lost_rows" else []
    command = [sys.executable, "-m", f"tests.integrations.{trial}", *cases]
    shown = run_beside(environment, command)
    assert shown.returncode == 0, shown.stdout + shown.stderr


@pytest.mark.vendors
@pytest.mark.parametrize(("environment", "store"), [("web", "sqlite"), ("web-before", "postgres")])
def test_a_key_runs_once_in_every_framework(environment: str, store: str) -> None:
    """Repeats, many at once, callers that left, killed processes, and late duplicates."""
    chosen = ["--environment", environment, "--store", store, "--at-once", "10"]
    assert web_trial.main(chosen) == 0
