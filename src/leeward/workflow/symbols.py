"""References to values, and tests of them, while a flow is defined."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, Final, NoReturn

from leeward.errors import ConfigError
from leeward.workflow.limits import LIMITS
from leeward.workflow.model import (
    All,
    AttemptNode,
    Compare,
    Condition,
    ErrorHandler,
    Node,
    Not,
    OneOf,
    Present,
    Reference,
    Scalar,
    Some,
)

_PACKAGE: Final = str(PurePath(__file__).parent)
_CONTEXTLIB: Final = contextmanager.__code__.co_filename


class Trace:
    """The block that is open, and the lines of the nodes."""

    def __init__(self) -> None:
        self.block: list[Node] = []
        self._lines: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def add(self, node: Node) -> None:
        """Add a node to the open block."""
        self._lines[id(node)] = users_line()
        self.block.append(node)

    @contextmanager
    def collect(self) -> Iterator[list[Node]]:
        """Collect the nodes inside the ``with`` in a block of their own."""
        outer, self.block = self.block, []
        try:
            yield self.block
        finally:
            self.block = outer

    def add_handler(self, id: str, handler: ErrorHandler) -> None:
        """Add a handler to the attempt `id`, which must be the last node of the open block.

        Raises:
            ConfigError: it is not.
        """
        last = self.last_attempt(id)
        node = last._replace(handlers=(*last.handlers, handler))
        self._lines[_identity(node)] = self._lines[_identity(last)]
        self.block[-1] = node

    def last_attempt(self, id: str) -> AttemptNode:
        """Return the last node of the open block, which must be the attempt `id`.

        Raises:
            ConfigError: it is not.
        """
        last = self.block[-1] if self.block else None
        if not isinstance(last, AttemptNode) or last.id != id:
            raise ConfigError(
                f"{users_line()}: `on` of {id!r} must come right behind its block, at its level"
            )
        return last

    def number(self, kind: str) -> str:
        """Return an id for the next node of a kind."""
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}-{number}"

    def line_of(self, node: Node | None) -> str | None:
        """Return the file and line in which a node was added; None if it was not."""
        return self._lines.get(_identity(node))


def users_line() -> str:
    """Return the user's file and line: those of the nearest caller outside of this package."""
    frame = sys._getframe(1)  # noqa: SLF001 - there is no other way to a caller that is cheap
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        if file != _CONTEXTLIB and not file.startswith(_PACKAGE):
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


_identity = id
"""The built-in, for functions with an argument `id`."""


class Ref:
    """A value of the running flow: the input, or the result of a step.

    ``order["id"]`` is a field of it; comparisons make a `Test` for `ChooseBlock.when`.
    """

    __hash__ = None  # type: ignore[assignment] # equality makes a test

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    def __repr__(self) -> str:
        return f"<Ref {'.'.join((self.reference.name, *self.reference.path))}>"

    def __getitem__(self, field: str) -> Ref:
        if not isinstance(field, str):
            raise ConfigError(
                f"{users_line()}: [{field!r}] of {self!r}: a reference has named fields only; let "
                "a step pick from a list"
            )
        return Ref(self.reference._replace(path=(*self.reference.path, field)))

    def __eq__(self, other: object) -> Test:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: object) -> Test:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: object) -> Test:
        return self._compare("<", other)

    def __le__(self, other: object) -> Test:
        return self._compare("<=", other)

    def __gt__(self, other: object) -> Test:
        return self._compare(">", other)

    def __ge__(self, other: object) -> Test:
        return self._compare(">=", other)

    def one_of(self, values: list[Scalar]) -> Test:
        """Return the test whether it is one of `values`."""
        return Test(OneOf(self.reference, tuple(values)))

    def is_present(self) -> Test:
        """Return the test whether it is there, and not null."""
        return Test(Present(self.reference))

    def _compare(self, op: Any, other: Any) -> Test:
        right = other.reference if isinstance(other, Ref) else other
        return Test(Compare(self.reference, op, right))

    def _worked_on(self, *_: object) -> NoReturn:
        limit = LIMITS["expressions"]
        raise ConfigError(
            f"{users_line()}: {self!r} has no value yet, and {limit.what} {limit.engine} cannot "
            f"do; {limit.instead}"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _worked_on
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _worked_on
    __neg__ = __abs__ = __round__ = __int__ = __float__ = __len__ = __str__ = _worked_on

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # asked by tools that look whether there is something
            raise AttributeError(name)
        raise ConfigError(
            f"{users_line()}: {self!r} has no {name!r}; write [{name!r}] for the field, and let a "
            "function do what is to be done with the value"
        )

    def __bool__(self) -> NoReturn:
        raise ConfigError(f"{users_line()}: {self!r} {_NOT_YET}")

    def __iter__(self) -> NoReturn:
        raise ConfigError(f"{users_line()}: {self!r} {_NOT_YET}")


class Test:
    """A condition. ``&``, ``|`` and ``~`` combine them; `and`, `or` and `not` cannot."""

    __test__ = False  # for pytest

    def __init__(self, condition: Condition) -> None:
        self.condition = condition

    def __and__(self, other: Test) -> Test:
        return Test(All((self.condition, condition_of(other))))

    def __or__(self, other: Test) -> Test:
        return Test(Some((self.condition, condition_of(other))))

    def __invert__(self) -> Test:
        return Test(Not(self.condition))

    def __bool__(self) -> NoReturn:
        raise ConfigError(f"{users_line()}: a test {_NOT_YET}; combine tests by &, | and ~")


_NOT_YET: Final = (
    "has no value while the flow is defined, for nothing has run yet; use `w.choose` to decide on "
    "it and `w.each` to go through it"
)


def condition_of(test: Any) -> Condition:
    """Return the condition of a test."""
    if not isinstance(test, Test):
        raise ConfigError(
            f"{users_line()}: a {type(test).__name__} is not a test; compare a reference, and "
            "write ~ for not"
        )
    return test.condition
