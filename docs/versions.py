"""Write into the table of `integrations.md` which versions are tested: those of the locks."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parent
LOCKS = DOCS.parent / "tests" / "servers"
PAGE = DOCS / "integrations.md"
OTHERS = (LOCKS / "migrations/migrations.txt", DOCS.parent / "requirements-dev.txt")
"""The locks of what is tested in one version alone."""


def find_versions() -> dict[str, list[str]]:
    """Return the versions of each library that stands in an environment, and in one of before."""
    versions: dict[str, list[str]] = {}
    for before in sorted((LOCKS / "libraries").glob("*-before.in")):
        names = re.findall(r"^[\w-]+", before.read_text(encoding="utf-8"), re.MULTILINE)
        newest = before.with_name(before.name.replace("-before.in", ".txt"))
        for lock in (newest, before.with_suffix(".txt")):
            for name in names:
                versions.setdefault(name, []).extend(read_version(lock, name))
    return versions


def read_version(lock: Path, name: str) -> list[str]:
    """Return the version of a library in a lock, that of the oldest Python; none if it lacks it."""
    text = lock.read_text(encoding="utf-8")
    return re.findall(rf"^{re.escape(name)}==(\S+)", text, re.MULTILINE)[:1]


def set_versions(text: str) -> str:
    """Return the text of the page with the versions as they are now."""
    lines, versions = text.splitlines(keepends=True), find_versions()
    for n, line in enumerate(lines):
        row, _, cell = line.rstrip(" |\n").rpartition(" | ")
        if line.startswith("| ") and re.match(r"[\w-]+ [?\d]", cell):
            shown = [_describe(part.split()[0], versions) for part in cell.split("; ")]
            lines[n] = f"{row} | {'; '.join(shown)} |\n"
    return "".join(lines)


def _describe(name: str, versions: dict[str, list[str]]) -> str:
    alone = [version for lock in OTHERS for version in read_version(lock, name)][:1]
    return f"{name} {', '.join(dict.fromkeys(versions.get(name, alone))) or '?'}"


if __name__ == "__main__":
    PAGE.write_text(set_versions(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
