"""The Python reference leaves no public name out."""

from __future__ import annotations

from pathlib import Path

import leeward
from leeward.adapter import items

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8").split()


def test_every_name_of_the_package_is_in_the_reference() -> None:
    """By the name that is imported."""
    assert [name for name in leeward.__all__ if f"leeward.{name}" not in PAGE] == []


def test_every_name_for_items_is_in_the_reference() -> None:
    """An author of an adapter needs all of them."""
    assert [name for name in items.__all__ if f"leeward.adapter.items.{name}" not in PAGE] == []
