"""The migration pages: their differences are those of the programs that the tests run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from leeward_contract_tests.rows import each_row
from tests.docs.test_pages import DOCS, blocks


def _written() -> ModuleType:
    spec = importlib.util.spec_from_file_location("migrations", DOCS / "migrations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MIGRATIONS = _written()


@each_row("page, program", [*MIGRATIONS.PAGES.items()])
def test_a_page_answers_first_and_shows_the_difference(page: str, program: str) -> None:
    """``make docs`` writes it anew; four answers stand before it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert blocks(DOCS / page, "diff") == [f"{MIGRATIONS.difference(program)}\n"]
    answers, _, _ = text.partition("```diff")
    for question in ("What changes", "What you gain", "What stays yours", "How to go back"):
        assert f"**{question}**" in answers


def test_every_program_has_a_page() -> None:
    """None is left out."""
    folders = {each.name for each in Path(MIGRATIONS.PROGRAMS).iterdir() if each.is_dir()}
    assert folders - {"__pycache__"} == {*MIGRATIONS.PAGES.values()}
