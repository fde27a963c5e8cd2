"""Which contract a broken driver breaks, and which test has to say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from leeward.testing import FaultyDriver
from leeward_contract_tests import Contract

D = TypeVar("D", bound=type[FaultyDriver])


class Case(NamedTuple):
    """A broken driver, the contract that it breaks, and the test, or subtest, that finds it."""

    driver: type[FaultyDriver]
    contract: type[Contract]
    found_by: str
    subtest: str | None
    on_wire: bool

    @property
    def suite(self) -> str:
        """The name of its test class."""
        return f"Test{self.driver.__name__}"


CASES: list[Case] = []


def breaks(
    contract: type[Contract], found_by: str, subtest: str | None = None, *, on_wire: bool = False
) -> Callable[[D], D]:
    """Register the decorated driver: `contract` has to find its mistake, by that test.

    `on_wire` puts it around a target by URL, behind a proxy, in the place of an embedded one.
    """

    def register(driver: D) -> D:
        CASES.append(Case(driver, contract, found_by, subtest, on_wire))
        return driver

    return register
