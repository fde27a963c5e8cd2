"""What stands for a value while a flow is defined: references, and tests of them."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from leeward.errors import ConfigError
from leeward.workflow.limits import LIMITS
from leeward.workflow.model import (
    All,
    Compare,
    Condition,
    Not,
    OneOf,
    Present,
    Reference,
    Scalar,
    Some,
)
from leeward.workflow.trace import users_line


class Ref:
    """What will be there when the flow runs: the input, or what a step has returned.

    ``order["id"]`` is a field of it; comparisons make a `Test` for `Choice.when`.
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
        told = LIMITS["expressions"]
        raise ConfigError(
            f"{users_line()}: {self!r} has no value yet, and {told.what} {told.engine} cannot do; "
            f"{told.instead}"
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
    """Return the condition of a test.

    Raises:
        ConfigError: it is something else, such as what a comparison of plain values gives.
    """
    if not isinstance(test, Test):
        raise ConfigError(
            f"{users_line()}: a {type(test).__name__} is not a test; compare a reference, and "
            "write ~ for not"
        )
    return test.condition
