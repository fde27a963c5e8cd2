"""The embedded driver keeps the contract, with faults on demand."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leeward import Client
from leeward.adapter import Driver
from leeward.calls import Call, FunctionFault, Invoke, Result
from leeward.errors import Outcome
from leeward.testing import FaultyDriver
from leeward_contract_tests import (
    Awaited,
    DriverContract,
    FailureContract,
    Faults,
    LifecycleContract,
    faults_of,
)
from leeward_contract_tests.contracts.capabilities import Undeclared
from tests.contract.clouds import LOCAL_SERVICES, local_cloud


class TestLocal(LifecycleContract):
    """What a driver is, bare; its verbs are put to it below, where they can be made to fail."""

    @pytest.fixture
    def driver(self) -> Iterator[Driver]:
        driver = local_cloud()
        yield driver
        driver.close()

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        return LOCAL_SERVICES


class TestFaultyLocal(DriverContract):
    """The whole contract, with faults on demand."""

    @pytest.fixture
    def driver(self) -> Iterator[FaultyDriver]:
        driver = FaultyDriver(local_cloud())
        yield driver
        driver.close()

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        return LOCAL_SERVICES

    @pytest.fixture
    def faults(self, driver: FaultyDriver) -> Faults:
        return faults_of(driver)


class TestFaultyLocalAwaited(Awaited, TestFaultyLocal):
    """The whole contract through `AsyncClient`; the embedded driver works in threads there."""


class BeginsLate(FaultyDriver):
    """Says once that a function did not begin in its time, as a busy machine does."""

    late = True

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if self.late and isinstance(call, Invoke) and timeout < 5:
            self.late = False
            fault = FunctionFault("Problem", "too little time is left", ran="no", reason="deadline")
            return Result(Outcome.APP_ERROR, fault=fault)
        return super().perform(call, timeout)


def test_the_contract_does_not_depend_on_when_a_function_begins() -> None:
    """It gives a function that did not begin more time; what it tests is one that has begun."""
    driver = BeginsLate(local_cloud())
    FailureContract.test_a_function_slower_than_the_deadline_is_ambiguous(
        cast("FailureContract", SimpleNamespace(undeclared=Undeclared(Client(driver), driver))),
        driver,
    )
    assert not driver.late
    driver.close()
