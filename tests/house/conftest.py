"""The distributions of the workspace, which are built once for all that look at them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from uv import find_uv_bin

from tests.house.workspace import ROOT, members


class Dist(NamedTuple):
    """Where the distributions of every member are.

    Attributes:
        wheels: from the tree.
        sdists: from the tree, and beside each the wheel that is built from it.
    """

    wheels: Path
    sdists: Path


def uv(*arguments: str | Path) -> None:
    """Run uv."""
    done = subprocess.run(
        [find_uv_bin(), "--quiet", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what builds nothing: `make check` runs it, and `make test` leaves it out."""
    for item in items:
        is_here = item.path.is_relative_to(Path(__file__).parent)
        if is_here and item.get_closest_marker("packaging") is None:
            item.add_marker("house")


def build_wheel(source: Path, out: Path) -> None:
    """Build the wheel of a folder."""
    out.mkdir(exist_ok=True)
    for _ in WheelBuilder(str(source)).build(directory=str(out)):
        pass


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    """Build what `make dist` builds, and each wheel from the tree; one worker does it for all.

    By the build backend itself: a front end starts an interpreter for each.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "dist"
    made = Dist(folder / "wheels", folder / "sdists")
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            made.sdists.mkdir(exist_ok=True)
            for member in members():
                build_wheel(member, made.wheels)
                (sdist,) = SdistBuilder(str(member)).build(directory=str(made.sdists))
                with tarfile.open(sdist) as archive:
                    archive.extractall(folder, filter="data")
                build_wheel(folder / Path(sdist).name.removesuffix(".tar.gz"), made.sdists)
            (folder / "ready").touch()
    return made
