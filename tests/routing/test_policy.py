"""The numbers that routing decides by."""

from __future__ import annotations

import ast
import inspect
import runpy
from pathlib import Path

from leeward._routing import policy
from leeward._routing.policy import RoutingPolicy

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_has_the_numbers_that_are_in_force() -> None:
    """Its tables are those that `make docs` would write from the code."""
    page = (DOCS / "routing.md").read_text(encoding="utf-8")
    path = DOCS / "routing_tables.py"
    tables = runpy.run_path(str(path))
    assert "\n".join(tables["policy_table"]()) in page
    outcomes = (DOCS / "outcomes.md").read_text(encoding="utf-8")
    assert "\n".join(tables["outcome_table"]()) in outcomes


def test_each_number_says_what_it_is() -> None:
    """Every field has a docstring of its own, which is where its unit and its source stand."""
    (cls,) = ast.parse(inspect.getsource(policy.RoutingPolicy)).body
    assert isinstance(cls, ast.ClassDef)
    fields = [
        after.value.value
        for node, after in zip(cls.body, cls.body[1:], strict=False)
        if isinstance(node, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    ]
    assert len(fields) == len(RoutingPolicy._fields)
