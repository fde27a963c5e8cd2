from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.workspace import ROOT


def _lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the root's pyproject.toml against the package in `tree`."""
    lint_imports = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [lint_imports, "--no-cache", "--no-logo", ROOT / "pyproject.toml"],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a directory with a copy of the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src/leeward", tmp_path / "leeward", ignore=ignored)
    return tmp_path


def test_imports_run_one_way(tree: Path) -> None:
    """The package keeps every contract of pyproject.toml."""
    done = _lint_imports(tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("values.py", "import leeward.adapter", "Imports run one way"),
        ("brand_new.py", "", "Imports run one way"),
        ("routing/outcomes.py", "import time", "Routing decides without touching the world"),
        ("routing/call.py", "import random", "Routing decides without touching the world"),
        ("routing/health.py", "import leeward.clock", "Routing decides without touching the world"),
        ("routing/failover.py", "import logging", "Routing decides without touching the world"),
    ],
)
def test_a_wrong_import_is_refused(tree: Path, module: str, line: str, contract: str) -> None:
    """Importing upwards, a module without a place, and a clock in a decision break a contract."""
    with (tree / "leeward" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    assert f"{contract} BROKEN" in _lint_imports(tree).stdout
