"""The page on workflows: its programs run, and its table and picture are the code's."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from leeward.workflow.reading import read_definition, yaml_in
from tests.docs.test_pages import DOCS, blocks


def _written() -> ModuleType:
    spec = importlib.util.spec_from_file_location("workflow_limits", DOCS / "workflow_limits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_and_the_picture_are_made_of_the_code() -> None:
    """``make docs`` writes them anew."""
    written = _written()
    page = (DOCS / "workflows.md").read_text(encoding="utf-8")
    assert written.HEADING + written.table() in page
    assert written.PICTURE.read_text(encoding="utf-8") == written.picture()


def test_the_programs_of_the_page_run() -> None:
    """One after the other, as a reader would type them."""
    names: dict[str, object] = {}
    for program in blocks(DOCS / "workflows.md", "python"):
        exec(compile(program, "workflows.md", "exec"), names)


def test_the_document_of_the_page_is_a_workflow() -> None:
    """It is read as any file."""
    (text,) = blocks(DOCS / "workflows.md", "yaml")
    assert read_definition(yaml_in(text, "workflows.md")).name == "payment"
