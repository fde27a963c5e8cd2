"""Which contract a broken driver breaks, and which test has to say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from leeward.testing import FaultyDriver
from leeward_contract_tests import Contract

D = TypeVar("D", bound=type[FaultyDriver])


class Case(NamedTuple):
    """A broken driver, the contract that it breaks, and the test that has to say so."""

    driver: type[FaultyDriver]
    contract: type[Contract]
    found_by: str

    @property
    def suite(self) -> str:
        """The name of its test class."""
        return f"Test{self.driver.__name__}"


CASES: list[Case] = []


def breaks(contract: type[Contract], found_by: str) -> Callable[[D], D]:
    """Register the decorated driver: `contract` has to find its mistake, by that test."""

    def register(driver: D) -> D:
        CASES.append(Case(driver, contract, found_by))
        return driver

    return register
