"""Links inside the site lead somewhere, and so do those between the pages of the repository."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from leeward_contract_tests.rows import each_row
from tests.docs.browse import flaws_of_layout
from tests.house.workspace import ROOT

PAGES = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "contract_tests/README.md"),
    *("examples/README.md", "examples/plugin/README.md"),
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
    *(f"docs/reference/{path.name}" for path in sorted((ROOT / "docs/reference").glob("*.md"))),
]


def links() -> Any:
    spec = spec_from_file_location("links", ROOT / "docs/links.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_broken_link_of_the_site_is_found(tmp_path: Path) -> None:
    """A page that is not there, and a place that is not on it; other sites are not asked."""
    (tmp_path / "a.html").write_text(
        '<h1 id="top"></h1><a href="b.html#here"></a><a href="#top"></a><a href="c.html"></a>'
        '<a href="b.html#gone"></a><a href="https://example.com/x"></a><a href="#gone"></a>'
        '<img src="d.png">'
    )
    (tmp_path / "b.html").write_text('<h2 id="here"></h2>')
    (tmp_path / "b.md").write_text("[a](a.html#x) [c](c.md) [x](https://example.com)")
    assert list(links().broken(tmp_path)) == [
        "a.html: c.html: no such page",
        "a.html: b.html#gone: no such place",
        "a.html: #gone: no such place",
        "a.html: d.png: no such page",
        "b.md: c.md: no such page",
    ]


def places(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@each_row("page", [page for page in PAGES if (ROOT / page).exists()])
def test_links_between_the_pages_lead_somewhere(page: str) -> None:
    """Also where the pages are read in the repository, and not on the site."""
    path = ROOT / page
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, place = link.partition("#")
        if ":" in name:
            continue
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (place and place not in places(target)):
            wrong.append(link)
    assert wrong == []


def test_every_page_is_two_steps_from_readme() -> None:
    """A link, or the contents of a page; those of the site's first page do not count."""
    folder, index = ROOT / "docs", ROOT / "docs/index.md"

    def leads_to(page: Path) -> set[Path]:
        text = page.read_text(encoding="utf-8")
        found = re.findall(r"\]\(([^)#\s]+\.md)", text)
        if page != index:
            found += [f"{name}.md" for _, names in toctrees(text) for name in names]
        return {(page.parent / name).resolve() for name in found}

    first = leads_to(ROOT / "README.md")
    second = {page for each in first if each.exists() for page in leads_to(each)}
    pages = {path for path in folder.rglob("*.md") if "_build" not in path.parts}
    assert sorted(map(str, pages - first - second)) == []


def test_the_site_is_built_where_every_pull_request_is_checked() -> None:
    """With warnings as errors, and then its links are looked at."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    check = text.partition("\ncheck:")[2].partition("\n\n")[0]
    site = text.partition("\nsite:")[2].partition("\n\n")[0]
    assert "$(MAKE) -j 2 types site\n" in check
    assert "sphinx-build -q -W" in site
    assert "docs/links.py" in site
    assert "python -m tests.docs.browse" in site


def test_what_a_browser_must_show_is_told_from_what_it_shows() -> None:
    """Widths, buttons and contents."""
    seen = {
        "height": 900,
        "overflow": 0,
        "contents": True,
        "has_contents": True,
        "menu": True,
        "blocks": 2,
        "buttons": 2,
    }
    assert list(flaws_of_layout("laptop", "cli", seen)) == []
    wrong = {"overflow": 3, "contents": False, "menu": False, "buttons": 1, "height": 110_992}
    assert list(flaws_of_layout("laptop", "cli", seen | wrong)) == [
        "cli at 1280: 3 pixels do not fit",
        "cli at 1280: 110992 pixels tall, at most 40000",
        "cli at 1280: 1 of 2 blocks have a button that copies",
        "cli at 1280: its contents are hidden",
        "cli at 1280: the menu is hidden",
    ]


def test_every_page_has_its_place_on_the_site() -> None:
    """In the order of a reader's way: from a first call to what is inside."""
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    groups = toctrees(index)
    assert [name for name, _ in groups] == [
        *("Start", "Move here", "Beside your libraries", "Call", "Write functions"),
        *("Workflows", "Data", "Operate", "Extend", "Inside"),
    ]
    reference = toctrees((ROOT / "docs/reference.md").read_text(encoding="utf-8"))
    listed = [name for _, names in (*groups, *reference) for name in names]
    assert len(set(listed)) == len(listed)
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/reference").glob("*.md")]
    there = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in pages}
    assert {*listed, "index"} == there


def toctrees(text: str) -> list[tuple[str, list[str]]]:
    """Return the captions of a page's lists, and the pages in each."""
    found = re.findall(r":caption: (.+)\n((?:.|\n)*?)```", text)
    return [(name, pages.split()) for name, pages in found]


def test_the_site_claims_no_copyright_without_a_holder() -> None:
    """A year alone says nothing."""
    assert "html_show_copyright = False" in (ROOT / "docs/conf.py").read_text(encoding="utf-8")
