"""The page on stability lists what the public modules export."""

from __future__ import annotations

import re
from importlib import import_module

import leeward
from leeward_contract_tests.rows import each_row
from tests.house import numbers
from tests.house.workspace import ROOT

PAGE = (ROOT / "docs/stability.md").read_text(encoding="utf-8")

ROWS = re.findall(r"^\| `(leeward[\w.]*)` \|(.*)\|(.*)\|$", PAGE, re.MULTILINE)
"""Module, stable names, provisional names. Adding a stable name is a promise to keep it; taking one
away breaks somebody."""

INTERNAL = {
    "leeward.cli.app",
    "leeward.records",
    "leeward_azure.workflows",
    "leeward_dev.console",
}
"""Modules that list their names for our own distributions alone."""


@each_row("row", ROWS)
def test_each_name_of_a_module_is_stable_or_provisional(row: tuple[str, str, str]) -> None:
    """One of both, sorted; `all` stands for each name of a provisional module."""
    name, *cells = row
    exported: list[str] = import_module(name).__all__
    if [cell.strip() for cell in cells] != ["", "all"]:
        stable, provisional = (re.findall(r"`(\w+)`", cell) for cell in cells)
        assert (stable, provisional) == (sorted(stable), sorted(provisional))
        assert sorted(stable + provisional) == sorted(exported)


def test_every_module_that_exports_names_is_on_the_page() -> None:
    """Once; private rooms, and those that only we use, are left out."""
    offering = [
        module.name
        for module in numbers.modules()
        if re.search(r"^__all__ = ", module.text, re.MULTILINE) and "._" not in module.name
    ]
    assert sorted({*offering} - INTERNAL) == sorted(name for name, *_ in ROWS)


def test_every_public_name_is_there() -> None:
    """Each promised name can be taken from `leeward`, and `dir` shows it; the list is sorted."""
    names = leeward.__all__
    assert names == sorted(names)
    assert [name for name in names if getattr(leeward, name).__name__ != name] == []
    assert set(names) <= set(dir(leeward))


def test_the_page_says_what_is_deprecated() -> None:
    """Whoever makes a name warn names it on the page, in place of "nothing"."""
    warning = [each.name for each in numbers.modules() if "DeprecationWarning" in each.text]
    assert bool(warning) != PAGE.endswith("**Deprecated today**: nothing.\n"), warning
