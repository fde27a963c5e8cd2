"""The table of the integrations: its versions are those of the locks, its names are in the code."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.docs.test_pages import DOCS

CARRIERS = {
    *("azure-eventgrid", "dbos", "gunicorn", "langgraph-checkpoint-sqlite"),
    *("temporalio", "uvicorn"),
}
"""What only carries a library that is tested, or has no module here."""


def _versions() -> ModuleType:
    spec = importlib.util.spec_from_file_location("versions", DOCS / "versions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VERSIONS = _versions()
TEXT = VERSIONS.PAGE.read_text(encoding="utf-8")


def test_the_versions_are_those_of_the_locks() -> None:
    """``make docs`` writes them anew."""
    assert VERSIONS.set_versions(TEXT) == TEXT, "the locks have other versions: run make docs"


def test_every_library_that_is_locked_for_it_has_a_row() -> None:
    """A new environment of libraries is a new row."""
    cells = " ".join(line.rstrip(" |").rpartition(" | ")[2] for line in TEXT.splitlines())
    missing = {name for name in VERSIONS.find_versions() if f"{name} " not in cells}
    assert missing - CARRIERS == set()
