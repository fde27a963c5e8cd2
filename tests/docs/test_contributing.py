"""The table of usual changes names files that exist."""

from __future__ import annotations

import re

from tests.house.workspace import ROOT

ADAPTERS = sorted((ROOT / "adapters").glob("*/src/*"))


def _rows() -> list[str]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## Where do I change …?\n")[2]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


def _exists(path: str) -> bool:
    """Return whether a path of the table is there: of the root, of the core, or of an adapter."""
    if path.startswith("*/"):
        return any((adapter / path.removeprefix("*/")).exists() for adapter in ADAPTERS)
    return (ROOT / path).exists() or (ROOT / "src/leeward" / path).exists()


def test_a_contributor_finds_every_file_of_the_table() -> None:
    """Each path in back-ticks leads to a file or a folder of this tree."""
    rows = _rows()
    assert len(rows) >= 12
    paths = {path for row in rows for path in re.findall(r"`([\w*./-]+/[\w*./-]*|\w+\.py)`", row)}
    # A folder below those that the row names.
    paths -= {"commands/"}
    assert sorted(path for path in paths if not _exists(path)) == []
