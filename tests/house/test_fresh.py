"""Nothing but the clone is needed: no test and no tool counts on what a run left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.house.workspace import ROOT

FIXED = re.compile(r"""["'`(=]/(?:tmp|var|opt)\b(?!/(?:task|runtime)\b)""")
"""A fixed place of this machine; those of a Lambda's own machine are facts of it."""


def test_no_test_and_no_tool_names_a_fixed_place() -> None:
    """A test has `tmp_path`, a tool the folder of the clone or a temporary one."""
    texts = [ROOT / "Makefile"]
    for folder in "tests bench index cloud_tests contract_tests supply docs examples".split():
        texts += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in (".py", ".mjs", ".sh") and "_build" not in path.parts
        ]
    assert len(texts) > 300
    assert [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if FIXED.search(line) and path != Path(__file__)
    ] == []


def test_ci_runs_the_readme_test_command_with_nothing_beside_the_clone(tmp_path: Path) -> None:
    """`.ci/run` runs it in `.ci/fresh`; there HOME is empty, and so is the temporary folder."""
    assert ".ci/fresh make check test pythons" in (ROOT / ".ci/run").read_text("utf-8")
    program = "import os, tempfile; h = os.environ['HOME']; print(os.listdir(h), h != %r)"
    for environment in ({}, {"LEEWARD_NO_MOUNT": "1"}):
        shown = subprocess.run(
            [ROOT / ".ci/fresh", sys.executable, "-c", program % str(tmp_path)],
            env={"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout == "[] True\n"


def test_a_leftover_is_not_opened(tmp_path: Path) -> None:
    """Where `/tmp` cannot be made empty, a test that opens what lies there fails."""
    (tmp_path / "allowed").mkdir()
    for path in (tmp_path / "left", tmp_path / "allowed/new"):
        path.touch()
    program = (
        "from pathlib import Path\n"
        "from tests.guard import LeftoverOpened, refuse_leftovers\n"
        f"here = Path({str(tmp_path)!r})\n"
        "refuse_leftovers([here], readable=[here / 'allowed'])\n"
        "(here / 'allowed/new').read_text()\n"
        "try: (here / 'left').read_text()\n"
        "except LeftoverOpened as error: print(error)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "left, which no fresh machine has" in shown.stdout
