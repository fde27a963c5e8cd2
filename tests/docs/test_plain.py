"""The plain pages for assistants: every page of the site once, with links that lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from tests.docs.test_pages import DOCS


def _plain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plain", DOCS / "plain.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PLAIN = _plain()


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Return the files, with the sources of those pages that Sphinx renders."""
    files: dict[str, str] = PLAIN.Pages(
        DOCS, lambda name: (DOCS / f"{name}.md").read_text(encoding="utf-8")
    ).files()
    return files


def test_every_page_is_in_each_file_once(files: dict[str, str]) -> None:
    """In the overview with a line on it, in the full text whole, and as a file."""
    pages = {f"{path.relative_to(DOCS).with_suffix('')}.md" for path in DOCS.rglob("*.md")}
    pages = {page for page in pages if not page.startswith("_build")}
    assert pages == {*files} - {"llms.txt", "llms-full.txt"}
    entries = re.findall(r"^- \[.+\]\((.+)\): \S", files["llms.txt"], re.MULTILINE)
    assert sorted(entries) == sorted(pages - {"index.md"})
    full = re.findall(r"^<!-- (.+\.md) -->$", files["llms-full.txt"], re.MULTILINE)
    assert sorted(full) == sorted(pages)


def test_the_overview_has_the_form_of_the_convention(files: dict[str, str]) -> None:
    """A title, a summary in a quotation, then sections of links, in the order of the site."""
    lines = [line for line in files["llms.txt"].splitlines() if line]
    assert lines[0] == "# leeward"
    assert lines[1].startswith("> Your payment function timed out. Did it run?")
    assert lines[4] == "## Start"
    assert lines[5].startswith("- [Quickstart](quickstart.md): From `pip install` to a first call")
    for line in lines[4:]:
        assert re.fullmatch(r"## .+|- \[[^]]+\]\([^)]+\.md\): .+", line)
        assert len(line) < 320


def test_links_lead_to_files_of_the_site(files: dict[str, str]) -> None:
    """In the full text, too, where a page of a folder stands beside the others."""
    pictures = {path.name for path in (*DOCS.glob("pictures/*"), *DOCS.glob("_static/*"))}
    known = {*files, *(f"_images/{name}" for name in pictures)}
    for name, text in files.items():
        folder = PLAIN.posixpath.dirname(name)
        links = PLAIN.LINK.findall(PLAIN.FENCE.sub("", PLAIN.with_links_from(text, folder)))
        assert {link for _, link in links} <= known, name
    assert "](../" not in files["llms-full.txt"]


def test_a_page_is_its_source_but_for_contents_and_pictures(files: dict[str, str]) -> None:
    """The site's own directives become Markdown."""
    assert files["routing.md"] == (DOCS / "routing.md").read_text(encoding="utf-8")
    assert "{toctree}" not in files["index.md"]
    assert "\n## Move here\n\n- [From boto3](from-boto3.md): Replace" in files["index.md"]
    assert "](_images/console-overview.png)" in files["console.md"]
