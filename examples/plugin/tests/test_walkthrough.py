"""The documentation shows the code as it is."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent, indent

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/write-an-adapter.md").read_text(encoding="utf-8")

SHOWN = re.findall(r"^From `([^`]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("path", "code"), SHOWN, ids=[f"{n} {path}" for n, (path, _) in enumerate(SHOWN)]
)
def test_the_page_shows_what_the_file_holds(path: str, code: str) -> None:
    """Each piece of code stands in its file, line for line."""
    text = (ROOT / path).read_text(encoding="utf-8")
    assert any(indent(dedent(code), " " * n) in text for n in (0, 4, 8, 12))


def test_every_piece_of_code_says_where_it_is_from() -> None:
    """No code on the page goes unchecked."""
    assert len(SHOWN) == PAGE.count("```") / 2 > 10


def test_every_file_that_the_page_names_is_there() -> None:
    """The paths on the page lead somewhere."""
    named = set(re.findall(r"`(examples/[^`]+)`", PAGE))
    assert [path for path in named if not (ROOT / path).exists()] == []
