"""The Python reference leaves no public name out."""

from __future__ import annotations

from pathlib import Path

import leeward
from leeward import items

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8").split()


def test_every_name_of_the_package_is_in_the_reference() -> None:
    """By the name that is imported."""
    assert [name for name in leeward.__all__ if f"leeward.{name}" not in PAGE] == []


def test_every_name_for_items_is_in_the_reference() -> None:
    """But for the profiles of the four targets, which are data."""
    missing = [name for name in items.__all__ if f"leeward.items.{name}" not in PAGE]
    assert missing == ["COSMOS", "DYNAMODB", "EMBEDDED", "FIRESTORE"]
