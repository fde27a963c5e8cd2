from __future__ import annotations

import ast

from tests.house.workspace import ROOT


def _undocumented(source: str) -> list[str]:
    """Give the names of the tests in `source` that do not say what they hold."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]


def test_every_test_says_what_it_holds() -> None:
    """Each test function has a docstring, so that a failure reads as a broken promise."""
    silent = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("tests", "contract_tests", "examples", "adapters")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in _undocumented(path.read_text(encoding="utf-8"))
    ]
    assert silent == []


def test_a_silent_test_is_seen() -> None:
    """A test without a docstring counts, also in a class; other functions need none."""
    source = (
        "class TestX:\n    def test_a(self): ...\ndef test_b():\n    'Says.'\ndef help(): ...\n"
    )
    assert _undocumented(source) == ["test_a"]
