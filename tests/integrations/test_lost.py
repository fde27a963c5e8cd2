"""Other libraries, the newest and those before, with servers that fail and agents that die.

The full sizes are commands: `python -m tests.integrations.lost`, `.lost_calls`, `.lost_rows`,
`.schedules`, `.mcp_trial`, and `.web_trial`, of keys in real web frameworks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

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


ONE_BY_ONE = """
import runpy, shlex, sys

for trial in sys.argv[1:]:
    name, *sys.argv[1:] = shlex.split(trial)
    try:
        runpy.run_module(f"tests.integrations.{name}", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""
"""Makes several trials in one process: to load the libraries takes longer than most of them."""


def older(*values: Any) -> Any:
    """Return a case that needs the versions of libraries before the newest."""
    return pytest.param(*values, marks=pytest.mark.before)


# The examples of a page, last: they leave an audit hook behind.
RETRIES = "retries_trial tenacity stamina backoff 'urllib3 and requests' 'A loop of your own'"
MODULES = "'LangGraph RetryPolicy' 'OpenAI Agents' 'Pydantic AI'"
"""Set-ups of which a module of leeward's knows the library."""


@pytest.mark.vendors
@pytest.mark.parametrize(
    ("environment", "trials"),
    [
        ("clients", ("lost --cases 8", "lost_calls --cases 10", "traps", RETRIES)),
        older("clients-before", ("lost --cases 4", "traps", RETRIES)),
        # A task of Celery, a key of powertools, and rows by psycopg and SQLAlchemy.
        (
            "web",
            (
                *("celery_trial", "powertools_trial", "lost_rows --cases 8"),
                "retries_trial Celery",
            ),
        ),
        older("web-before", ("lost_rows --cases 8",)),
        # Schedules first: their processes are forked, which a process with threads is not to be.
        ("agents", ("schedules --cases 1 --setups", "mcp_trial")),
        older("agents-before", (f"schedules --cases 0 --setups {MODULES}", "mcp_trial")),
    ],
)
def test_no_answer_is_wrong_and_no_effect_takes_place_twice(
    environment: str, trials: tuple[str, ...]
) -> None:
    """A server counts what ran; and of what did not, no client leaves too much in doubt."""
    command = [sys.executable, "-c", ONE_BY_ONE, *trials]
    shown = run_beside(environment, command)
    assert shown.returncode == 0, shown.stdout + shown.stderr


@pytest.mark.vendors
@pytest.mark.parametrize(
    ("environment", "store"), [("web", "sqlite"), older("web-before", "postgres")]
)
def test_a_key_runs_once_in_every_framework(environment: str, store: str) -> None:
    """Repeats, many at once, callers that left, killed processes, and late duplicates."""
    chosen = ["--environment", environment, "--store", store, "--at-once", "5"]
    assert web_trial.main(chosen) == 0
