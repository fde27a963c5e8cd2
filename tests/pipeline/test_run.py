"""The pipeline runs on this machine from one command, with a view of what becomes of each file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.house.workspace import ROOT

FILES = 30


def test_one_command_runs_the_pipeline_and_shows_it(tmp_path: Path) -> None:
    """It ends when each file is a summary or was given up, and leaves nothing where it was run."""
    folder, elsewhere = tmp_path / "sales", tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, str(ROOT / "examples/pipeline/run.py"), "--files", str(FILES)]
    runs = [
        subprocess.run(
            [*command, "--folder", str(folder)],
            cwd=elsewhere,
            env={"PATH": os.environ["PATH"], "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        for _ in range(2)
    ]
    for done in runs:
        (row,) = re.findall(r"│\s+(\d+) │\s+(\d+) │\s+(\d+) │\s+(.*?) │", done.stdout)
        arrived, waiting, processed, given_up = row
        assert (arrived, waiting, processed) == (str(FILES), "0", str(FILES - 2))
        assert sum(map(int, re.findall(r": (\d+)", given_up))) == 2
        assert done.stderr == ""
    # The second run finds all of it there, and does nothing again.
    assert re.findall("pieces.*", runs[0].stdout) == re.findall("pieces.*", runs[1].stdout)
    assert list(elsewhere.iterdir()) == []
