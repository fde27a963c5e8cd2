"""Let checkov look at what `leeward export` writes, and compare its rules with those of the docs.

    python -m venv checkov && checkov/bin/pip install checkov
    python -m tests.packages.triage --checkov checkov/bin/checkov

checkov needs versions of packages that leeward has otherwise, so it has an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from tests.packages.core import apps, files_of
from tests.packages.exported import CLOUDS, COMPILED

PAGE: Final = Path(__file__).parents[2] / "docs" / "template-checks.md"


def triaged() -> set[str]:
    """Return the rules that the page names."""
    rows = re.findall(r"^\| (CKV.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {rule for row in rows for rule in row.split(", ")}


def failing(checkov: str, folder: Path) -> tuple[Counter[str], int]:
    """Return how often each rule fails in the modules below a folder, and how many checks pass."""
    ran = subprocess.run(
        [checkov, "-d", str(folder), "--framework", "terraform", "--skip-download", "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(ran.stdout)
    assert not found["summary"]["parsing_errors"], found["results"].get("parsing_errors")
    failed = Counter(each["check_id"] for each in found["results"]["failed_checks"])
    return failed, found["summary"]["passed"]


def main() -> None:
    """Print how the rules of checkov and of the page differ; end with 1 if they do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkov", default="checkov")
    with tempfile.TemporaryDirectory() as place:
        for cloud in CLOUDS:
            for name, spec, text in apps(cloud):
                folder = Path(place) / f"{cloud}-{name}"
                folder.mkdir()
                if cloud in COMPILED:
                    files_of(cloud, spec, text, folder)
        failed, passed = failing(parser.parse_args().checkov, Path(place))
    known = triaged()
    for rule in sorted(failed.keys() - known):
        sys.stdout.write(f"{rule} fails {failed[rule]} times, and {PAGE.name} does not have it\n")
    for rule in sorted(known - failed.keys()):
        sys.stdout.write(f"{rule} passes, and {PAGE.name} says that it does not\n")
    sys.stdout.write(f"{passed} checks passed, {failed.total()} did not, of {len(failed)} rules\n")
    sys.exit(failed.keys() != known)


if __name__ == "__main__":
    main()
