"""Tables of a test: one case that goes through all rows, and names each that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Any, Final, TypeAlias

import pytest

LONGEST_NAME: Final = 60
"""Characters of a row that name it."""

Test: TypeAlias = Callable[..., None]


def each_row(names: str, rows: Iterable[Any] | Mapping[str, Any]) -> Callable[[Test], Test]:
    """Run a test for each of `rows`, each a subtest of one case with the same fixtures.

    Where rows need fixtures of their own, or a proof each by name, use `parametrize`.

    Args:
        names: of the test's parameters that a row fills, as for `pytest.mark.parametrize`.
        rows: a tuple each, or a single value where there is one name; a mapping names its rows,
            others have their number and their beginning as a name.
    """
    filled = [name.strip() for name in names.split(",")]
    table = list(rows.items()) if isinstance(rows, Mapping) else list(enumerate(rows))
    assert table, "a table without rows proves nothing"

    def decorate(test: Test) -> Test:
        taken = signature(test).parameters

        @wraps(test)
        def run(*args: Any, subtests: pytest.Subtests, **fixtures: Any) -> None:
            if "subtests" in taken:
                fixtures["subtests"] = subtests
            for key, row in table:
                values = row if len(filled) > 1 else (row,)
                with subtests.test(key if isinstance(key, str) else _name(key, row)):
                    test(*args, **fixtures, **dict(zip(filled, values, strict=True)))

        left = [rest for rest in taken.values() if rest.name not in {*filled, "subtests"}]
        also = Parameter("subtests", Parameter.KEYWORD_ONLY)
        vars(run)["__signature__"] = signature(test).replace(parameters=[*left, also])
        return run

    return decorate


def _name(number: int, row: object) -> str:
    try:
        return f"{number}: {row!a}"[:LONGEST_NAME]
    except ValueError:  # an integer of more digits than Python writes
        return str(number)
