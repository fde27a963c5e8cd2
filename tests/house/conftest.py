"""The distributions of the workspace, which are built once for all that look at them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.house.workspace import ROOT


class Dist(NamedTuple):
    """Where the distributions of every member are.

    Attributes:
        wheels: from the tree.
        sdists: from the tree, and beside each the wheel that is built from it.
    """

    wheels: Path
    sdists: Path


def uv(*arguments: str | Path) -> None:
    """Run uv with this interpreter's own build backend, so that nothing is fetched to build."""
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what reads the tree and builds nothing: `make check` runs it, `make test` need not."""
    for item in items:
        is_here = item.path.is_relative_to(Path(__file__).parent)
        if is_here and item.get_closest_marker("packaging") is None:
            item.add_marker("house")


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    """Build what `make dist` builds, and each wheel from the tree; one worker does it for all."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "dist"
    made = Dist(folder / "wheels", folder / "sdists")
    folder.mkdir(exist_ok=True)
    build = ("build", "--all-packages", "--no-build-isolation", "--python", sys.executable)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            uv(*build, "--wheel", "--out-dir", made.wheels)
            uv(*build, "--out-dir", made.sdists)
            (folder / "ready").touch()
    return made
