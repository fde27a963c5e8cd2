"""The numbers that routing decides by."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from leeward.routing import policy
from leeward.routing.policy import DEFAULT, RoutingPolicy

PAGE = Path(__file__).parents[2] / "docs/outcomes.md"
ROW = re.compile(r"\| `(\w+)` \| ([\d.]+) \|")


def test_the_page_has_the_numbers_that_are_in_force() -> None:
    """Each field is documented with its default, in the same order."""
    documented = {name: float(value) for name, value in ROW.findall(PAGE.read_text())}
    assert list(documented.items()) == list(DEFAULT._asdict().items())


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
