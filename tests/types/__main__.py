"""Read a user's program with mypy and pyright: both pass the shop, and find each mistake.

python -m tests.types
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SHOP, MISTAKES = HERE / "shop.py", HERE / "mistakes.py"
PYRIGHT = ROOT / ".servers/pyright/node_modules/pyright/index.js"


def planted() -> set[int]:
    """Return the lines of the mistakes."""
    lines = MISTAKES.read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if "# mistake" in line}


def lines_by_mypy() -> dict[str, set[int]]:
    """Return the lines with errors, by the name of the file, as mypy has them."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        SHOP,
        MISTAKES,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found: dict[str, set[int]] = {}
    for path, line in re.findall(r"^(\S+?):(\d+): error:", done.stdout, re.MULTILINE):
        found.setdefault(Path(path).name, set()).add(int(line))
    return found


def lines_by_pyright() -> dict[str, set[int]]:
    """Return the same as pyright has them."""
    node = ROOT / ".servers/nodejs/bin/node"
    command: list[str | Path] = [
        node,
        PYRIGHT,
        "--pythonpath",
        sys.executable,
        "--outputjson",
        SHOP,
        MISTAKES,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found: dict[str, set[int]] = {}
    for report in json.loads(done.stdout)["generalDiagnostics"]:
        if report["severity"] == "error":
            name, line = Path(report["file"]).name, report["range"]["start"]["line"] + 1
            found.setdefault(name, set()).add(line)
    return found


def main() -> int:
    """Return how many checkers say something else than they should."""
    wanted = {MISTAKES.name: planted()}
    wrong = 0
    for name, lines in (("mypy", lines_by_mypy()), ("pyright", lines_by_pyright())):
        if lines != wanted:
            wrong += 1
            print(f"{name} finds errors at {lines}, and they are at {wanted}", file=sys.stderr)
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
