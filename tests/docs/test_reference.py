"""The Python reference leaves no public name out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import leeward
from leeward.adapter import items
from tests.house.workspace import ROOT

PAGES = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs/reference").glob("*.md")}
NAMES = "\n".join(PAGES.values()).split()

ROOMS = ["errors.py", "values", "calls", "testing", "config", "adapter"]
"""Of the package, those that have classes on the page."""


def test_every_name_of_the_package_is_in_the_reference() -> None:
    """By the name that is imported."""
    assert [name for name in leeward.__all__ if f"leeward.{name}" not in NAMES] == []


def test_every_name_for_items_is_in_the_reference() -> None:
    """An author of an adapter needs all of them."""
    assert [name for name in items.__all__ if f"leeward.adapter.items.{name}" not in NAMES] == []


def test_every_module_of_the_kit_is_in_the_reference() -> None:
    """But for private ones, which no adapter may import."""
    modules = {path.stem for path in (ROOT / "src/leeward/adapter").glob("[!_]*.py")}
    heading = re.compile(r"^## leeward\.adapter\.(\w+)$", re.MULTILINE)
    listed = [name for text in PAGES.values() for name in heading.findall(text)]
    assert sorted(listed) == sorted(modules)


def test_the_text_of_an_attribute_is_not_taken_for_its_type() -> None:
    """napoleon reads what stands before a colon in the docstring of an attribute as a type."""
    wrong = [
        f"{path.name}: {text}"
        for room in ROOMS
        for path in _files(ROOT / "src/leeward" / room)
        for text in _attributes(path.read_text(encoding="utf-8"))
        if ": " in text.partition("\n")[0]
    ]
    assert wrong == []


def _files(room: Path) -> list[Path]:
    return [room] if room.suffix else sorted(room.rglob("*.py"))


def _attributes(source: str) -> Iterator[str]:
    """Yield the docstrings of attributes of classes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for before, after in zip(node.body, node.body[1:], strict=False):
                if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
                    yield str(getattr(after.value, "value", ""))
