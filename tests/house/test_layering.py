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
    """Give a directory with a copy of the package, and of the adapter of an example."""
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("src/leeward", "examples/plans/src/leeward_stratus"):
        shutil.copytree(ROOT / package, tmp_path / Path(package).name, ignore=ignored)
    return tmp_path


def test_imports_run_one_way(tree: Path) -> None:
    """The package keeps every contract of pyproject.toml."""
    done = _lint_imports(tree)
    assert done.returncode == 0, done.stdout


ONE_WAY = "Imports run one way"
PURE = "Routing decides without touching the world"
KIT = "Adapters use the public kit"


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("leeward/values.py", "import leeward.adapter", ONE_WAY),
        ("leeward/brand_new.py", "", ONE_WAY),
        ("leeward/_routing/outcomes.py", "import time", PURE),
        ("leeward/_routing/call.py", "import random", PURE),
        ("leeward/_routing/health.py", "import leeward.clock", PURE),
        ("leeward/_routing/failover.py", "import logging", PURE),
        ("leeward_stratus/plans.py", "import leeward.http.pool", KIT),
        ("leeward_stratus/errors.py", "import leeward.adapter.flight", KIT),
    ],
)
def test_a_wrong_import_is_refused(tree: Path, module: str, line: str, contract: str) -> None:
    """Upwards, of a module without a place, of a clock in a decision, and behind the kit."""
    with (tree / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    assert f"{contract} BROKEN" in _lint_imports(tree).stdout
