"""Where the workspace is, and which distributions it is made of."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def read_pyproject(directory: Path) -> dict[str, Any]:
    """Read the pyproject.toml of one member."""
    return tomllib.loads((directory / "pyproject.toml").read_text(encoding="utf-8"))


def members() -> list[Path]:
    """Give the directories of all members, the root first."""
    patterns = read_pyproject(ROOT)["tool"]["uv"]["workspace"]["members"]
    found = (
        path.parent for each in patterns for path in sorted(ROOT.glob(f"{each}/pyproject.toml"))
    )
    return [ROOT, *found]
