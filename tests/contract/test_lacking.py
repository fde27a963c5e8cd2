"""The contract holds drivers to what they declare, both ways: a poor cloud keeps it too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from leeward import Client, OutcomeUnknown, Receipt, Unsupported
from leeward.adapter import Capability
from leeward.calls import Call, Result, Scan, Settle
from leeward.testing import Fault, FaultyDriver
from leeward_contract_tests import (
    DriverContract,
    EnqueueContract,
    FailureContract,
    Faults,
    InvokeContract,
    LifecycleContract,
    PublishContract,
    SettleContract,
    TablesContract,
    contract_config,
    faults_of,
)
from leeward_contract_tests.contracts.capabilities import Undeclared
from leeward_contract_tests.contracts.observations import CallFunction
from leeward_contract_tests.fixtures import COUNT, ITEMS
from tests.contract.clouds import LOCAL_SERVICES, Lacking, local_cloud


class _OnALackingDriver:
    lacks: frozenset[Capability]

    @pytest.fixture
    def driver(self) -> Iterator[FaultyDriver]:
        driver = Lacking(local_cloud(), *self.lacks)
        yield driver
        driver.close()

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        return LOCAL_SERVICES

    @pytest.fixture
    def faults(self, driver: FaultyDriver) -> Faults:
        return faults_of(driver)


class TestPoorCloud(_OnALackingDriver, DriverContract):
    """A cloud with functions, events and plain tables, and nothing more."""

    lacks = frozenset(Capability) - {Capability.INVOKE, Capability.PUBLISH, Capability.TABLES}


class TestNothingAtAll(
    _OnALackingDriver,
    InvokeContract,
    PublishContract,
    TablesContract,
    FailureContract,
    LifecycleContract,
):
    """A driver that declares no capability: what the poor cloud has is refused unsent as well."""

    lacks = frozenset(Capability)


class TestQueueOnly(_OnALackingDriver, EnqueueContract):
    """A cloud that takes calls but cannot be asked, with another way to see what has run."""

    lacks = frozenset({Capability.INVOKE})

    @pytest.fixture
    def driver(self) -> Iterator[FaultyDriver]:
        self.cloud = local_cloud()
        yield Lacking(self.cloud, *self.lacks)
        self.cloud.close()

    @pytest.fixture
    def call_function(self, driver: FaultyDriver) -> CallFunction:
        functions = self.cloud.native("functions")
        assert isinstance(functions, dict)
        return lambda function, payload: functions[function](payload)


def test_what_is_declared_is_not_refused() -> None:
    """No refusal is due where everything that a test needs is declared."""
    recorder = FaultyDriver(local_cloud())
    with Client(recorder) as client:
        assert not Undeclared(client, recorder).is_refused([Capability.TABLES, Capability.EXPIRY])


def test_a_call_that_is_not_refused_is_found() -> None:
    """Where a client sends a call in spite of the declaration, the check fails."""
    recorder = Lacking(local_cloud(), Capability.CONDITIONS)
    with Client(local_cloud()) as careless, pytest.raises(pytest.fail.Exception):
        Undeclared(careless, recorder).is_refused([Capability.CONDITIONS])
    recorder.close()


def test_a_call_that_was_sent_before_it_was_refused_is_found() -> None:
    """Where a driver sees the call, and only then declines it, the check fails."""
    recorder = FaultyDriver(Lacking(local_cloud(), Capability.ENQUEUE))
    with Client(recorder) as client, pytest.raises(AssertionError):
        Undeclared(_SendsFirst(client, recorder), recorder).is_refused([Capability.ENQUEUE])


def test_a_scan_that_is_not_declined_is_found() -> None:
    """Scan has no door at the client, so the driver itself has to decline it."""
    recorder = FaultyDriver(_ScansUndeclared(local_cloud(), Capability.SCAN))
    with Client(recorder) as client, pytest.raises(AssertionError):
        Undeclared(client, recorder).is_refused([Capability.SCAN])


class _CarriesNoQuestions(FaultyDriver):
    """A driver of an adapter that was written before there were questions."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Settle):
            raise Unsupported(f"no {call.verb} here", target=self.target)
        return super().perform(call, timeout)


class TestWithoutQuestions(SettleContract):
    """It keeps the contract: it refuses them, and runs nothing."""

    @pytest.fixture
    def driver(self) -> Iterator[FaultyDriver]:
        driver = _CarriesNoQuestions(local_cloud())
        yield driver
        driver.close()

    @pytest.fixture
    def settles(self) -> bool:
        return False


def test_a_call_stays_unknown_where_an_adapter_carries_no_questions() -> None:
    """Even if it is to be settled; and whoever asks for it hears that it is not supported."""
    driver = _CarriesNoQuestions(local_cloud())
    driver.fail(Fault.LOSE_ANSWER, verb="invoke")
    with Client(driver, config=contract_config()) as client:
        with pytest.raises(OutcomeUnknown) as raised:
            client.invoke(COUNT, {"name": "n"}, on_unknown="settle", timeout=1)
        driver.heal()
        with pytest.raises(Unsupported):
            client.settle(raised.value)
        assert client.invoke(COUNT, {"name": "n"}).value == 2


class _SendsFirst(Client):
    """A client that lets the driver see a call, and only then refuses it."""

    def __init__(self, client: Client, recorder: FaultyDriver) -> None:
        self._client = client
        self._recorder = recorder

    def enqueue(self, function: Any, *args: Any, **options: Any) -> Receipt:
        self._recorder.perform(Scan(ITEMS), 1.0)
        return self._client.enqueue(function, *args, **options)


class _ScansUndeclared(Lacking):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        return FaultyDriver.perform(self, call, timeout)
