"""The embedded driver keeps the contract, bare and with faults on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward.adapter import Driver
from leeward.testing import FaultyDriver
from leeward_contract_tests import (
    Awaited,
    CompositeKeysContract,
    ConditionsContract,
    DriverContract,
    EnqueueContract,
    ExpiryContract,
    Faults,
    InvokeContract,
    LifecycleContract,
    PublishContract,
    ScanContract,
    TablesContract,
    faults_of,
)
from tests.contract.clouds import local_cloud


class TestLocal(
    InvokeContract,
    EnqueueContract,
    PublishContract,
    TablesContract,
    ConditionsContract,
    ExpiryContract,
    CompositeKeysContract,
    ScanContract,
    LifecycleContract,
):
    """All but the failures, which nothing can bring about here."""

    @pytest.fixture
    def driver(self) -> Iterator[Driver]:
        driver = local_cloud()
        yield driver
        driver.close()


class TestFaultyLocal(DriverContract):
    """The whole contract, with faults on demand."""

    @pytest.fixture
    def driver(self) -> Iterator[FaultyDriver]:
        driver = FaultyDriver(local_cloud())
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, driver: FaultyDriver) -> Faults:
        return faults_of(driver)


class TestFaultyLocalAwaited(Awaited, TestFaultyLocal):
    """The whole contract through `AsyncClient`; the embedded driver works in threads there."""
