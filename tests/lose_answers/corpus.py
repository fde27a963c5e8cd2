"""Run sixty programs with `--lose-answers`: thirty send an effect twice, thirty do not.

python -m tests.lose_answers.corpus [--modes MODES] [--only NAMES] [--clients ENVIRONMENT]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.house.workspace import ROOT
from tests.postgres.server import Server

PROGRAMS: Final = Path(__file__).parent / "programs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the programs, print a table, and return the exit status: 1 if one is judged wrongly."""
    parser = ArgumentParser(prog="python -m tests.lose_answers.corpus", description=__doc__)
    parser.add_argument("--modes", default="timeout,reset")
    parser.add_argument(
        "--only", default="", help="programs with one of these names, as pytest's -k"
    )
    parser.add_argument("--clients", default="clients", help="their environment in .servers")
    options = parser.parse_args(arguments)
    server = Server()
    try:
        report, names = judge(server.url, options.modes, options.only, options.clients)
    finally:
        server.stop()
    wrong = 0
    for name in names:
        modes, others = (modes_of(report, kind, name) for kind in ("doubles", "repeats"))
        is_right = bool(modes) == name.startswith("doubles.py")
        wrong += not is_right
        verdict = f"twice ({modes})" if modes else f"once ({others})" if others else "once"
        print(f"{'ok   ' if is_right else 'WRONG'} {name:66} {verdict}")
    left_out = sum(report["left_out"].values())
    print(f"programs: {len(names)}; answers lost: {report['lost']}, not lost: {left_out}")
    print(f"wrong: {wrong}")
    return 1 if wrong or left_out else 0


def judge(url: str, modes: str, only: str, clients: str) -> tuple[dict[str, Any], list[str]]:
    """Run the programs beside the clients' environment; return the report, and their names.

    Raises:
        RuntimeError: one fails without a loss, or the exit status is wrong.
    """
    libraries = next((ROOT / ".servers" / clients / "lib").glob("python*/site-packages"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "leeward_lose_answers.plugin", "-rA"),
                *("-c", str(PROGRAMS / "pytest.ini"), "--rootdir", str(PROGRAMS), "-k", only),
                *("--lose-answers", f"--lose-answers-modes={modes}", "--lose-answers-times=99"),
                f"--lose-answers-json={path}",
                *(str(PROGRAMS / f"{kind}.py") for kind in ("doubles", "sound")),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(libraries),
                "PYTHONWARNINGS": "ignore",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "LOSE_ANSWERS_POSTGRES": url,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    passed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("PASSED")]
    if " failed" in done.stdout or not report or done.returncode != bool(report["doubles"]):
        raise RuntimeError(done.stdout[-8000:] + done.stderr)
    return report, [path.rpartition("/")[2] for path in passed]


def modes_of(report: dict[str, Any], kind: str, name: str) -> str:
    """Return the modes in which a program did so."""
    modes = {each["mode"] for each in report[kind] if each["test"] == name}
    return ", ".join(sorted(modes))


if __name__ == "__main__":
    sys.exit(main())
