"""A copy of the project, in which faults are planted and tests are run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import pytest

from tests.house.workspace import ROOT, members
from tests.mutants.mutant import Mutant

MADE = (".git", ".venv*", ".servers", "dist", "_build", "results", ".*_cache", ".hypothesis")
"""What is not copied: history and what commands have made, but for bytecode, which saves time."""

HANGS = 60
"""Seconds after which a test that hangs under a fault has noticed it."""

SOURCES = {(directory / "src").relative_to(ROOT) for directory in members()}
"""Of every distribution, in each copy."""


class Verdict(Enum):
    """What became of a planted fault."""

    CAUGHT = "caught"
    ESCAPED = "ESCAPED"
    NOT_TESTED = "NOT TESTED"
    """The test did not come to run; the fault may be no Python, or the test's name be wrong."""


class Copy:
    """A copy at `place` of the project at `root`, with the same tools and servers."""

    def __init__(self, root: Path, place: Path) -> None:
        self.place = place
        shutil.copytree(root, place, ignore=shutil.ignore_patterns(*MADE))
        for made in (".venv", ".servers"):
            if (root / made).exists():
                (place / made).symlink_to(root / made)

    def verdict(self, mutant: Mutant) -> Verdict:
        """Plant `mutant`, run its test, and take the fault out again."""
        with self.changed(mutant.file, mutant.plant):
            code = self.run(["-x", mutant.test]).returncode
        if code == pytest.ExitCode.TESTS_FAILED:
            return Verdict.CAUGHT
        return Verdict.ESCAPED if code == pytest.ExitCode.OK else Verdict.NOT_TESTED

    def run(self, tests: Iterable[str]) -> subprocess.CompletedProcess[str]:
        """Run tests of the copy, on what stands in the copy."""
        found = [str(self.place / source) for source in SOURCES]
        # Without new bytecode, none of a fault can be left behind for the next one.
        environment = {"PYTHONPATH": os.pathsep.join(found), "PYTHONDONTWRITEBYTECODE": "1"}
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--timeout={HANGS}"]
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=self.place,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def changed(self, file: str, change: Callable[[str], str]) -> Iterator[None]:
        """Let a file of the copy have another text for a while."""
        path = self.place / file
        before, stat = path.read_text(encoding="utf-8"), path.stat()
        path.write_text(change(before), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
