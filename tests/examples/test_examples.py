from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from leeward.config import load_config
from leeward.config.sections import KEYS
from tests.house.workspace import ROOT

EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))


def _promised() -> dict[str, str]:
    """Give what the README says that each script prints."""
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^## `(\w+\.py)`.*?```text\n(.*?)```", text, re.MULTILINE | re.DOTALL))


def test_every_example_is_in_the_readme() -> None:
    """A script without a section, or a section without a script, is noticed."""
    assert sorted(_promised()) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_prints_what_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """It does so in any directory, beside leeward's warnings."""
    for variable in ("CLOUD_PROVIDER", "LEEWARD_CONFIG", "LEEWARD_DATA_TARGET"):
        monkeypatch.delenv(variable, raising=False)
    done = subprocess.run(
        [sys.executable, EXAMPLES / script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == (_promised()[script], 0)
    lines = done.stderr.splitlines()
    assert [line for line in lines if "outcome_unknown target=" not in line] == []


def test_the_example_of_the_configuration_is_complete() -> None:
    """It is valid, and shows every key that there is."""
    file = EXAMPLES / "leeward.toml"
    load_config(file=file, env={})
    text = file.read_text(encoding="utf-8")
    shown = tomllib.loads(re.sub(r"^# (\[[\w.]+\]|\w+ = )", r"\1", text, flags=re.MULTILINE))
    assert set(KEYS) - set(shown) == {
        *("buckets", "dead_letters", "deploy", "export", "spool", "worker")
    }
    assert set(shown["functions"]["send-receipt"]) == {"effect", "dedup_scope", "timeout", "names"}
    assert set(shown["buses"]["orders"]) == {"timeout", "names"}
    assert set(shown["tables"]["orders"]) == {"key", "home", "timeout", "names"}
