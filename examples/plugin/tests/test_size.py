"""A small cloud costs a small adapter."""

from __future__ import annotations

from pathlib import Path

import leeward_nimbus


def test_the_adapter_has_at_most_150_lines() -> None:
    """All of the package together; blank lines are not counted."""
    package = Path(leeward_nimbus.__file__).parent
    lines = [line for path in package.glob("*.py") for line in path.read_text().splitlines()]
    assert len([line for line in lines if line.strip()]) <= 150
