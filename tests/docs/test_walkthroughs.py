"""The pages for adapter authors show the code of the examples as it is."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent, indent

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {
    name: (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    for name in ("write-an-adapter", "plans")
}
SHOWN = [
    pytest.param(path, code, id=f"{page}: {number}, {path.rpartition('/')[2]}")
    for page, text in PAGES.items()
    for number, (path, code) in enumerate(
        re.findall(r"^From `([^`]+)`:\n\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    )
]


def own_code(page: str) -> list[str]:
    """Give the Python of a page that is not from a file."""
    text = re.sub(
        r"^From `[^`]+`:\n\n```\w+\n.*?^```$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE
    )
    assert set(re.findall(r"^```(\w+)$", text, re.MULTILINE)) <= {"python", "sh"}
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("path", "code"), SHOWN)
def test_a_page_shows_what_the_file_holds(path: str, code: str) -> None:
    """Each piece of code stands in its file, line for line."""
    text = (ROOT / path).read_text(encoding="utf-8")
    assert any(indent(dedent(code), " " * n) in text for n in (0, 4, 8, 12))


@pytest.mark.parametrize("page", PAGES)
def test_all_other_code_runs(page: str) -> None:
    """As it is printed: what is not from a file is a program of its own."""
    for code in own_code(page):
        exec(compile(code, f"{page}.md", "exec"), {})


def test_the_pages_show_both_roads() -> None:
    """What to install and to import, how to run the contract, and where the examples are."""
    first, second = PAGES.values()
    assert "pip install leeward leeward-contract-tests pytest" in first
    assert "pytest tests/test_contract.py" in first
    assert "import requests\n" in first
    assert 'pip install "leeward[wire]" leeward-contract-tests pytest' in second
    assert "from leeward.adapter.plans import" in second
    assert len(own_code("plans")) == 2
    assert own_code("write-an-adapter") == []


def test_the_suite_of_the_page_is_the_whole_file() -> None:
    """A reader who copies it has every fixture that it needs; `examples` run it."""
    path = "examples/plugin/tests/test_contract.py"
    shown = [code for param in SHOWN for at, code in [param.values] if at == path]
    assert shown == [(ROOT / path).read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    """The paths lead somewhere."""
    named = set(re.findall(r"`(examples/[^`]+)`", PAGES[page]))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
